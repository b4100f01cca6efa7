"""A file in sheets is what it is in one, whatever the pieces in which it is read."""

import hashlib

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobchurn import files
from jobchurn.coded import NO_CELL, NUMBER
from jobchurn.files.scan import MAX_RECORD_BYTES
from letters import LETTERS, TABLES

PIECES = st.sampled_from([1, 2, 3, 7, 40, 1_000])
SHORT = TABLES.map(lambda data: data.replace(b"x" * 70_000, b"x" * 70))
HEAD = b"a,b,c\n"


def sheets_of(path, piece, sample=16):
    """The sheets of a file, read in small pieces; and the reading, once it is over."""
    few = {"_SAMPLE": sample}
    whole = files.Reading.__iter__.__globals__
    before = {name: whole[name] for name in few}
    whole.update(few)
    try:
        with files.reading(path, LETTERS, piece) as reading:
            return list(reading), reading, reading.sha256
    finally:
        whole.update(before)


@settings(max_examples=100, deadline=None)
@given(data=SHORT, piece=PIECES)
@example(data=b'a,b\n1,"x\n""\n1,"', piece=1)
@example(data=b'a,b,c\n"1\n,2\n3"x\n\n\n4,5,6\r\n\r\n', piece=2)
@example(data=b'a,b,c\n""""""\n\x00"""', piece=1)
def test_sheets_are_what_one_sheet_of_the_file_would_be(data, piece, tmp_path_factory):
    path = tmp_path_factory.mktemp("read") / "a.csv"
    path.write_bytes(data)
    whole = files.cut_bytes(data, LETTERS)
    found, reading, digest = sheets_of(path, piece)
    assert digest == hashlib.sha256(data).hexdigest()
    assert (reading.rows, reading.size) == (whole.rows, len(data))
    if whole.refusal is not None:
        assert found[0].refusal.rule == whole.refusal.rule
        return
    starts = [sheet.offset + start for sheet in found for start in sheet.starts[:-1].tolist()]
    assert starts == whole.starts[:-1].tolist()
    assert {row: why for sheet in found for row, why in sheet.faults.items()} == whole.faults
    for name, texts in whole.columns.items():
        assert [text for sheet in found for text in sheet.columns[name]] == texts
    assert all((sheet.header, sheet.missing) == (whole.header, whole.missing) for sheet in found)
    assert reading.noticed.notes(repeats=0) == whole.noticed.notes(repeats=0)


@settings(max_examples=100, deadline=None)
@given(data=SHORT, piece=PIECES)
@example(data=HEAD + b"x,y,1\nx,y,01\nx,y,1.0\nx,y,\n" * 3, piece=40)
@example(data=HEAD + b'"x",yyyyyyyyy,0\nxyz,yyyyyyyy,1\nx,yyyyyyyyy,0\n' * 9, piece=40)
def test_codes_stand_for_the_texts_of_the_cells(data, piece, tmp_path_factory):
    path = tmp_path_factory.mktemp("read") / "a.csv"
    path.write_bytes(data)
    found, _, _ = sheets_of(path, piece)
    coder = files.Coder(LETTERS)
    keys, contents = [], []
    for sheet in found:
        if sheet.refusal is not None:
            return
        cells, numbers = coder.coded(sheet)
        keys += numbers.tolist()
        rows = range(sheet.first_row, sheet.first_row + sheet.rows)
        contents += [sheet.record(row).rstrip(b"\r\n \t") for row in rows]
        assert cells.keys() == sheet.columns.keys()
        for name, texts in sheet.columns.items():
            assert texts_of(cells[name]) == [
                None if row in sheet.faults else text for row, text in zip(rows, texts, strict=True)
            ]
    alike = {}
    for key, content in zip(keys, contents, strict=True):
        assert alike.setdefault(key, content) == content


def texts_of(cells):
    numbers = iter(cells.numbers.tolist())
    found = []
    for code in cells.codes.tolist():
        if code == NUMBER:
            found.append(str(next(numbers)))
        else:
            found.append(None if code == NO_CELL else cells.texts[code])
    return found


def test_the_texts_of_which_there_are_too_many_are_told_apart_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setitem(files.Coder.coded.__globals__, "KEPT", 3)
    path = tmp_path / "a.csv"
    lines = [b"text %d,%d,1\n" % (number % 11, number % 5) for number in range(200)]
    path.write_bytes(HEAD + b"".join(lines))
    found, _, _ = sheets_of(path, 100)
    coder = files.Coder(LETTERS)
    for sheet in found:
        cells, _ = coder.coded(sheet)
        assert texts_of(cells["a"]) == sheet.columns["a"]
        assert cells["a"].kept <= 3


def test_cells_of_any_length_are_told_apart(tmp_path):
    path = tmp_path / "a.csv"
    texts = [("x" * size + end).encode() for size in range(90) for end in "yz"] * 3
    path.write_bytes(HEAD + b"".join(text + b",,1\n" for text in texts))
    found, _, _ = sheets_of(path, 500)
    coder = files.Coder(LETTERS)
    for sheet in found:
        assert texts_of(coder.coded(sheet)[0]["a"]) == sheet.columns["a"]


def test_plain_numbers_are_those_that_are_spelt_in_one_way(tmp_path):
    path = tmp_path / "a.csv"
    texts = [b"0", b"1", b"2", b"01", b"+1", b"-1", b"1.0", b"", b"1" * 17, b"1e0", b"\xd9\xa1"]
    path.write_bytes(HEAD + b"".join(b"x,," + text + b"\n" for text in texts))
    [sheet], _, _ = sheets_of(path, 10_000)
    codes = files.Coder(LETTERS).coded(sheet)[0]["c"].codes
    assert np.flatnonzero(codes == NUMBER).tolist() == [0, 1]  # 2 is beyond the bounds


def test_a_record_that_is_too_long_is_bad_and_the_next_is_read(tmp_path):
    path = tmp_path / "a.csv"
    long = b"x" * (MAX_RECORD_BYTES + 5_000_000)
    data = HEAD + b"x,y,1\n" + long + b"\r\nx,y,0\n"
    path.write_bytes(data)
    found, reading, digest = sheets_of(path, 1 << 20, 8192)
    faults = {row: why.rule for sheet in found for row, why in sheet.faults.items()}
    assert (reading.rows, faults) == (3, {2: files.StructureRule.CELL_SIZE})
    assert files.cut_bytes(data, LETTERS).faults[2].rule == files.StructureRule.CELL_SIZE
    starts = [sheet.offset + start for sheet in found for start in sheet.starts[:-1].tolist()]
    assert starts == files.cut_bytes(data, LETTERS).starts[:-1].tolist()
    assert digest == hashlib.sha256(data).hexdigest()


def test_a_header_without_an_end_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b,c" * 8_000_000)
    found, reading, _ = sheets_of(path, 1 << 20, 8192)
    assert [sheet.refusal is not None for sheet in found] == [True]
    assert reading.size == 40_000_000


def test_a_sheet_holds_few_records_however_short_they_are(tmp_path, monkeypatch):
    for name, value in {"_RECORDS": 500, "_FIRST": 2_000, "_SAMPLE": 1_000}.items():
        monkeypatch.setitem(files.Reading.__iter__.__globals__, name, value)
    short, long = tmp_path / "short.csv", tmp_path / "long.csv"
    short.write_bytes(HEAD + b",\n" * 50_000)
    long.write_bytes(HEAD + (b"x" * 98 + b",\n") * 5_000)
    with files.reading(short, LETTERS) as reading:
        assert max(sheet.rows for sheet in reading) <= 2_000
    with files.reading(long, LETTERS) as reading:
        sizes = [len(sheet.data) for sheet in reading]
    assert 20_000 < max(sizes) < 100_000
