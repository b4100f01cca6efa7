"""The web app's only HTTP: what it asks the API, and the API's troubles in a person's words."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import date
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from answers import Answer, Json, Model, Page
from dashboard import Dashboard, dashboard_of
from jobchurn.contract import Value
from problems import Problem

SOURCE = "webapp"
"""How this door's predictions are marked."""

ATTEMPTS = 3
"""How often a request that may be repeated is sent before it counts as failed."""

_PASSING = frozenset({429, 502, 503, 504})
_SHUT = frozenset({401, 403})
_WAIT_AT_MOST = 5.0
_LINK_MINUTES = 60
_LINKS_AT_MOST = 1_000

Record = Mapping[str, Value]
"""Column → value."""


class Client:
    """The API, as the web app sees it.

    Every method raises :class:`Problem` where the API is away, not ready, or refuses.

    Args:
        address: where this process reaches the API.
        public_address: where a person's browser reaches it, for links.
        api_key: what lets this process in, where the API asks for a key.
        timeout: seconds that one answer may take.
        pause: seconds before a request is repeated; doubled each time.
        transport: carries the requests; the network by default.
    """

    def __init__(
        self,
        address: str,
        public_address: str = "",
        *,
        api_key: str = "",
        timeout: float = 60,
        pause: float = 0.15,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.address = address.rstrip("/")
        self.public_address = (public_address or address).rstrip("/")
        self._pause = pause
        self._links: dict[str, tuple[str, float]] = {}
        self._http = httpx.Client(
            base_url=self.address,
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=httpx.Timeout(timeout, connect=3),
            transport=transport,
        )

    def model(self) -> Model:
        """The model in charge."""
        told = self._told(self._ask("GET", "/model"))
        return Model(
            version=told["version"],
            contract=told["contract"],
            threshold=told["threshold"],
            levels={
                feature["name"]: feature["levels"]
                for feature in told["features"]
                if feature.get("levels")
            },
        )

    def predict(self, records: Sequence[Record], *, key: str, partial: bool = False) -> Answer:
        """Predict records and store the predictions.

        Args:
            records: column → value.
            key: names this request: asked again with it, the API gives its first answer again and
                stores nothing new.
            partial: predict the good records where some break the contract.
        """
        body = {"records": list(records), "source": SOURCE, "partial": partial}
        response = self._ask("POST", "/predict", json=body, headers={"Idempotency-Key": key})
        told = self._told(response)
        return Answer(
            predictions=told["predictions"],
            features=told["features"],
            model_version=told["model_version"],
            refused=told.get("refused") or [],
            replayed="idempotent-replayed" in response.headers,
        )

    def explain(self, records: Sequence[Record]) -> list[Json]:
        """For each record, what each column added to the model's score. Stores nothing."""
        told = self._told(self._ask("POST", "/explain", json={"records": list(records)}))
        explanations: list[Json] = told["explanations"]
        return explanations

    def past_predictions(
        self,
        start: date | None,
        end: date | None,
        source: str,
        *,
        limit: int,
        cursor: str | None = None,
    ) -> Page:
        """Stored predictions, newest first; both days are included."""
        asked = _range_of(start, end, source) | {"limit": str(limit)}
        if cursor:
            asked["cursor"] = cursor
        told = self._told(self._ask("GET", "/past-predictions", params=asked))
        return Page(told["rows"], told["next"])

    def export_address(self, start: date | None, end: date | None, source: str) -> str:
        """Where a browser downloads all matching predictions as CSV."""
        asked = _range_of(start, end, source) | {"format": "csv"}
        return f"{self.public_address}{self._opened(f'/past-predictions?{urlencode(asked)}')}"

    def ingestion_runs(self, limit: int) -> list[Json]:
        """The latest ingested files, newest first."""
        told = self._told(self._ask("GET", "/ingestion-runs", params={"limit": str(limit)}))
        runs: list[Json] = told["runs"]
        return runs

    def dashboards(self) -> list[Json]:
        """Name, title and description of each dashboard."""
        dashboards: list[Json] = self._told(self._ask("GET", "/panels"))["dashboards"]
        return dashboards

    def panels(
        self,
        dashboard: str,
        *,
        start: str | None = None,
        end: str | None = None,
        variables: Mapping[str, Sequence[str]] | None = None,
        only: Sequence[int] = (),
    ) -> Dashboard:
        """A dashboard's panels, each with its rows.

        Args:
            dashboard: its name.
            start: an instant, or one that counts back from ``now``; by default the time range is
                the dashboard's own.
            end: likewise.
            variables: what is chosen; by default what the dashboard does.
            only: the numbers of the panels to ask for; all of them by default.
        """
        asked = [("from", start), ("to", end)] if start and end else []
        asked += [("panel", str(number)) for number in only]
        for name, values in (variables or {}).items():
            asked += [(f"var-{name}", value) for value in values]
        path = f"/panels/{quote(dashboard, safe='')}"
        return dashboard_of(self._told(self._ask("GET", path, params=asked)))

    def link(self, path: str) -> str:
        """Where a browser finds what the API names by its path."""
        return f"{self.public_address}{self._opened(quote(path))}"

    def cell_link(self, address: str, cell: str) -> str:
        """Where a cell of a panel leads, with its own text behind the ``#``, for a table to show.

        Args:
            address: a path in which ``{cell}`` stands for the cell.
            cell: what is written there.
        """
        quoted = quote(cell, safe="")
        target = self._opened(address.replace("{cell}", quoted))
        return f"{self.public_address}{target}#{quoted}"

    def _opened(self, target: str) -> str:
        """What a browser, which sends no key, may open: signed where keys are asked for.

        Where no signature is to be had the plain path is: the page stands, and whoever follows the
        link is told that it needs a key.
        """
        if "Authorization" not in self._http.headers:
            return target
        signed, until = self._links.get(target, (target, 0.0))
        if time.monotonic() < until:
            return signed
        if len(self._links) >= _LINKS_AT_MOST:
            self._links.clear()
        try:
            told = self._told(
                self._ask("POST", "/links", json={"path": target, "minutes": _LINK_MINUTES})
            )
        except Problem:
            return target
        # Whoever is shown the link has half of its time to follow it at least.
        self._links[target] = told["path"], time.monotonic() + 60 * _LINK_MINUTES / 2
        return str(told["path"])

    def _ask(self, method: str, path: str, **content: Any) -> httpx.Response:
        """Send a request, again where that may help. Every request here is safe to repeat."""
        pause = self._pause
        for attempt in range(1, ATTEMPTS + 1):
            try:
                response = self._http.request(method, path, **content)
            except (httpx.ReadTimeout, httpx.WriteTimeout) as error:
                # That was all the time an answer may take: a person has waited for long enough.
                raise self._away(error) from error
            except httpx.TransportError as error:
                if attempt == ATTEMPTS:
                    raise self._away(error) from error
            else:
                if response.is_success:
                    return response
                if response.status_code in _SHUT:
                    raise self._shut_out(response)
                if response.status_code not in _PASSING or attempt == ATTEMPTS:
                    raise problem_of(response)
                pause = max(pause, _retry_after(response))
            time.sleep(min(pause, _WAIT_AT_MOST))
            pause *= 2
        raise AssertionError("the last attempt returns or raises")

    def _told(self, response: httpx.Response) -> Json:
        """The object that a success carries."""
        try:
            told = response.json()
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise Problem(
                f"What runs at {self.address} does not answer as the prediction service.",
                "Set `API_URL` to where the prediction service answers, and start again.",
            )
        return told

    def _shut_out(self, response: httpx.Response) -> Problem:
        """A refusal for want of a right: a person here holds no key, the web app does."""
        if response.status_code == HTTPStatus.FORBIDDEN:
            sentence = "The prediction service does not allow this web app what it asked for."
        elif "Authorization" in self._http.headers:
            sentence = (
                "The prediction service does not know, or no longer knows, this web app's key."
            )
        else:
            sentence = "The prediction service asks for a key, and this web app has none."
        return Problem(
            sentence,
            "Whoever runs the web app makes a key by `jobchurn keys create webapp --scope predict "
            "--scope read`, and starts it with that as `API_KEY`.",
            (problem_of(response).sentence,),
        )

    def _away(self, error: httpx.TransportError) -> Problem:
        if isinstance(error, httpx.TimeoutException):
            return Problem(
                f"The prediction service at {self.address} did not answer in time.",
                "It may be busy or starting. Try again in a moment.",
            )
        return Problem(
            f"The prediction service at {self.address} does not answer.",
            "Start it with `jobchurn up`, or set `API_URL` to where it answers; then try again.",
        )


def problem_of(response: httpx.Response) -> Problem:
    """An answer that is no success, in a person's words."""
    try:
        told = response.json()
    except ValueError:
        told = None
    told = told if isinstance(told, dict) else {}
    sentence = told.get("detail") or told.get("title") or _standard_sentence(response.status_code)
    cure = told.get("cure") or _standard_cure(response.status_code)
    details = tuple(
        _line_of(error) for error in told.get("errors") or () if isinstance(error, dict)
    )
    return Problem(str(sentence), str(cure), details)


def _standard_sentence(status: int) -> str:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "no standard answer"
    return f"The prediction service answered {status} ({phrase})."


def _standard_cure(status: int) -> str:
    if status in _PASSING:
        return "It is busy or not ready yet. Try again in a moment."
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "This is a fault of the service: see `jobchurn logs api`, then try again."
    return "Correct what was sent and try again."


def _line_of(error: Json) -> str:
    """One thing that is wrong with a request, and what was likely meant."""
    line = str(error.get("message") or error.get("field") or "")
    if record := error.get("record"):
        line = f"record {record}: {line}"
    nearest = error.get("nearest")
    return f"{line}; did you mean {nearest!r}?" if nearest and "did you mean" not in line else line


def _retry_after(response: httpx.Response) -> float:
    try:
        return float(response.headers["Retry-After"])
    except (KeyError, ValueError):
        return 0.0


def _range_of(start: date | None, end: date | None, source: str) -> dict[str, str]:
    asked = {"source": source}
    if start:
        asked["start"] = start.isoformat()
    if end:
        asked["end"] = end.isoformat()
    return asked
