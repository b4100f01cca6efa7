"""Dictionaries of Arrow streams: how long they may be, and what of them is judged."""

import io
import random
import struct

import numpy as np
import pyarrow as pa
import pytest

from arrow_columns import CITY, HOURS, INDEX, MOST, ORDER, READER, RECORDS, read, table_with
from bulk_bodies import as_arrow, stream_of
from jobchurn.api.bulk import arrow, vectors
from jobchurn.columnar import Coded
from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import InvalidRequest, TooLarge


def views_of(count, text):
    """So many views of one long text."""
    views = np.zeros((count, 4), "<i4")
    views[:, 0] = len(text)
    views[:, 1] = struct.unpack("<i", text[:4])
    buffers = [None, pa.py_buffer(views.tobytes()), pa.py_buffer(text)]
    return pa.Array.from_buffers(pa.string_view(), count, buffers)


@pytest.mark.parametrize("batches", [1, 8])
def test_a_dictionary_whose_texts_share_their_bytes_is_refused_before_they_are_made(batches):
    count = 1_600 // batches
    column = [
        pa.DictionaryArray.from_arrays(
            pa.array([0] * 3, pa.int32()), views_of(count, b"%04d" % number + bytes(4_000))
        )
        for number in range(batches)
    ]
    schema = table_with(CITY, pa.chunked_array(column[:1] * 10)).schema
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, schema) as writer:
        for one in column:
            some = table_with(CITY, pa.concat_arrays([one] * 10)).combine_chunks()
            writer.write_batch(some.to_batches()[0])
    assert len(sink.getvalue()) < 500_000
    with pytest.raises(TooLarge, match="more than the whole stream"):
        read(sink.getvalue())


def test_a_dictionary_of_views_that_all_batches_share_is_taken():
    coded = pa.DictionaryArray.from_arrays(
        pa.array([0] * 30, pa.int32()), pa.array(["a city of a long name"], pa.string_view())
    )
    batch = table_with(CITY, coded).combine_chunks().to_batches()[0]
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        for _ in range(20):
            writer.write_batch(batch)
    assert len(read(sink.getvalue()).accepted) == 600


def stream_with(name, arrays, **options):
    """A batch for each of these parts of a column, the other columns being good."""
    whole = pa.ipc.open_stream(as_arrow(RECORDS[:1])).read_all().drop_columns([name])
    others = [column.combine_chunks() for column in whole.columns]
    schema = pa.schema([*whole.schema, (name, arrays[0].type)])
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for array in arrays:
            rows = [column.take(pa.array([0] * len(array), pa.int32())) for column in others]
            writer.write_batch(pa.RecordBatch.from_arrays([*rows, array], schema=schema))
    return sink.getvalue()


def in_dictionary(values, places, kind=None, index=None):
    return pa.DictionaryArray.from_arrays(
        pa.array(places, index or pa.int32()),
        values if isinstance(values, pa.Array) else pa.array(values, kind),
    )


@pytest.mark.parametrize(
    "values", [pa.nulls(50_000_000), pa.array(np.zeros(1_000_000, bool))], ids=["nulls", "bools"]
)
def test_a_dictionary_far_longer_than_the_stream_is_refused_unlooked_at(values, monkeypatch):
    monkeypatch.setattr(vectors._Checked, "check", lambda *_: pytest.fail("it was looked at"))
    vector = vectors.vector_of(pa, pa.dictionary(pa.int32(), values.type), vectors.Bounds(500, 100))
    with pytest.raises(TooLarge, match=f"{len(values):,} values") as caught:
        vector.add(in_dictionary(values, [0]))
    assert "plain columns" in caught.value.cure
    monkeypatch.undo()
    body = stream_with(ORDER, [in_dictionary(values, [0])])
    with pytest.raises(TooLarge, match=f"{len(values):,} values"):
        read(body)


def test_dictionaries_that_are_long_together_are_refused():
    arrays = [in_dictionary(pa.nulls(length), [0]) for length in range(2_001, 2_021)]
    assert len(read(stream_with(ORDER, arrays[:2])).accepted) == 2
    with pytest.raises(TooLarge, match="dictionaries of the Arrow stream"):
        read(stream_with(ORDER, arrays))


def test_a_dictionary_that_grows_by_little_may_not_be_copied_without_end(monkeypatch):
    levels = ["x" * 50_000, *map(str, range(20))]
    arrays = [in_dictionary(levels[: n + 2], [n + 1]) for n in range(20)]
    body = stream_with(CITY, arrays, emit_dictionary_deltas=True)
    assert len(body) < 100_000
    assert [record[CITY] for record in read(body).accepted] == levels[1:]
    monkeypatch.setattr(vectors, "_COPIES", 100_000)
    with pytest.raises(TooLarge, match="dictionaries of the Arrow stream"):
        read(body)


def test_of_a_dictionary_only_values_that_a_row_has_are_judged(monkeypatch):
    judged = []

    def spy(column, series):
        judged.extend(series.values if column.name == CITY else [])
        return arrow_judged(column, series)

    arrow_judged = arrow.judged
    monkeypatch.setattr(arrow, "judged", spy)
    cities = [f"city_{number}" for number in range(900)]
    read(stream_with(CITY, [in_dictionary(cities, [7, 7, 3])] * 20))
    assert sorted(filter(None, judged)) == ["city_3", "city_7"]


def test_a_dictionary_that_all_batches_share_is_looked_at_once(monkeypatch):
    looked = []
    check = vectors._Checked.check
    monkeypatch.setattr(
        vectors._Checked,
        "check",
        lambda self, array: (looked.append(len(array)), check(self, array)),
    )
    cities = [f"city_{number}" for number in range(900)]
    reading = read(stream_with(CITY, [in_dictionary(cities, [n]) for n in range(20)]))
    assert [record[CITY] for record in reading.accepted] == cities[:20]
    assert looked.count(900) == 1


def test_a_refused_row_is_described_without_a_look_at_the_others(monkeypatch):
    values = [f"nonsense {number}" for number in range(50)]
    body = stream_with(ORDER, [pa.array(values)])
    monkeypatch.setattr(Coded, "through", lambda *_: pytest.fail("all values were copied"))
    submission = arrow.submitted(body, READER, JOB_CHANGE, MOST)
    for place, value in enumerate(values):
        [[fault], _] = submission.describe(place, False)
        assert fault["value"] == value


@pytest.mark.parametrize(
    ("index", "count"), [(pa.int8(), 128), (pa.uint8(), 256), (pa.uint64(), 3), (pa.int64(), 3)]
)
def test_a_dictionary_may_be_as_long_as_its_places_reach(index, count):
    cities = [f"city_{number}" for number in range(count)]
    array = in_dictionary(cities, range(count), index=index)
    reading = read(stream_with(CITY, [array]))
    assert [record[CITY] for record in reading.accepted] == cities


def test_dictionaries_may_be_longer_together_than_their_places_reach():
    cities = [f"city_{number}" for number in range(300)]
    arrays = [
        in_dictionary(cities[start : start + 100], range(100), index=pa.int8())
        for start in (0, 50, 150, 200)
    ]
    reading = read(stream_with(CITY, arrays))
    found = [record[CITY] for record in reading.accepted]
    assert found == [*cities[:100], *cities[50:150], *cities[150:250], *cities[200:]]
    assert len(reading.accepted.columns[CITY].values) == 300


@pytest.mark.parametrize("place", [3, -1])
def test_a_place_beyond_the_dictionary_is_refused(place):
    array = pa.DictionaryArray.from_arrays(
        pa.array([0, place], pa.int8()), pa.array(["a", "b", "c"]), safe=False
    )
    with pytest.raises(InvalidRequest, match="cannot be read"):
        read(stream_with(CITY, [array]))


def test_a_blank_among_views_cannot_hide_the_length_of_others():
    text = pa.py_buffer(b"x" * 50_000)
    view = (50_000).to_bytes(4, "little") + b"xxxx" + bytes(8)
    hidden = (-(2**31)).to_bytes(4, "little", signed=True) + bytes(12)
    buffers = [pa.py_buffer(b"\xfe\xff\xff\xff"), pa.py_buffer(hidden + view * 29), text]
    array = pa.Array.from_buffers(pa.string_view(), 30, buffers)
    with pytest.raises(TooLarge, match="more than the whole stream"):
        read(stream_of(table_with(CITY, array)))


STRANGE = {
    CITY: (["a", "b", "", "a\x00", None, "ä" * 20], [pa.string(), pa.string_view()]),
    ORDER: (["5", "6", None, "21"], [pa.large_string(), pa.string_view()]),
    HOURS: ([1, 36, -3, None], [pa.int8(), pa.int64(), pa.float16()]),
    INDEX: ([0.5, 0.0, -0.0, 1.0, 7.5, float("nan"), None], [pa.float64(), pa.float32()]),
}


@pytest.mark.parametrize("name", STRANGE)
@pytest.mark.parametrize("deltas", [True, False])
def test_whatever_the_dictionaries_are_the_answer_is_that_of_a_plain_column(name, deltas):
    chance = random.Random(f"{name} {deltas}")
    pool, kinds = STRANGE[name]
    for _ in range(40):
        kind, values, arrays = chance.choice(kinds), [], []
        for _ in range(chance.randint(1, 5)):
            keep = values if chance.random() < 0.5 else []
            values = [*keep, *chance.choices(pool, k=chance.randint(0, 4))]
            reach = [None, *range(len(values))]
            places = chance.choices(reach, k=chance.randint(0, 9))
            arrays.append(in_dictionary(values, places, kind, pa.uint16()))
            if chance.random() < 0.3:
                arrays[-1] = arrays[-1][len(places) // 2 :]
        plain = [pa.array(array.to_pylist(), kind) for array in arrays]
        found = read(stream_with(name, arrays, emit_dictionary_deltas=deltas))
        expected = read(stream_with(name, plain))
        assert repr(list(found.accepted)) == repr(list(expected.accepted))
        assert repr(found.refused) == repr(expected.refused)
