"""Records that came as JSON objects: in a list, or one a line (NDJSON)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from jobchurn.api.body import count, parse, refuse_json_values
from jobchurn.api.bulk.submission import Described, Submission
from jobchurn.api.envelope import most_values_of, refuse_many
from jobchurn.api.faults import Fault
from jobchurn.api.records import Reader
from jobchurn.api.schema import asked
from jobchurn.columnar import judged
from jobchurn.contract import Contract, shown
from jobchurn.errors import InvalidRequest


class _NotJson:
    """Stands in for a line that is not JSON."""

    def __init__(self, line: bytes, why: str) -> None:
        self.line, self.why = line, why


def submitted(records: Sequence[Any], reader: Reader, contract: Contract) -> Submission:
    """Records as JSON has them, judged by columns."""
    columns = {column.name: column for column in asked(contract)}
    shapes = set(map(tuple, records)) if set(map(type, records)) == {dict} else None
    shape: tuple[str, ...] = shapes.pop() if shapes is not None and len(shapes) == 1 else ()
    present = set(shape) & columns.keys()
    if shape and len(present) == len(shape):
        flat = list(chain.from_iterable(map(dict.values, records)))
        values = {name: flat[place :: len(shape)] for place, name in enumerate(shape)}
        unfit = None
    else:
        plain = [record if isinstance(record, dict) else {} for record in records]
        values = {name: [record.get(name) for record in plain] for name in columns}
        unfit = _unfit(records, columns.keys())
        present = set(columns)

    def describe(place: int, brief: bool) -> Described:
        record = records[place]
        if isinstance(record, _NotJson):
            return [_no_json(record)], 0
        return reader.faults(record, brief=brief)

    return Submission(
        count=len(records),
        columns={name: judged(columns[name], values[name]) for name in columns if name in present},
        unfit=unfit,
        describe=describe,
    )


def _unfit(records: Sequence[Any], known: Any) -> NDArray[np.bool_]:
    """Which records are no objects, or have a field that no contract knows."""
    return np.fromiter(
        (not isinstance(record, dict) or not record.keys() <= known for record in records),
        bool,
        len(records),
    )


def lines_of(body: bytes, most_records: int) -> list[Any]:
    """The values of a text with one JSON value a line; what is no JSON has a stand-in.

    Lines of blanks alone are no records.

    Raises:
        TooLarge: there are more records, or more values, than are taken at once.
    """
    refuse_json_values(body, most_values_of(most_records), (b",", b"\n"))
    lines = [line for line in body.split(b"\n") if line and not line.isspace()]
    refuse_many(len(lines), most_records)
    try:
        records = list(map(orjson.loads, lines))
    except orjson.JSONDecodeError:
        return [_read(line) for line in lines]
    if not _are_flat(records) or count(body, (b":",)) > sum(map(len, records)):
        return [_read(line) for line in lines]
    return records


def _are_flat(records: Sequence[Any]) -> bool:
    """Whether all are objects in which nothing is nested."""
    if set(map(type, records)) != {dict}:
        return False
    return {dict, list}.isdisjoint(map(type, chain.from_iterable(map(dict.values, records))))


def _read(line: bytes) -> Any:
    try:
        return parse(line)
    except InvalidRequest as error:
        return _NotJson(line, error.message)


_SEEN = 60
"""How many bytes of a line that is no JSON are shown: to escape them takes a microsecond each."""


def _no_json(found: _NotJson) -> Fault:
    more = "…" if len(found.line) > _SEEN else ""
    text = shown(found.line[:_SEEN].decode(errors="backslashreplace") + more)
    return {
        "field": None,
        "value": text,
        "rule": "json",
        "allowed": "a JSON object on a line of its own",
        "nearest": None,
        "message": f"the line cannot be read: {found.why.removesuffix('.')}",
    }
