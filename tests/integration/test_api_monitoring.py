"""What the API shows of itself, over a real database: panels, metrics, log, traces, runbook."""

import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import psycopg
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families as families

from api_house import RECORD, open_house, serving
from jobchurn import panels
from jobchurn.contract import JOB_CHANGE
from jobchurn.settings import Settings
from jobchurn.store import Store
from small_model import random_records

DASHBOARDS = panels.dashboards_of(JOB_CHANGE)
NAMES = [dashboard.name for dashboard in DASHBOARDS]
VARIABLES = [
    (dashboard.name, variable.name) for dashboard in DASHBOARDS for variable in dashboard.variables
]
HOSTILE = ["'; DROP TABLE predictions; --", "') OR 1=1 --", "$__timeFrom()", "a\x00", "é" * 3000]


@pytest.fixture
def house(store, tmp_path):
    return open_house(store, tmp_path)


@pytest.fixture
def client(house):
    with serving(house) as client:
        yield client


def logged(database):
    with psycopg.connect(database) as connection:
        return connection.execute(
            "SELECT route, method, status, records, waiting, weight, seconds, now() - at"
            " FROM request_log ORDER BY id"
        ).fetchall()


def sampled(client):
    page = client.get("/metrics")
    assert page.status_code == 200
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in families(page.text)
        for sample in family.samples
    }


# Panels.


@pytest.mark.parametrize("name", NAMES)
def test_every_panel_is_answered_on_empty_tables(client, name):
    told = client.get(f"/panels/{name}")
    assert told.status_code == 200, told.text
    for panel in told.json()["panels"]:
        assert panel["error"] is None, panel
        assert not panel["more"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("span", ["now-1m", "now-24h", "now-30d", "now-400d"])
def test_every_panel_is_answered_over_every_range(client, name, span):
    client.post("/predict", json={"records": random_records(JOB_CHANGE, 50)})
    told = client.get(f"/panels/{name}?from={span}").json()
    assert [panel["error"] for panel in told["panels"]] == [None] * len(told["panels"])
    for panel in told["panels"]:
        for row in panel["rows"]:
            assert len(row) == len(panel["columns"])
        if "time" in panel["columns"]:
            place = panel["columns"].index("time")
            assert all(isinstance(row[place], str) and "T" in row[place] for row in panel["rows"])


@pytest.mark.parametrize(("name", "variable"), VARIABLES)
@pytest.mark.parametrize("value", HOSTILE)
def test_no_value_that_is_not_on_offer_reaches_the_database(
    client, database, name, variable, value
):
    answer = client.get(f"/panels/{name}", params={f"var-{variable}": value})
    assert answer.status_code == 422
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM predictions").fetchone() == (0,)


def test_a_database_without_tables_is_a_problem(empty_database, tmp_path):
    store = Store.connect(empty_database, JOB_CHANGE)
    with serving(open_house(store, tmp_path, champion=False)) as client:
        for name in NAMES:
            answer = client.get(f"/panels/{name}")
            assert answer.status_code == 503
            assert answer.json()["cure"]
        assert client.get("/panels").status_code == 200
        assert client.get("/metrics").status_code == 200
    store.close()


def test_a_database_that_is_away_is_a_problem_and_the_metrics_are_not(tmp_path):
    store = Store.connect("postgresql://nobody@127.0.0.1:1/none", JOB_CHANGE)
    with serving(open_house(store, tmp_path, champion=False)) as client:
        assert client.get(f"/panels/{NAMES[0]}").status_code == 503
        client.app.state.door.request_log.flush()
        assert sampled(client)["jobchurn_log_entries_dropped_total",] == 1
    store.close()


# The log of requests.


def test_requests_are_logged_with_what_they_predicted(client, database):
    client.post("/predict", json={"records": [RECORD] * 3}, headers={"Idempotency-Key": "k"})
    client.post("/predict", json={"records": [RECORD] * 3}, headers={"Idempotency-Key": "k"})
    client.post("/predict", json={"records": [{}]})
    client.get("/past-predictions")
    client.head("/reports/x")
    client.get("/made-up/path")
    for path in ("/health", "/ready", "/metrics"):
        client.get(path)
    client.app.state.door.request_log.flush()
    entries = logged(database)
    assert [entry[:6] for entry in entries] == [
        ("/predict", "POST", 200, 3, 0, 1.0),
        ("/predict", "POST", 200, 3, 0, 1.0),
        ("/predict", "POST", 422, 0, 0, 1.0),
        ("/past-predictions", "GET", 200, 0, 0, 1.0),
        ("/reports/{report_name}", "HEAD", 404, 0, 0, 1.0),
        ("-", "GET", 404, 0, 0, 1.0),
    ]
    assert all(0 < entry[6] < 60 for entry in entries)
    assert all(-1 < entry[7].total_seconds() < 60 for entry in entries)


def test_the_last_requests_are_in_the_log_once_the_api_ended(house, database):
    with serving(house) as client:
        client.get("/model")
    assert [entry[0] for entry in logged(database)] == ["/model"]


def test_the_log_is_written_while_the_api_runs(client, database):
    client.get("/model")
    end = time.monotonic() + 20
    while not logged(database):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_log_that_is_lost_costs_the_requests_nothing(client, database):
    with psycopg.connect(database) as connection:
        connection.execute("ALTER TABLE request_log RENAME TO lost")
        connection.commit()
        assert client.post("/predict", json={"records": [RECORD]}).status_code == 200
        client.app.state.door.request_log.flush()
        assert sampled(client)["jobchurn_log_entries_dropped_total",] == 1
        connection.execute("ALTER TABLE lost RENAME TO request_log")
        connection.commit()
    client.get("/model")
    client.app.state.door.request_log.flush()
    assert [entry[0] for entry in logged(database)] == ["/model"]


# The metrics.


def test_the_metrics_count_what_was_asked_and_predicted(client, house):
    before = sampled(client)
    for _ in range(2):
        client.post("/predict", json={"records": [RECORD] * 3}, headers={"Idempotency-Key": "k"})
    client.post("/predict", json={"records": [RECORD], "source": "scheduled"})
    for number in range(5):
        client.get(f"/made-up/{number}")
        client.request(f"BREW{number}", "/model")
    found = sampled(client)
    assert found["jobchurn_requests_total", "/predict", "200", "POST"] == 3
    assert found["jobchurn_requests_total", "-", "404", "GET"] == 5
    assert found["jobchurn_requests_total", "/model", "405", "_OTHER"] == 5
    assert found["jobchurn_records_predicted_total", "webapp"] == 3
    assert found["jobchurn_records_predicted_total", "scheduled"] == 1
    assert found["jobchurn_requests_in_flight",] == 1
    assert found["jobchurn_requests_waiting",] == 0
    assert found["jobchurn_model_info", house.registry.champion().version] == 1
    added = {key for key in found if key[0] == "jobchurn_requests_total"} - set(before)
    assert len(added) == 4  # these three, and the first look at the metrics


def test_the_metrics_come_in_the_form_that_is_accepted(client):
    plain = client.get("/metrics")
    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    other = client.get("/metrics", headers=accept)
    assert other.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert other.text.endswith("# EOF\n")
    head = client.head("/metrics")
    assert (head.status_code, head.content) == (200, b"")
    strange = client.get("/metrics", headers={"Accept": "text/plain; version=a.b"})
    assert strange.status_code == 200


# Traces.


class Collector:
    """Takes traces on this machine."""

    def __init__(self):
        self.spans = []
        taken = self.spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    for scope in resource.scope_spans:
                        taken.extend(scope.spans)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def end(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def test_a_prediction_is_traced_from_the_door_to_the_database(house):
    collector = Collector()
    try:
        settings = Settings(
            jobchurn_home=house.settings.home, otel_exporter_otlp_endpoint=collector.address
        )
        object.__setattr__(house, "settings", settings)
        with serving(house) as client:
            assert client.post("/predict", json={"records": [RECORD]}).status_code == 200
    finally:
        collector.end()
    spans = {span.name: span for span in collector.spans}
    door = spans["POST /predict"]
    assert {"score", "store"} <= set(spans)
    for stage in ("score", "store"):
        assert spans[stage].parent_span_id == door.span_id
        assert spans[stage].trace_id == door.trace_id
    assert "Male" not in str(collector.spans)


# The runbook.


@pytest.mark.parametrize("rule", [rule.name for rule in panels.rules_of(JOB_CHANGE)])
def test_every_rule_has_its_page(client, rule):
    page = client.get(f"/runbook/{rule}")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/plain; charset=utf-8"
    assert page.text.startswith("# ")


@pytest.mark.parametrize(
    "name",
    ["index", "nothing", "drift.md", "..%2findex", "%2e%2e/index", "drift%00", "DRIFT", "x" * 5000],
)
def test_only_rules_have_pages(client, name):
    answer = client.get(f"/runbook/{name}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
