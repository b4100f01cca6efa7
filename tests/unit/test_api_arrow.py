"""Arrow streams: what of them is taken, and what strangers may send."""

import io
import random
import struct
from types import SimpleNamespace

import pyarrow as pa
import pytest

from arrow_columns import CITY, HOURS, INDEX, ORDER, RECORDS, read, table_with
from bulk_bodies import as_arrow, stream_of
from jobchurn.api.bulk import arrow, vectors
from jobchurn.api.faults import LISTED
from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import InvalidRequest, NotInstalled, TooLarge


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        (HOURS, list(range(30)), pa.int8()),
        (HOURS, list(range(30)), pa.uint64()),
        (HOURS, list(range(30)), pa.float64()),
        (HOURS, list(range(30)), pa.dictionary(pa.int8(), pa.int64())),
        (INDEX, [0, 1] * 15, pa.int32()),
        (INDEX, [0.5, 0.25] * 15, pa.float32()),
        (INDEX, [0.5, 0.25] * 15, pa.float16()),
        (ORDER, [5, None, 6] * 10, pa.int64()),
        (ORDER, ["5", None, ">20"] * 10, pa.string()),
        (ORDER, ["5", None, ">20"] * 10, pa.large_string()),
        (ORDER, ["5", None, ">20"] * 10, pa.string_view()),
        (ORDER, ["5", None, ">20"] * 10, pa.dictionary(pa.uint16(), pa.large_string())),
        (ORDER, [None] * 30, pa.null()),
    ],
)
def test_values_are_taken_in_whatever_type_holds_them(name, values, kind):
    reading = read(stream_of(table_with(name, pa.array(values, kind)), 7))
    assert not reading.refused
    column = JOB_CHANGE[name]
    assert [r[name] for r in reading.accepted] == [column.accept(value) for value in values]


@pytest.mark.parametrize(
    ("name", "value", "kind", "rule"),
    [
        (HOURS, True, pa.bool_(), "kind"),
        (HOURS, "36", pa.string(), "kind"),
        (HOURS, 2**64 - 1, pa.uint64(), "range"),
        (HOURS, 1.5, pa.float64(), "integral"),
        (INDEX, float("nan"), pa.float64(), "finite"),
        (INDEX, float("inf"), pa.float64(), "finite"),
        (INDEX, None, pa.float64(), "required"),
        (CITY, "a\x00", pa.string(), "characters"),
        (CITY, "", pa.string(), "required"),
        (ORDER, "21", pa.dictionary(pa.int8(), pa.string()), "domain"),
        (ORDER, 5.0, pa.float64(), "domain"),
    ],
)
def test_values_are_refused_as_those_of_json_are(name, value, kind, rule):
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    array = pa.array([value], plain)
    array = pa.chunked_array([array.dictionary_encode() if plain is not kind else array] * 30)
    reading = read(stream_of(table_with(name, array)))
    assert len(reading.refused) == 30
    assert {(e["field"], e["rule"]) for r in reading.refused for e in r["errors"]} == {(name, rule)}


def test_a_level_that_no_row_has_refuses_nothing():
    levels = pa.array(["5", "nonsense", "6"])
    array = pa.DictionaryArray.from_arrays(pa.array([0, 2, None] * 10), levels)
    reading = read(stream_of(table_with(ORDER, array)))
    assert not reading.refused
    assert "nonsense" not in reading.accepted.columns[ORDER].values


def test_dictionaries_may_differ_from_batch_to_batch():
    schema = pa.schema([(ORDER, pa.dictionary(pa.int32(), pa.string()))])
    rest = pa.ipc.open_stream(as_arrow(RECORDS[:2])).read_all().drop_columns([ORDER])
    sink = io.BytesIO()
    chunks = [pa.array([text, None]).dictionary_encode() for text in ("5", "6", ">20")]
    batches = [
        pa.Table.from_arrays([*rest.columns, chunk], schema=pa.schema([*rest.schema, *schema]))
        for chunk in chunks
    ]
    with pa.ipc.new_stream(sink, batches[0].schema) as writer:
        for batch in batches:
            writer.write_table(batch)
    found = [record[ORDER] for record in read(sink.getvalue()).accepted]
    assert found == ["5", None, "6", None, ">20", None]


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
def test_a_compressed_stream_is_refused_unopened(codec):
    table = pa.ipc.open_stream(as_arrow(RECORDS, coded=False)).read_all()
    for some in (table, pa.ipc.open_stream(as_arrow(RECORDS)).read_all()):
        with pytest.raises(InvalidRequest, match="compressed"):
            read(stream_of(some, compression=codec))


def test_a_stream_that_hides_its_compression_in_the_way_of_2020_is_refused_unopened():
    many = table_with(CITY, pa.array(["a" * 100_000] * 30)).combine_chunks().to_batches()[0]
    sink = io.BytesIO()
    old = pa.ipc.IpcWriteOptions(metadata_version=pa.ipc.MetadataVersion.V4, compression="zstd")
    with pa.ipc.new_stream(sink, many.schema, options=old) as writer:
        writer.write_batch(many, custom_metadata={"ARROW:experimental_compression": "zstd"})
    body = bytearray(sink.getvalue())
    *_, message = arrow._messages(pa, bytes(body))
    metadata = message.metadata.to_pybytes()
    batch = arrow._member(metadata, struct.unpack_from("<I", metadata)[0], 2)
    vtable = body.index(metadata) + batch - struct.unpack_from("<i", metadata, batch)[0]
    struct.pack_into("<H", body, vtable + 4 + 2 * 3, 0)  # it has no compression, it says
    assert len(body) < 100_000 < pa.ipc.open_stream(bytes(body)).read_all().nbytes
    with pytest.raises(InvalidRequest, match="compressed"):
        read(bytes(body))


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.string()), pa.binary(), pa.date32(), pa.decimal128(5), pa.struct([])]
)
def test_a_type_that_no_value_has_is_refused(kind):
    with pytest.raises(InvalidRequest, match="is of the type") as caught:
        read(stream_of(table_with(CITY, pa.nulls(30, kind))))
    assert caught.value.cure


def test_a_column_that_stands_twice_is_refused():
    table = pa.Table.from_arrays([pa.array(["x"])] * 2, names=[CITY, CITY])
    with pytest.raises(InvalidRequest, match="stands twice"):
        read(stream_of(table))


def test_rows_without_bytes_are_counted_before_they_are_made():
    column = pa.Array.from_buffers(pa.null(), 2**31 - 1, [None])
    table = pa.table(dict.fromkeys(JOB_CHANGE.by_name, column))
    with pytest.raises(TooLarge):
        read(stream_of(table))


def test_views_that_all_show_one_long_text_are_refused():
    text = pa.py_buffer(b"x" * 50_000)
    view = (50_000).to_bytes(4, "little") + b"xxxx" + bytes(8)
    array = pa.Array.from_buffers(pa.string_view(), 30, [None, pa.py_buffer(view * 30), text])
    with pytest.raises(TooLarge, match="more than the whole stream"):
        read(stream_of(table_with(CITY, array)))


def test_very_many_batches_are_refused(monkeypatch):
    monkeypatch.setattr(arrow, "MOST_BATCHES", 20)
    with pytest.raises(TooLarge, match="batches"):
        read(as_arrow(RECORDS, rows=1))


def test_without_the_library_it_is_said_what_to_do(monkeypatch):
    monkeypatch.setattr(arrow, "import_module", lambda name: __import__(f"no_{name}"))
    with pytest.raises(NotInstalled) as caught:
        read(b"")
    assert "NDJSON" in caught.value.cure


@pytest.mark.parametrize("body", [b"", b"x", b"\xff" * 8, bytes(64), b"ARROW1\0\0" + bytes(64)])
def test_what_is_no_stream_is_refused(body):
    with pytest.raises(InvalidRequest, match="Arrow stream"):
        read(body)


@pytest.mark.parametrize("coded", [True, False])
def test_a_stream_that_breaks_off_anywhere_is_refused_or_shorter(coded):
    body = as_arrow(RECORDS, rows=10, coded=coded)
    whole = list(read(body).accepted)
    for length in range(0, len(body), 16):
        try:
            reading = read(body[:length])
        except InvalidRequest:
            continue
        # The end of a stream need not be marked: whole batches are a stream too.
        assert list(reading.accepted) == whole[: len(reading.accepted)]


def hurt(body, chance):
    """A body with some of its bytes changed, most of them in what describes the rest."""
    found = bytearray(body)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(found))
        found[place] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)])
    return bytes(found)


@pytest.mark.parametrize("coded", [True, False])
def test_hurt_streams_are_read_or_refused_and_nothing_else(coded):
    chance = random.Random(7)
    body = as_arrow(RECORDS[:8], rows=4, coded=coded)
    outcomes = set()
    for _ in range(1_000):
        try:
            reading = read(hurt(body, chance))
        except InvalidRequest as error:
            outcomes.add(type(error))
        else:
            outcomes.add("read")
            for record in reading.accepted:
                assert all(
                    JOB_CHANGE[name].admits(value) or value is None
                    for name, value in record.items()
                )
    assert {"read", InvalidRequest} <= outcomes


class Watched:
    """A column that tells of how many rows at once the library is to find the distinct values."""

    def __init__(self, array, seen):
        self._array, self._seen = array, seen

    def __len__(self):
        return len(self._array)

    def combine_chunks(self):
        return Watched(self._array.combine_chunks(), self._seen)

    def slice(self, start, rows):
        return Watched(self._array.slice(start, rows), self._seen)

    def dictionary_encode(self):
        self._seen.append(len(self._array))
        return self._array.dictionary_encode()


class Watching:
    """The library, whose columns are watched."""

    def __init__(self, seen):
        self._seen = seen

    def __getattr__(self, name):
        return getattr(pa, name)

    def chunked_array(self, arrays, kind):
        return Watched(pa.chunked_array(arrays, kind), self._seen)


def test_texts_that_may_share_a_hash_are_numbered_few_at_a_time():
    seen = []
    column = vectors.vector_of(Watching(seen), pa.string(), vectors.Bounds(10**6, 10**5))
    texts = [None if number % 7 == 0 else f"city_{number % 3_000}" for number in range(5_000)]
    column.add(pa.array(texts))
    found = column.series()
    assert found.to_list() == texts
    assert len(set(found.values)) == len(found.values)
    assert max(seen) <= 1_024
    assert sum(seen) == 5_000


def test_many_fractions_with_blanks_among_them_stay_what_they_are():
    values = [None if number % 9 == 0 else number % 2_000 / 7 for number in range(5_000)]
    column = vectors.vector_of(pa, pa.float64(), vectors.Bounds(10**6, 10**5))
    column.add(pa.array([*values, -0.0]))
    assert str(column.series().to_list()) == str([*values, -0.0])


class Name(str):
    """A column's name that counts how often it is compared."""

    __slots__ = ()
    comparisons = 0
    __hash__ = str.__hash__

    def __eq__(self, other):
        Name.comparisons += 1
        return str.__eq__(self, other)


def test_a_name_that_stands_twice_is_found_without_comparing_all_with_all():
    names = [Name(f"x{number}") for number in range(3_000)]
    schema = SimpleNamespace(names=[*names, Name("x2999")])
    with pytest.raises(InvalidRequest, match="x2999"):
        arrow._refuse_names(schema, JOB_CHANGE)
    assert Name.comparisons < 10_000


def test_of_very_many_unknown_columns_only_the_listed_ones_are_described(monkeypatch):
    looked = []
    monkeypatch.setattr(
        "jobchurn.contract.difflib.get_close_matches", lambda *_, **__: looked.append(1) or []
    )
    schema = pa.schema([(f"x{number}", pa.null()) for number in range(2_000)])
    with pytest.raises(InvalidRequest) as caught:
        read(stream_of(schema.empty_table()))
    assert len(looked) == LISTED
    absent = [column for column in JOB_CHANGE.required if column in JOB_CHANGE.inputs]
    assert caught.value.details["errors_not_listed"] == 2_000 + len(absent) - LISTED
