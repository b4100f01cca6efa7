"""Traces: what is said of a request, and that it arrives, at a listener on this machine."""

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from jobchurn.api.traces import Traced, Traces
from jobchurn.errors import InvalidSettings

CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Listener:
    """Takes traces as a collector does."""

    def __init__(self):
        self.paths, self.sent = [], []
        self.status = 200
        self.hangs = threading.Event()
        self.hangs.set()


@pytest.fixture
def listener():
    heard = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.hangs.wait(20)
            heard.paths.append(self.path)
            heard.sent.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(heard.status)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    heard.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield heard
    heard.hangs.set()
    server.shutdown()
    thread.join()
    server.server_close()


def spans_of(listener):
    return [
        span
        for request in listener.sent
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def attributes_of(holder):
    return {
        found.key: getattr(found.value, found.value.WhichOneof("value"))
        for found in holder.attributes
    }


def app_with(traces):
    async def item(request):
        request.state.number = "7"
        with traces.stage("work"):
            return PlainTextResponse("done", int(request.query_params.get("status", 200)))

    async def broken(request):
        raise ZeroDivisionError("a value of a record")

    app = Starlette(routes=[Route("/items/{id}", item), Route("/broken", broken)])
    app.add_middleware(Traced, traces=traces)
    return app


@contextmanager
def traced(listener, suffix=""):
    traces = Traces(listener.address + suffix)
    with TestClient(app_with(traces), raise_server_exceptions=False) as client:
        yield client
    traces.close(10)


def test_a_request_is_one_span_by_the_conventions_of_http(listener):
    with traced(listener) as client:
        client.get("/items/7?secret=1", headers={"User-Agent": "a browser"})
    assert set(listener.paths) == {"/v1/traces"}
    work, span = spans_of(listener)
    assert (span.name, span.kind - 1) == ("GET /items/{id}", SpanKind.SERVER.value)
    said = attributes_of(span)
    assert said["http.request.method"] == "GET"
    assert said["http.route"] == "/items/{id}"
    assert said["http.response.status_code"] == 200
    assert said["url.path"] == "/items/7"
    assert said["url.scheme"] == "http"
    assert said["user_agent.original"] == "a browser"
    assert said["jobchurn.request_id"] == "7"
    assert "secret" not in str(span)
    assert span.status.code == 0
    assert (work.name, work.parent_span_id) == ("work", span.span_id)
    [resource] = {str(attributes_of(r.resource)) for s in listener.sent for r in s.resource_spans}
    assert "'service.name': 'jobchurn-api'" in resource


def test_a_request_belongs_to_the_trace_of_its_caller(listener):
    trace, parent = CALLER
    with traced(listener) as client:
        client.get("/items/7", headers={"traceparent": f"00-{trace}-{parent}-01"})
    _, span = spans_of(listener)
    assert span.trace_id.hex() == trace
    assert span.parent_span_id.hex() == parent


@pytest.mark.parametrize(
    "header", ["", "x", "00-0-0-00", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"]
)
def test_a_caller_that_names_no_trace_begins_a_new_one(listener, header):
    with traced(listener) as client:
        client.get("/items/7", headers={"traceparent": header})
    _, span = spans_of(listener)
    assert not span.parent_span_id
    assert any(span.trace_id)


def test_a_caller_that_samples_nothing_is_obeyed(listener):
    trace, parent = CALLER
    with traced(listener) as client:
        client.get("/items/7", headers={"traceparent": f"00-{trace}-{parent}-00"})
    assert spans_of(listener) == []


@pytest.mark.parametrize(("status", "code"), [(404, 0), (500, 2), (503, 2)])
def test_only_a_failure_of_ours_is_an_error(listener, status, code):
    with traced(listener) as client:
        client.get(f"/items/7?status={status}")
    _, span = spans_of(listener)
    assert span.status.code == code
    assert attributes_of(span).get("error.type") == (str(status) if code else None)


def test_what_breaks_is_an_error_that_tells_nothing_of_values(listener):
    with traced(listener) as client:
        assert client.get("/broken").status_code == 500
    [span] = spans_of(listener)
    assert span.status.code == 2
    assert attributes_of(span)["error.type"] == "ZeroDivisionError"
    assert "a value of a record" not in str(span)


def test_made_up_paths_and_methods_make_no_new_names(listener):
    with traced(listener) as client:
        client.get("/made-up/" + "x" * 5_000)
        client.request("BREW", "/items/7")
    lost, *_, strange = spans_of(listener)
    assert lost.name == "GET"
    assert "http.route" not in attributes_of(lost)
    assert len(attributes_of(lost)["url.path"]) == 1_000
    assert strange.name == "HTTP /items/{id}"
    assert attributes_of(strange)["http.request.method"] == "_OTHER"
    assert attributes_of(strange)["http.request.method_original"] == "BREW"


def test_an_address_may_end_with_a_slash(listener):
    with traced(listener, "/base/") as client:
        client.get("/items/7")
    assert set(listener.paths) == {"/base/v1/traces"}


def test_the_environment_may_name_the_service(listener, monkeypatch):
    monkeypatch.setenv("OTEL_SERVICE_NAME", "another")
    with traced(listener) as client:
        client.get("/items/7")
    assert attributes_of(listener.sent[0].resource_spans[0].resource)["service.name"] == "another"


def test_a_collector_that_hangs_keeps_nobody_waiting(listener, caplog):
    listener.hangs.clear()
    traces = Traces(listener.address)
    with TestClient(app_with(traces)) as client:
        client.get("/items/7")
    begun = time.monotonic()
    traces.close(0.2)
    assert time.monotonic() - begun < 5
    assert "not sent" in caplog.text


def test_a_collector_that_is_away_is_told_of_now_and_then_only(listener, caplog):
    listener.status = 400
    for _ in range(5):
        with traced(listener) as client:
            client.get("/items/7")
    assert len(listener.sent) == 5
    exporting = [r for r in caplog.records if r.name.startswith("opentelemetry.exporter")]
    assert len(exporting) <= 1


@pytest.mark.parametrize("endpoint", ["localhost:4318", "grpc://127.0.0.1:4317", "/v1", " "])
def test_an_endpoint_that_is_no_address_is_refused(endpoint):
    with pytest.raises(InvalidSettings, match="OTEL_EXPORTER_OTLP_ENDPOINT"):
        Traces(endpoint)
