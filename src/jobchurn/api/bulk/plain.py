"""JSON bodies in which nothing is out of the ordinary: decoded into typed records, by msgspec.

That takes a fraction of the time and of the memory of dictionaries. Taken here are only bodies
whose records have the same fields and are all admitted. Whatever else comes is left to ``objects``,
which also finds the words for what it refuses; what is read here is read there in the same way.

Of two equal names in one object, msgspec takes the second silently. Each name stands before a
colon, and each record that is taken has every name: where there are more colons, one may stand
twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, Literal, Optional

import msgspec
import orjson
from pydantic import ValidationError

from jobchurn.api.body import count, refuse_json_values
from jobchurn.api.bulk.submission import Described, Submission
from jobchurn.api.envelope import PredictRequest, most_values_of
from jobchurn.api.schema import asked
from jobchurn.columnar import judged
from jobchurn.contract import Column, Contract, Kind

_SHAPES = 16
"""Of how many sets of fields the decoders are remembered."""

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError)


def request_of(
    body: bytes, contract: Contract, most_records: int
) -> tuple[PredictRequest, Submission] | None:
    """A request, without its records, and the records; ``None`` where they take a closer look.

    Args:
        body: in JSON.
        contract: judges the records.
        most_records: how many are taken at once.

    Raises:
        TooLarge: there are more values than are taken at once.
    """
    refuse_json_values(body, most_values_of(most_records))
    names = _fields(body, body.find(b"["), contract)
    if names is None:
        return None
    try:
        found = _decoders(names, _types(names, contract))[0].decode(body)
        wishes = {
            name: getattr(found, name)
            for name in _WISHES
            if getattr(found, name) is not msgspec.UNSET
        }
        said = PredictRequest.model_validate({"records": [], **wishes})
    except (*_UNREADABLE, ValidationError):
        return None
    colons = 1 + len(wishes) + len(wishes.get("lineage") or ())
    submission = _submission(body, found.records, names, colons, contract, most_records)
    return None if submission is None else (said, submission)


def lines_of(body: bytes, contract: Contract, most_records: int) -> Submission | None:
    """The records of a text with one JSON object a line; ``None`` as in :func:`request_of`.

    Raises:
        TooLarge: there are more values than are taken at once.
    """
    refuse_json_values(body, most_values_of(most_records), (b",", b"\n"))
    # Nothing is nested in a record that is taken, and no text has a line's end: a line that ends
    # in a bracket ends a record. Where there are as many of both, each record has its own line.
    ends = body.count(b"\n")
    if body.count(b"}\n") != ends:
        return None
    names = _fields(body, 0, contract)
    if names is None:
        return None
    try:
        records = _decoders(names, _types(names, contract))[1].decode_lines(body)
    except _UNREADABLE:
        return None
    last = body[body.rfind(b"\n") + 1 :]
    if len(records) != ends + bool(last.strip()):
        return None
    return _submission(body, records, names, 0, contract, most_records)


def _fields(body: bytes, start: int, contract: Contract) -> tuple[str, ...] | None:
    """The names of the first record's fields, in the contract's order; ``None`` for unusual ones.

    Args:
        body: the text.
        start: where the records begin, as it seems: a wrong guess only costs time.
        contract: names the fields.
    """
    begin = body.find(b"{", max(0, start))
    try:
        first = orjson.loads(body[begin : body.find(b"}", begin) + 1])
    except orjson.JSONDecodeError:
        return None
    columns = asked(contract)
    names = tuple(column.name for column in columns if column.name in first)
    is_whole = all(column.name in first for column in columns if column.required)
    return names if names and is_whole and len(names) == len(first) else None


_WISHES: dict[str, Any] = {
    "source": str | msgspec.UnsetType,
    "partial": bool | msgspec.UnsetType,
    "lineage": dict[str, str | int] | None | msgspec.UnsetType,
}
"""What stands beside the records → its type, of which ``PredictRequest`` is the judge."""


@lru_cache(_SHAPES)
def _decoders(
    names: tuple[str, ...], types: tuple[Any, ...]
) -> tuple[msgspec.json.Decoder[Any], msgspec.json.Decoder[Any]]:
    """What decodes a request, and a record, of which each has these fields and no others.

    A record holds nothing that could refer back to it: the collector of garbage need not know it.
    """
    places = [_place(number) for number in range(len(names))]
    record = msgspec.defstruct(
        "Record",
        list(zip(places, types, strict=True)),
        rename=dict(zip(places, names, strict=True)),
        forbid_unknown_fields=True,
        gc=False,
    )
    request = msgspec.defstruct(
        "Request",
        [
            ("records", list[record]),  # type: ignore[valid-type]
            *((name, kind, msgspec.UNSET) for name, kind in _WISHES.items()),
        ],
        forbid_unknown_fields=True,
    )
    return msgspec.json.Decoder(request), msgspec.json.Decoder(record)


def _place(number: int) -> str:
    """What a field is called here: what it is called in a body need be no name to Python."""
    return f"field_{number}"


def _types(names: Sequence[str], contract: Contract) -> tuple[Any, ...]:
    return tuple(_type_of(contract[name]) for name in names)


def _type_of(column: Column) -> Any:
    """The type of a column's values, null among them: whether it may be, ``judged`` says."""
    match column.kind:
        case Kind.INTEGER:
            kind: Any = int
        case Kind.NUMBER:
            kind = int | float
        case Kind.TEXT:
            kind = str
        case _:
            kind = Literal[tuple(column.accepted)]  # one text for all that are equal
    return Optional[kind]  # noqa: UP045 - a Literal that is made cannot be joined by "|"


def _submission(
    body: bytes,
    records: Sequence[Any],
    names: tuple[str, ...],
    colons: int,
    contract: Contract,
    most_records: int,
) -> Submission | None:
    """The records, judged by columns; ``None`` where one is refused or a name may stand twice.

    Args:
        body: the text.
        records: as they were decoded.
        names: of their fields.
        colons: how many stand beside the records.
        contract: judges them.
        most_records: how many are taken at once.
    """
    is_plain = count(body, (b":",)) == colons + len(records) * len(names)
    if not is_plain or len(records) > most_records:
        return None
    wanted = {column.name: column for column in asked(contract)}
    columns = {}
    for number, name in enumerate(names):
        found = judged(wanted[name], list(map(attrgetter(_place(number)), records)))
        if found.refused is not None:
            return None
        columns[name] = found
    return Submission(len(records), columns, unfit=None, describe=_describe)


def _describe(place: int, brief: bool) -> Described:  # noqa: ARG001
    raise AssertionError("no record is refused here")
