"""Signed links at the API's door: what is asked for one, what it opens, and what it leaves shut."""

import logging
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from api_house import RECORD, open_house, serving

REPORT = "/reports/20261124T073000-3f9a2c.html"
PAGE = "<!doctype html><p>report"


@pytest.fixture
def house(store, tmp_path):
    house = open_house(store, tmp_path)
    (house.folders.reports / REPORT.rpartition("/")[2]).write_text(PAGE)
    return house


@pytest.fixture
def client(house):
    with serving(house) as client:
        client.post("/predict", json={"records": [RECORD], "source": "scheduled"})
        yield client


def link(client, path, **more):
    answer = client.post("/links", json={"path": path, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_link_to_a_report_opens_it(client):
    assert client.get(link(client, REPORT)["path"]).text == PAGE


def test_a_link_to_a_page_of_the_runbook_opens_it(client):
    assert client.get(link(client, "/runbook/drift")["path"]).status_code == 200


def test_a_link_to_a_file_of_predictions_opens_that_file(client):
    asked = "/past-predictions?format=csv&source=scheduled"
    path = link(client, asked)["path"]
    assert client.get(path).content == client.get(asked).content
    assert client.get(path).text.count("\n") == 2


def test_what_asks_for_a_link_is_short(client):
    body = b'{"path":"' + b"x" * 20_000 + b'"}'
    answer = client.post("/links", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["limit"]) == (413, 16_384)
    longest = "/past-predictions?" + "a" * 1_000
    assert link(client, longest)["path"].startswith(longest)


def test_a_link_has_the_api_s_public_address_and_ends_in_five_minutes(client, house):
    before = datetime.now(UTC)
    made = link(client, REPORT)
    assert made["url"] == f"{house.settings.api_public_address}{made['path']}"
    ends = datetime.fromisoformat(made["expires_at"])
    assert before + timedelta(minutes=4) < ends <= datetime.now(UTC) + timedelta(minutes=5)
    longer = link(client, REPORT, minutes=60)
    assert datetime.fromisoformat(longer["expires_at"]) > ends + timedelta(minutes=50)


ELSEWHERE = [
    "/metrics",
    "/predict",
    "/model",
    "/ingestion-runs",
    "/panels/drift",
    "/openapi.json",
    "/links",
    "/keys",
    "/",
    "",
    "reports/x.html",
    "/reports/",
    "/reports/../metrics",
    "/reports/x.html/../../metrics",
    "/reports/%2e%2e/metrics",
    "/reports/x.html?a=b",
    "/reports/x.html#a",
    "/reports/x.html\n",
    "\n/reports/x.html",
    "/runbook/..",
    "/runbook/drift/../../metrics",
    "/past-predictions/../metrics",
    "/past-predictionsx",
    "/past-predictions?a b",
    "/past-predictions?a=\r\nb",
    "//elsewhere.example/reports/x.html",
    "https://elsewhere.example/reports/x.html",
    "/past-predictions?signature=x&expires=1",
    f"/past-predictions?{'a' * 1001}",
]


def test_nothing_else_is_opened_by_a_link_whoever_asks(client):
    for path in ELSEWHERE:
        assert client.post("/links", json={"path": path}).status_code == 422, path


NOT_AS_DOCUMENTED = [
    {},
    {"path": 1},
    {"path": [REPORT]},
    {"path": REPORT, "minutes": 0},
    {"path": REPORT, "minutes": 61},
    {"path": REPORT, "minutes": 1.5},
    {"path": REPORT, "expires_at": "2999-01-01"},
    [],
    REPORT,
]


def test_a_link_is_made_only_as_the_document_says(client):
    for body in NOT_AS_DOCUMENTED:
        answer = client.post("/links", json=body)
        assert answer.status_code == 422, body
        assert "/reports/RUN.html" in answer.json()["cure"]


def test_an_expired_link_is_refused_with_a_cure(client, house):
    expired = house.links.sign(REPORT, datetime.now(UTC) - timedelta(seconds=1))
    answer = client.get(expired)
    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:jobchurn:problem:link-refused"
    assert "newer alert" in answer.json()["cure"]
    assert answer.headers["x-request-id"]


def test_a_link_s_signature_opens_nothing_but_what_it_was_made_for(client):
    query = link(client, REPORT)["path"].partition("?")[2]
    for other in (
        "/reports/other.html",
        "/past-predictions",
        "/model",
        "/metrics",
        "/runbook/drift",
    ):
        assert client.get(f"{other}?{query}").status_code == 403


def test_a_path_spelt_otherwise_opens_only_what_was_signed(client):
    query = link(client, REPORT)["path"].partition("?")[2]
    # This is the same path, and the API serves the same file.
    assert client.get(f"{quote('/reports/')}%32{REPORT[10:]}?{query}").text == PAGE
    for other in ("/reports/%2e%2e/metrics", "/reports//x.html", "/reports/x.html%00"):
        assert client.get(f"{other}?{query}").status_code == 403


def test_a_link_only_reads(client, house):
    later = datetime.now(UTC) + timedelta(minutes=5)
    before = client.get("/past-predictions").json()["rows"]
    for path in ("/predict", "/links", "/explain"):
        answer = client.post(house.links.sign(path, later), json={"records": [RECORD]})
        # The signature counts for nothing here: the request is judged as one without a key, and
        # what is to be predicted or signed may not stand beside a query.
        assert answer.status_code == (200 if path == "/explain" else 422)
    assert client.get("/past-predictions").json()["rows"] == before
    assert client.delete(house.links.sign(REPORT, later)).status_code == 405


def test_head_is_answered_as_get_is(client, house):
    good = link(client, REPORT)["path"]
    assert client.head(good).status_code == 200
    assert client.head(f"{good}x").status_code == 403


def test_a_folder_s_signature_opens_the_runbook_alone(client, house):
    query = house.links.sign_folder("/runbook/", datetime.now(UTC) + timedelta(days=365))
    assert client.get(f"/runbook/drift?{query}").status_code == 200
    assert client.get(f"/runbook/errors?{query}").status_code == 200
    assert client.get(f"{REPORT}?{query}").status_code == 403
    assert client.get(f"/runbook/..%2fmetrics?{query}").status_code == 403


def test_no_log_holds_a_signature(client, caplog):
    caplog.set_level(logging.DEBUG, "jobchurn")
    good = link(client, REPORT)["path"]
    signature = good.rpartition("=")[2]
    for path in (
        good,
        f"/reports/other.html?{good.partition('?')[2]}",
        good.replace("html", "htm"),
    ):
        client.get(path)
    client.app.state.door.request_log.flush()
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("jobchurn")]
    assert not any(signature in line for line in ours)
    store = client.app.state.door.services.store
    with store._engine.connect() as connection:
        kept = connection.exec_driver_sql("SELECT * FROM request_log").all()
    assert kept
    assert signature not in str(kept)
