"""The API as the scheduled job calls it: one request per chunk of a file, safe to repeat."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import httpx

from jobchurn.columnar import Objects, Records
from jobchurn.contract import Value
from jobchurn.errors import Forbidden, InvalidRecords, ServiceUnreachable, TooLarge
from jobchurn.settings import Settings

ATTEMPTS = 5
"""How often a request is sent before it counts as failed."""

LONGEST_WAIT = 60.0
"""Seconds that the API may ask for between two attempts: its rates are counted by the minute."""

_LISTED = 5
"""How many faults of a refused request are told."""

_PASSING = {429, 502, 503, 504}
_SHUT = {401, 403}


class ApiPredictor:
    """Predicts through ``POST /predict``; a ``flow.score.Predictor``.

    Args:
        address: the API's base address.
        api_key: what lets this process in, where the API asks for a key.
        timeout: seconds that one answer may take.
        pause: seconds before the first repetition; each further pause is twice the one before.
    """

    def __init__(
        self,
        address: str,
        *,
        api_key: str | None = None,
        timeout: float = 120,
        pause: float = 0.5,
    ) -> None:
        self._client = httpx.Client(
            base_url=address,
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=timeout,
            follow_redirects=False,
        )
        self._address = address
        self._pause = pause

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The API where the settings say that it answers, with the key that they hold."""
        key = settings.api_key
        return cls(settings.api_address, api_key=key.get_secret_value() if key else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def __call__(
        self,
        records: Sequence[Mapping[str, Value]],
        *,
        key: str,
        run_id: str,
        file: str,
        first_row: int,
    ) -> None:
        """Predict ``records`` under an idempotency key; return once they are committed.

        Raises:
            ServiceUnreachable: the API gave no answer, however often it was asked.
            Forbidden: the API asks for another key than this process has.
            TooLarge: it takes no request of that many bytes, or records.
            InvalidRecords: the API refuses the request; the message says what it found, where.
        """
        lineage = {"run": run_id, "file": file, "first_row": first_row}
        body = _body(records, {"source": "scheduled", "lineage": lineage})
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        trouble = ""
        wait = 0.0
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(max(wait, self._pause * 2 ** (attempt - 1)))
            try:
                answer = self._client.post("/predict", content=body, headers=headers)
            except httpx.TransportError as error:
                trouble = str(error) or type(error).__name__
                continue
            if answer.status_code == httpx.codes.OK:
                return
            trouble = f"{answer.status_code}: {_detail(answer)}"
            wait = _wait_of(answer)
            if answer.status_code in _SHUT:
                raise Forbidden(
                    f"The API at {self._address} does not let this process in: {trouble}",
                    "Set API_KEY to a key with the scope scheduled: jobchurn keys create.",
                )
            if answer.status_code == TooLarge.status:
                raise TooLarge(
                    f"The request is too large for the API at {self._address}: {trouble}",
                    "Allow larger bodies there (MAX_BODY_BYTES), and on the way to it.",
                )
            if answer.status_code not in _PASSING:
                raise InvalidRecords(f"The API refused {file}: {trouble}")
        raise ServiceUnreachable(
            f"The API at {self._address} did not predict {file}: {trouble}.",
            "See `jobchurn status` and `jobchurn logs api`.",
        )


def _body(records: Sequence[Mapping[str, Value]], wishes: Mapping[str, object]) -> bytes:
    """A request in JSON; records that are kept by columns are written so."""
    if not isinstance(records, Records):
        return json.dumps({"records": list(records), **wishes}).encode()
    objects = Objects(records.columns, lambda value: json.dumps(value).encode(), comma=b", ")
    written = objects.of(slice(0, len(records)))
    return b'{"records":[%b],%b' % (written, json.dumps(wishes).encode()[1:])


def _wait_of(answer: httpx.Response) -> float:
    """For how many seconds the API asks not to be asked; 0 where it does not say."""
    said = answer.headers.get("Retry-After", "")
    return min(float(said), LONGEST_WAIT) if said.isascii() and said.isdecimal() else 0.0


def _detail(answer: httpx.Response) -> str:
    """What a problem document says, or the beginning of any other body.

    Of records it names those that are refused, their fields and the rules, and no value: it is
    people's data, and this is written into logs.
    """
    try:
        problem = answer.json()
        if faults := problem.get("errors"):
            return f"{problem['title']}: {'; '.join(map(_fault, faults[:_LISTED]))}"
        return str(problem["detail"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return answer.text[:200]


def _fault(fault: Mapping[str, object]) -> str:
    place = f"record {fault['record']}, " if fault.get("record") else ""
    return f"{place}{fault['field']}: {fault['rule']}"
