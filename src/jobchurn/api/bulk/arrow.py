"""Records that came as an Arrow stream: columns in batches, as data frames hold them.

The library pyarrow is loaded when the first such body comes: it takes as much memory as the rest of
the API. What a stranger sends is held to bounds before it is believed: no compression, since a few
bytes could be a terabyte; types that a contract's values can have; and every offset checked.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from typing import Any

from jobchurn.api.bulk.columns import refuse_columns
from jobchurn.api.bulk.submission import Described, Submission
from jobchurn.api.bulk.vectors import Bounds, vector_of
from jobchurn.api.envelope import refuse_many
from jobchurn.api.faults import sentence
from jobchurn.api.records import Reader
from jobchurn.api.schema import asked
from jobchurn.columnar import Series, judged
from jobchurn.contract import Contract, shown
from jobchurn.errors import InvalidRequest, NotInstalled, TooLarge

MOST_BATCHES = 10_000
"""How many batches a stream may have, dictionaries among them."""

_FIRST_PLAIN = 4
"""``MetadataVersion.V5``, which writers have written since 2020."""

_CURE = "Send an Arrow IPC stream, as pyarrow.ipc.new_stream writes it, without compression."


def submitted(body: bytes, reader: Reader, contract: Contract, most_records: int) -> Submission:
    """The records of an Arrow stream, judged by columns.

    Raises:
        InvalidRequest: it cannot be read, or has other columns than the contract.
        TooLarge: there are more records than are taken at once.
        NotInstalled: the library pyarrow is absent.
    """
    arrow = _arrow()
    contract = replace(contract, columns=asked(contract))
    try:
        count, columns = _columns(arrow, body, contract, most_records)
    except (arrow.ArrowException, OSError, struct.error, UnicodeDecodeError) as error:
        said = " ".join(str(error).split())[:200]
        raise InvalidRequest(sentence(f"The Arrow stream cannot be read: {said}"), _CURE) from None

    def describe(place: int, brief: bool) -> Described:
        record = {name: series.at(place) for name, series in columns.items()}
        return reader.faults(record, brief=brief)

    return Submission(
        count=count,
        columns={name: judged(contract[name], series) for name, series in columns.items()},
        unfit=None,
        describe=describe,
    )


def _arrow() -> Any:
    try:
        arrow = import_module("pyarrow")
        import_module("pyarrow.ipc")
    except ImportError:
        raise NotInstalled(
            "Arrow bodies need the library pyarrow, which is not installed here.",
            "Send CSV or NDJSON, or install it beside the API: pip install 'jobchurn[arrow]'.",
        ) from None
    return arrow


def _columns(
    arrow: Any, body: bytes, contract: Contract, most_records: int
) -> tuple[int, dict[str, Series]]:
    """How many records the stream has, and its columns, every offset in it checked."""
    _refuse_compression(arrow, body)
    rows, bounds = 0, Bounds(len(body), most_records)
    with arrow.ipc.open_stream(body) as stream:
        schema = stream.schema
        _refuse_names(schema, contract)
        _refuse_types(arrow, schema)
        vectors = [vector_of(arrow, field.type, bounds) for field in schema]
        for batch in stream:
            rows += batch.num_rows
            refuse_many(rows, most_records)
            batch.validate()  # the content of each column is for the vectors to check
            for vector, array in zip(vectors, batch.columns, strict=True):
                vector.add(array)
    return rows, {name: vector.series() for name, vector in zip(schema.names, vectors, strict=True)}


def _refuse_names(schema: Any, contract: Contract) -> None:
    names: list[str] = schema.names
    twice = next((name for name, times in Counter(names).items() if times > 1), None)
    if twice is not None:
        raise InvalidRequest(f"The column {shown(twice)} stands twice.", "Send it once.")
    refuse_columns(names, contract)


def _refuse_types(arrow: Any, schema: Any) -> None:
    kinds = arrow.types
    taken = (
        kinds.is_null,
        kinds.is_boolean,
        kinds.is_integer,
        kinds.is_floating,
        kinds.is_string,
        kinds.is_large_string,
        kinds.is_string_view,
    )
    for field in schema:
        plain = field.type.value_type if kinds.is_dictionary(field.type) else field.type
        if not any(is_one(plain) for is_one in taken):
            raise InvalidRequest(
                f"The column {shown(field.name)} is of the type {shown(str(field.type))}.",
                "Send numbers and texts, plain or dictionary-encoded.",
            )


def _refuse_compression(arrow: Any, body: bytes) -> None:
    for number, message in enumerate(_messages(arrow, body)):
        if number > MOST_BATCHES:
            raise TooLarge(
                f"The Arrow stream has more than {MOST_BATCHES:,} batches.", "Send larger ones."
            )
        if message.type in ("record batch", "dictionary") and _is_compressed(
            message.metadata.to_pybytes(), message.type == "dictionary"
        ):
            raise InvalidRequest("The batches of the Arrow stream are compressed.", _CURE)


def _messages(arrow: Any, body: bytes) -> Iterator[Any]:
    reader = arrow.ipc.MessageReader.open_stream(body)
    while True:
        try:
            yield reader.read_next_message()
        except StopIteration:
            return


def _is_compressed(metadata: bytes, is_dictionary: bool) -> bool:
    """Whether a batch's buffers are compressed, or may be, by its metadata.

    Before its version 5 the format had no field for that, and readers look for a word of the
    message's own (``ARROW:experimental_compression``) still: those versions are not believed.

    The metadata is a flatbuffer of the tables Message (its third field is the batch), RecordBatch
    (its fourth field is the compression) and DictionaryBatch (its second field is a RecordBatch);
    see ``format/Message.fbs`` of Apache Arrow.
    """
    [root] = struct.unpack_from("<I", metadata)
    if _version(metadata, root) < _FIRST_PLAIN:
        return True
    batch = _member(metadata, root, 2)
    if batch and is_dictionary:
        batch = _member(metadata, batch, 1)
    return bool(batch and _member(metadata, batch, 3))


def _version(metadata: bytes, message: int) -> int:
    """The version of the format, the first field of a Message; the first one where it is absent."""
    place = _field(metadata, message, 0)
    return int(struct.unpack_from("<h", metadata, place)[0]) if place else 0


def _member(flatbuffer: bytes, table: int, field: int) -> int:
    """Where the table lies that a table's field refers to; 0 where the field is absent."""
    place = _field(flatbuffer, table, field)
    return int(place + struct.unpack_from("<I", flatbuffer, place)[0]) if place else 0


def _field(flatbuffer: bytes, table: int, field: int) -> int:
    """Where a field of a table lies; 0 where it is absent."""
    [back] = struct.unpack_from("<i", flatbuffer, table)
    vtable = table - back
    [size] = struct.unpack_from("<H", flatbuffer, vtable)
    if 4 + 2 * field >= size:
        return 0
    [offset] = struct.unpack_from("<H", flatbuffer, vtable + 4 + 2 * field)
    return int(table + offset) if offset else 0
