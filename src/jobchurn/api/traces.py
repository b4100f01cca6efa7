"""Traces, by OpenTelemetry: one span for each request, and within it one for each stage of work.

Imported only where traces are asked for: the libraries take time to load. Spans follow
OpenTelemetry's conventions for HTTP servers, and go out by OTLP over HTTP. They hold no value of
any record: what a query asks for and what a failure says of values stays here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from importlib.metadata import version

from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.semconv.attributes import (
    client_attributes,
    error_attributes,
    http_attributes,
    network_attributes,
    server_attributes,
    service_attributes,
    url_attributes,
    user_agent_attributes,
)
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobchurn.api.measured import NO_ROUTE, OTHER_METHOD, method_of, route_of
from jobchurn.errors import InvalidSettings

log = logging.getLogger(__name__)

SERVICE = "jobchurn-api"
"""The service's name, where ``OTEL_SERVICE_NAME`` gives no other."""

_PATH = "/v1/traces"
_LONGEST = 1_000
_QUIET_SECONDS = 60
_FAILURE = 500


class Traces:
    """Makes spans and sends them on, in a thread of its own.

    OpenTelemetry's other environment variables (``OTEL_SERVICE_NAME``, ``OTEL_TRACES_SAMPLER``,
    ``OTEL_EXPORTER_OTLP_HEADERS`` …) hold.

    Args:
        endpoint: the address that all kinds of telemetry begin with; traces go to ``/v1/traces``
            below it.

    Raises:
        InvalidSettings: the endpoint is no address.
    """

    def __init__(self, endpoint: str) -> None:
        if not endpoint.startswith(("http://", "https://")):
            raise InvalidSettings(
                "OTEL_EXPORTER_OTLP_ENDPOINT is no address of HTTP.",
                "Write it as http://HOST:4318.",
            )
        _quieten(logging.getLogger(OTLPSpanExporter.__module__))
        own = {
            service_attributes.SERVICE_NAME: SERVICE,
            service_attributes.SERVICE_VERSION: version("jobchurn"),
        }
        # What the environment says of the service goes before what we say.
        resource = Resource.create({**own, **OTELResourceDetector().detect().attributes})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(
            BatchSpanProcessor(OTLPSpanExporter(endpoint.rstrip("/") + _PATH))
        )
        self.tracer = self._provider.get_tracer("jobchurn.api", version("jobchurn"))

    def stage(self, name: str) -> AbstractContextManager[Span]:
        """A span for a stage of a request's work, as a block."""
        return self.tracer.start_as_current_span(name, record_exception=False)

    def watch(self) -> Callable[[str, int, int], None]:
        """Makes spans of stages that are over, as parts of the request that is current now.

        It is given a stage's name, and when it began and ended, in nanoseconds since 1970.
        """
        request = context.get_current()

        def note(name: str, begun: int, ended: int) -> None:
            self.tracer.start_span(name, context=request, start_time=begun).end(ended)

        return note

    def around(self, app: ASGIApp) -> Traced:
        """Have every request of an application traced."""
        return Traced(app, self)

    def close(self, seconds: float) -> None:
        """Send what is left, and take at most so many seconds over it."""
        closing = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        closing.start()
        closing.join(seconds)
        if closing.is_alive():
            log.warning("the last traces are not sent: their receiver is too slow")


class Traced:
    """Wraps the application: one span for each request, a child of the caller's if it names one."""

    def __init__(self, app: ASGIApp, traces: Traces) -> None:
        self._app = app
        self._tracer = traces.tracer
        self._propagator = TraceContextTextMapPropagator()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Trace one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        span = self._tracer.start_span(
            _named(scope),
            context=self._propagator.extract(headers),
            kind=SpanKind.SERVER,
            attributes=_attributes(scope, headers),
        )

        async def send_and_note(message: Message) -> None:
            if message["type"] == "http.response.start":
                _note_status(span, message["status"])
            await send(message)

        token = context.attach(trace.set_span_in_context(span))
        try:
            await self._app(scope, receive, send_and_note)
        except BaseException as error:
            span.set_attribute(error_attributes.ERROR_TYPE, type(error).__qualname__)
            span.set_status(Status(StatusCode.ERROR))
            raise
        finally:
            context.detach(token)
            if (route := route_of(scope)) != NO_ROUTE:
                span.set_attribute(http_attributes.HTTP_ROUTE, route)
                span.update_name(f"{_named(scope)} {route}")
            if number := scope.get("state", {}).get("number"):
                span.set_attribute("jobchurn.request_id", number)
            span.end()


def _named(scope: Scope) -> str:
    method = method_of(scope)
    return "HTTP" if method == OTHER_METHOD else method


def _attributes(scope: Scope, headers: Mapping[str, str]) -> dict[str, str | int]:
    method = method_of(scope)
    found: dict[str, str | int | None] = {
        http_attributes.HTTP_REQUEST_METHOD: method,
        url_attributes.URL_PATH: scope["path"][:_LONGEST],
        url_attributes.URL_SCHEME: scope.get("scheme"),
        network_attributes.NETWORK_PROTOCOL_VERSION: scope.get("http_version"),
        user_agent_attributes.USER_AGENT_ORIGINAL: headers.get("user-agent", "")[:_LONGEST] or None,
    }
    if method == OTHER_METHOD:
        found[http_attributes.HTTP_REQUEST_METHOD_ORIGINAL] = scope["method"][:_LONGEST]
    if server := scope.get("server"):
        found[server_attributes.SERVER_ADDRESS], found[server_attributes.SERVER_PORT] = server
    if client := scope.get("client"):
        found[client_attributes.CLIENT_ADDRESS] = client[0]
    return {name: value for name, value in found.items() if value is not None}


def _note_status(span: Span, status: int) -> None:
    span.set_attribute(http_attributes.HTTP_RESPONSE_STATUS_CODE, status)
    if status >= _FAILURE:
        span.set_attribute(error_attributes.ERROR_TYPE, str(status))
        span.set_status(Status(StatusCode.ERROR))


class _NowAndThen(logging.Filter):
    """Lets one record pass, and then none for a while: a receiver may be away for long."""

    def __init__(self) -> None:
        super().__init__()
        self._next = 0.0

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + _QUIET_SECONDS
        return True


def _quieten(logger: logging.Logger) -> None:
    if not any(isinstance(known, _NowAndThen) for known in logger.filters):
        logger.addFilter(_NowAndThen())
