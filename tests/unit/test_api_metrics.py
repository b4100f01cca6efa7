"""The metrics: counted right, named by the conventions, over one process and over several."""

import os
import subprocess
import sys

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as open_families,
)
from prometheus_client.parser import text_string_to_metric_families as families

from jobchurn.api.measured import Answered
from jobchurn.api.metrics import Metrics
from jobchurn.errors import InvalidSettings


def request(route="/items/{id}", status=200, seconds=0.02, method="GET"):
    return Answered(1.0, route, method, status, seconds, 0, 0)


@pytest.fixture
def metrics():
    return Metrics(lambda: "lgbm-1", lambda: 3)


def values(page):
    """Name and labels → value."""
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in families(page.decode())
        for sample in family.samples
    }


def test_requests_are_counted_by_route_method_and_status(metrics):
    for status in (200, 200, 404):
        metrics.under_way(1)
        metrics.over(request(status=status), 0)
    found = values(metrics.page("")[0])
    assert found["jobchurn_requests_total", "/items/{id}", "200", "GET"] == 2
    assert found["jobchurn_requests_total", "/items/{id}", "404", "GET"] == 1
    assert found["jobchurn_request_seconds_count", "/items/{id}"] == 3
    assert found["jobchurn_request_seconds_sum", "/items/{id}"] == pytest.approx(0.06)
    assert found["jobchurn_request_seconds_bucket", "+Inf", "/items/{id}"] == 3
    assert found["jobchurn_request_seconds_bucket", "/items/{id}", "0.01"] == 0


def test_what_is_under_way_and_what_waits_is_told(metrics):
    metrics.under_way(1)
    metrics.under_way(2)
    found = values(metrics.page("")[0])
    assert found["jobchurn_requests_in_flight",] == 2
    assert found["jobchurn_requests_waiting",] == 3
    metrics.over(request(), 1)
    assert values(metrics.page("")[0])["jobchurn_requests_in_flight",] == 1


def test_records_are_counted_by_source_from_the_start(metrics):
    assert values(metrics.page("")[0])["jobchurn_records_predicted_total", "webapp"] == 0
    metrics.predicted("scheduled", 70)
    metrics.predicted("scheduled", 7)
    found = values(metrics.page("")[0])
    assert found["jobchurn_records_predicted_total", "scheduled"] == 77
    assert found["jobchurn_records_predicted_total", "webapp"] == 0


def test_what_the_log_lacks_is_counted(metrics):
    metrics.dropped(5)
    assert values(metrics.page("")[0])["jobchurn_log_entries_dropped_total",] == 5


def test_the_version_and_the_model_say_themselves_in_labels():
    version = None
    metrics = Metrics(lambda: version, lambda: 0)
    found = values(metrics.page("")[0])
    assert [key for key in found if key[0] == "jobchurn_build_info"]
    assert not [key for key in found if key[0] == "jobchurn_model_info"]
    for version in ("lgbm-1", "lgbm-2"):
        found = values(metrics.page("")[0])
        assert [key for key in found if key[0] == "jobchurn_model_info"] == [
            ("jobchurn_model_info", version)
        ]


def test_two_applications_of_a_process_count_apart(metrics):
    metrics.over(request(), 0)
    other = Metrics(lambda: None, lambda: 0)
    assert not [key for key in values(other.page("")[0]) if key[0] == "jobchurn_requests_total"]


def test_names_begin_with_the_house_and_every_metric_is_explained(metrics):
    metrics.over(request(), 0)
    for family in families(metrics.page("")[0].decode()):
        assert family.name.startswith(("jobchurn_", "process_"))
        assert family.documentation


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/html", "text/plain; version=0.0.4; charset=utf-8"),
        (
            "application/openmetrics-text; version=1.0.0,text/plain;version=0.0.4;q=0.5",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
        ("application/openmetrics-text; version=x", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/plain; version=..", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text; version=1.é", "text/plain; version=0.0.4; charset=utf-8"),
    ],
)
def test_the_form_is_the_one_that_the_client_accepts(metrics, accept, media_type):
    metrics.over(request(), 0)
    page, found = metrics.page(accept)
    assert found.startswith(media_type)
    read = open_families if "openmetrics" in media_type else families
    assert "jobchurn_requests" in {f.name for f in read(page.decode())}


SERVING = """
import sys
from jobchurn.api.measured import Answered
from jobchurn.api.metrics import Metrics
metrics = Metrics(lambda: "lgbm-1", lambda: 2)
metrics.under_way(4)
for _ in range(int(sys.argv[1])):
    metrics.over(Answered(1.0, "/", "GET", 200, 0.02, 0, 0), 3)
metrics.predicted("webapp", 10)
print(flush=True)
for _ in sys.stdin:
    print(metrics.page("")[0].decode() + "end", flush=True)
metrics.close()
"""


class Serving:
    """A process that counts requests, and answers each line it is sent with all metrics."""

    def __init__(self, folder, requests):
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVING, str(requests)],
            env=os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def is_ready(self):
        return self.process.stdout.readline() == "\n"

    def values(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return values("".join(iter(self.process.stdout.readline, "end\n")).encode())

    def end(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


def test_several_processes_are_counted_together(tmp_path):
    first, second = Serving(tmp_path, 3), Serving(tmp_path, 4)
    try:
        assert first.is_ready()
        assert second.is_ready()
        for process in (first, second):
            found = process.values()
            assert found["jobchurn_requests_total", "/", "200", "GET"] == 7
            assert found["jobchurn_request_seconds_count", "/"] == 7
            assert found["jobchurn_records_predicted_total", "webapp"] == 20
            assert found["jobchurn_requests_in_flight",] == 6
            assert found["jobchurn_requests_waiting",] == 4
            assert found["jobchurn_model_info", "lgbm-1"] == 1
        first.end()
        found = second.values()
        assert found["jobchurn_requests_total", "/", "200", "GET"] == 7
        assert found["jobchurn_requests_in_flight",] == 3
    finally:
        first.end()
        second.end()


@pytest.mark.parametrize("folder", ["", "nowhere"])
def test_a_shared_folder_that_is_none_is_refused(tmp_path, monkeypatch, folder):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", folder and str(tmp_path / folder))
    with pytest.raises(InvalidSettings, match="PROMETHEUS_MULTIPROC_DIR"):
        Metrics(lambda: None, lambda: 0)
