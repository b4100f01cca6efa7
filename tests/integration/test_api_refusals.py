"""What the API refuses because it would have to guess, and what it cannot read of its own."""

import errno
import os
import socket

import pytest

from api_house import RECORD, open_house, serving
from jobchurn.contract import JOB_CHANGE
from jobchurn.panels import dashboards_of, rules_of


@pytest.fixture
def house(store, tmp_path):
    return open_house(store, tmp_path)


@pytest.fixture
def client(house):
    with serving(house) as client:
        yield client


def refusal(answer, status=422):
    assert answer.status_code == status, answer.text
    problem = answer.json()
    assert problem["cure"]
    return problem["detail"]


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("paging", ["limit=200", "cursor=AAAAAAAAAAAAAAAAAAAAAA==", "limit=7"])
def test_a_file_has_no_pages(client, form, paging):
    if form == "parquet":
        pytest.importorskip("pyarrow.parquet")
    detail = refusal(client.get(f"/past-predictions?format={form}&{paging}"))
    assert paging.partition("=")[0] in detail
    assert client.get(f"/past-predictions?format={form}").status_code == 200


@pytest.mark.parametrize(
    "address",
    [
        "/past-predictions?limit=1&limit=2",
        "/past-predictions?source=all&source=all",
        "/ingestion-runs?limit=1&limit=1",
        "/panels/{dashboard}?from=now-1h&from=now-2h",
    ],
)
def test_a_parameter_that_stands_twice_is_refused(client, house, address):
    address = address.format(dashboard=dashboards_of(house.contract)[0].name)
    assert "more than once" in refusal(client.get(address))


def test_an_idempotency_key_that_stands_twice_is_refused(client):
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    answer = client.post("/predict", json={"records": [RECORD]}, headers=headers)
    assert "more than once" in refusal(answer)


def test_several_panels_and_values_can_be_asked_for(client, house):
    found = dashboards_of(house.contract)[0]
    asked = [("panel", panel.id) for panel in found.panels[:2]]
    answer = client.get(f"/panels/{found.name}", params=asked)
    assert len(answer.json()["panels"]) == 2


@pytest.mark.parametrize(("row", "status"), [(7, 200), (7.0, 200), (7.5, 422), ("7", 422)])
def test_an_integer_is_one_with_a_fraction_of_nought_too(client, row, status):
    lineage = {"run": "r", "file": "f", "first_row": row}
    body = {"records": [RECORD], "source": "scheduled", "lineage": lineage}
    assert client.post("/predict", json=body).status_code == status


@pytest.mark.parametrize("number", [1e30, -1e300, 2**63, 2**64, 0.5, 1e18, -0.0, 5e-324])
def test_a_retry_is_told_again_what_was_refused(client, number):
    wrong = RECORD | {JOB_CHANGE.id.name: number, "nosuch": number}
    body = {"records": [RECORD, wrong], "partial": True}
    first, again = (
        client.post("/predict", json=body, headers={"Idempotency-Key": "k"}) for _ in range(2)
    )
    assert first.status_code == again.status_code == 200
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.json() == again.json()
    assert len(first.json()["refused"][0]["errors"]) >= 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_report_that_may_not_be_read_is_a_problem_with_a_cure(client, house):
    report = house.folders.reports / "20261124T073000-3f9a2c.html"
    report.write_text("…")
    report.chmod(0)
    assert "cannot be read" in refusal(client.get(f"/reports/{report.name}"), 503)


def test_a_report_that_the_machine_does_not_hand_out_is_a_problem_with_a_cure(
    client, house, monkeypatch
):
    class Machine:
        def __getattr__(self, name):
            return getattr(os, name)

        def open(self, *_):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("jobchurn.api.routes.reports.os", Machine())
    assert "cannot be read" in refusal(client.get("/reports/20261124T073000-3f9a2c.html"), 503)


def test_what_is_no_file_is_no_report(client, house, monkeypatch):
    monkeypatch.chdir(house.folders.reports)  # the name of a socket may not be long
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.html")
        assert "no report" in refusal(client.get("/reports/socket.html"), 404)


def test_the_document_names_what_a_path_can_name(client, house):
    paths = client.get("/openapi.json").json()["paths"]

    def named(path):
        return paths[path]["get"]["parameters"][0]["schema"]["enum"]

    assert named("/panels/{dashboard}") == [one.name for one in dashboards_of(house.contract)]
    assert named("/runbook/{rule}") == [rule.name for rule in rules_of(house.contract)]


def test_every_link_of_the_document_leads_to_an_endpoint_and_a_parameter(client):
    paths = client.get("/openapi.json").json()["paths"]
    links = [
        link
        for operations in paths.values()
        for operation in operations.values()
        for link in operation["responses"].get("200", {}).get("links", {}).values()
    ]
    assert len(links) == 4
    for link in links:
        path, _, method = link["operationRef"].removeprefix("#/paths/").partition("/")
        operation = paths[path.replace("~1", "/")][method]
        assert set(link["parameters"]) <= {one["name"] for one in operation["parameters"]}
