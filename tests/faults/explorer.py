"""Explores an API by its OpenAPI document, with Schemathesis, and holds every answer to it.

Sound requests and unsound ones are made from the document: its examples, each bound of each field,
random ones, and chains along its links. All of Schemathesis' checks judge the answers that apply.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import schemathesis
from schemathesis.core.parameters import ParameterLocation
from schemathesis.engine import events, from_schema
from schemathesis.hooks import unregister

UNSAID = (
    "The cursor cannot be read.",
    "The first day, ",
    "A file holds everything that is wanted at once",
    "The time range is ",
    "from is ",
    "to is ",
    "var-",
    "Of var-",
    "The dashboard ",
    "This cannot be opened by a link",
    "A JSON body has fields for what stands in the query.",
)
"""How refusals begin that no document can announce, since they weigh one part against another, or
against what is in the database: a cursor that was never given out, an end before its beginning, a
day that the calendar lacks, a value that is not on offer."""


PHASES = ("examples", "coverage", "fuzzing", "stateful")
"""Kinds of requests: the document's examples, each bound of each field, random ones, chains."""

OF_ONE_TEXT = ("text/csv", "application/x-ndjson", "application/vnd.apache.arrow.stream")
"""Bodies that are a text, or bytes, for the document."""


@dataclass
class Findings:
    """What an exploration found.

    Attributes:
        answers: method, path (as the document has it) and status → how often.
        checks: the check's name → how many answers passed it.
        wrong: what was wrong → the requests that showed it.
    """

    answers: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    wrong: dict[str, list[str]] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        return self.answers.total()

    @property
    def statuses(self) -> dict[int, int]:
        counted: Counter[int] = Counter()
        for (_, _, status), count in self.answers.items():
            counted[status] += count
        return dict(sorted(counted.items()))

    @property
    def accepted(self) -> float:
        """The share of answers that are 2xx."""
        return sum(n for status, n in self.statuses.items() if status < 300) / self.requests

    @property
    def reached(self) -> set[tuple[str, str]]:
        """The methods and paths that some request was answered 2xx by."""
        return {(method, path) for method, path, status in self.answers if status < 300}


def explore(
    address: str,
    *,
    headers: Mapping[str, str] | None = None,
    reading: Mapping[str, str] | None = None,
    but: Iterable[tuple[str, str]] = (),
    examples: int,
    seed: int = 0,
    phases: Iterable[str] = PHASES,
) -> Findings:
    """Explore the API at an address.

    Args:
        address: of a running API.
        headers: sent with every request, an API key among them. (Some requests are sent again
            without the key, and with a wrong one: they must be refused.)
        reading: with which the document is read; by default with those headers too.
        but: methods and paths that are left out.
        examples: how many random requests are made to each endpoint, and how many chains.
        seed: the same seed, API and database give the same requests.
        phases: which kinds of requests are made.
    """
    config = schemathesis.Config.from_dict(
        {
            "seed": seed,
            "headers": dict(headers or {}),
            "continue-on-failure": True,
            "generation": {"max-examples": examples, "database": "none"},
            "cache": {"enabled": False},
            "phases": {phase: {"enabled": phase in phases} for phase in PHASES},
        }
    )
    schema = schemathesis.openapi.from_url(
        f"{address}/openapi.json", config=config, headers=dict(reading or headers or {})
    )
    for method, path in but:
        schema = schema.exclude(method=method, path=path)
    schema.hook(filter_failure)
    findings = Findings()
    with _keys_of_their_own():
        for event in from_schema(schema).execute():
            _take_in(findings, event)
    return findings


def _take_in(findings: Findings, event) -> None:
    if isinstance(event, events.NonFatalError):
        findings.wrong.setdefault(f"{event.label}: {event.info.title}", []).append(
            event.info.message
        )
    elif isinstance(event, events.FatalError):
        raise event.exception
    elif isinstance(event, events.ScenarioFinished):
        for number, interaction in event.recorder.interactions.items():
            case = event.recorder.cases[number].value
            _take_in_answer(findings, f"{case.method} {case.operation.path}", interaction)
        for nodes in event.recorder.checks.values():
            for node in nodes:
                if node.failure_info is None:
                    findings.checks[node.name] += 1
                    continue
                failure = node.failure_info.failure
                shown = f"{failure.message[:500]}\n{node.failure_info.code_sample[:1_000]}"
                what = f"{failure.operation}: {node.name}: {failure.title}"
                findings.wrong.setdefault(what, []).append(shown)


def _take_in_answer(findings: Findings, asked: str, interaction) -> None:
    if interaction.response is None:
        findings.wrong.setdefault(f"{asked}: no answer", []).append(interaction.request.uri)
        return
    status = interaction.response.status_code
    findings.answers[(*asked.split(" ", 1), status)] += 1
    if status >= 500:
        what = f"{asked}: answered {status}"
        findings.wrong.setdefault(what, []).append(interaction.request.uri[:1_000])


def filter_failure(context, failure, case, response) -> bool:
    """Whether a failure is one; the name is the hook's."""
    kind = type(failure).__name__
    if kind == "RejectedPositiveData" and response.status_code == 429:
        return False  # who came without a key too often is to wait, however good the data are
    of_access = kind in ("IgnoredAuth", "MissingHeaderNotRejected")
    if of_access and re.search("[Gg]ot `?429", failure.message):
        return False  # likewise, and refused all the same
    if kind == "RejectedPositiveData" and case.media_type in OF_ONE_TEXT:
        return False  # the document cannot say of a text that it must be a table
    if kind == "RejectedPositiveData" and response.status_code == 422:
        return not response.json()["detail"].startswith(UNSAID)
    if kind == "AcceptedNegativeData" and response.status_code == 200:
        # A partial request is answered with what it refuses.
        return not (_is_partial(case.body) and response.json().get("refused"))
    if kind == "MissingHeaderNotRejected":
        return failure.header_name not in response.request.headers  # ours go with every request
    return True


def _has_sound_query(case) -> bool:
    found = case.meta and case.meta.components.get(ParameterLocation.QUERY)
    return bool(case.query) and case.method == "POST" and (not found or found.mode.is_positive)


def _is_partial(body: object) -> bool:
    return isinstance(body, dict) and body.get("partial") is True


@contextmanager
def _keys_of_their_own() -> Iterator[None]:
    """Each body goes under an idempotency key of its own, as a client would have it.

    Under one key for all, as the document's bounds alone would have it, nearly every request to
    predict would be refused as the conflict that it is.
    """

    def before_call(context, case, kwargs) -> None:
        if case.media_type == "application/json" and _has_sound_query(case):
            case.query = {}  # the parameters of other bodies, which those in JSON have as fields
        key = (case.headers or {}).get("Idempotency-Key")
        if isinstance(key, str) and 0 < len(key) <= 255:
            body = hashlib.sha256(json.dumps(case.body, default=repr).encode()).hexdigest()
            case.headers["Idempotency-Key"] = f"{key[:200]}{body[:32]}"

    schemathesis.hook(before_call)
    try:
        yield
    finally:
        unregister(before_call)
