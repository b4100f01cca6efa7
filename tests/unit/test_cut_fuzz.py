"""Any bytes at all: nothing is lost, nothing doubled, nothing raised; and where they are sound CSV,
Python's own reader sees the same rows.
"""

import csv
import io
import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobchurn import files
from jobchurn.contract import CONTROL_PATTERN
from jobchurn.files import StructureRule
from letters import LETTERS, LINE_ENDS, SHARP, TABLES
from splits import split_of

ANY = st.binary(max_size=200) | SHARP | TABLES


def records_of(sheet):
    return [sheet.record(row) for row in range(1, sheet.rows + 1)]


@settings(max_examples=300, deadline=None)
@given(ANY)
@example(b'a,b\n1,"x\n""\n1,"')
@example(b'a,b\r"1\r\n",2\r\r\n"')
def test_header_and_records_tile_the_file(data):
    sheet = files.cut_bytes(data, LETTERS)
    assert b"".join([sheet.head, *records_of(sheet)]) == data
    assert all(records_of(sheet))


def line_end(data, place):
    """The byte after the end of the line that holds ``place``."""
    while place < len(data):
        place += 1
        if data[place - 1 : place] == b"\n":
            break
        if data[place - 1 : place] == b"\r" and data[place : place + 1] != b"\n":
            break
    return place


def closing(data, place):
    """The byte after a quoted cell that opens at ``place``; ``None`` where it is not closed."""
    place += 1
    while place < len(data):
        if data[place : place + 2] == b'""':
            place += 2
        elif data[place : place + 1] == b'"':
            return place + 1 if data[place + 1 : place + 2] in (b"", b",", b"\r", b"\n") else None
        else:
            place += 1
    return None


def records_by_hand(data):
    """The grammar, byte by byte: where each line or record ends, and whether its quotes are bad."""
    place = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    found = []
    while place < len(data):
        is_bad = False
        while True:
            if data[place : place + 1] == b'"':
                if (after := closing(data, place)) is None:
                    is_bad = True
                    break
                place = after
            while data[place : place + 1] not in (b"", b",", b"\r", b"\n", b'"'):
                place += 1
            if data[place : place + 1] != b",":
                is_bad = data[place : place + 1] == b'"'
                break
            place += 1
        place = line_end(data, place)
        found.append((place, is_bad))
    return found


QUOTES = {StructureRule.UNCLOSED_QUOTE, StructureRule.STRAY_QUOTE}


@settings(max_examples=300, deadline=None)
@given(TABLES)
def test_records_end_where_the_grammar_read_byte_by_byte_ends_them(data):
    sheet = files.cut_bytes(data, LETTERS)
    if sheet.refusal is not None:
        return
    pieces, start = [], 0
    for end, is_bad in records_by_hand(data):
        piece = data[start:end]
        if piece.removeprefix(b"\xef\xbb\xbf" if not start else b"").strip(b" \t\r\n"):
            pieces.append([piece, is_bad])
        elif pieces:
            pieces[-1][0] += piece
        else:
            pieces.append([piece, False])
        start = end
    if not pieces[0][0].strip(b"\xef\xbb\xbf \t\r\n"):  # blank lines before the header
        pieces[1][0] = pieces[0][0] + pieces[1][0]
        del pieces[0]
    assert records_of(sheet) == [piece for piece, _ in pieces[1:]]
    for row, (_, is_bad) in enumerate(pieces[1:], 1):
        rule = sheet.faults[row].rule if row in sheet.faults else None
        earlier = {StructureRule.NUL, StructureRule.ENCODING}  # told before the quotes are
        assert rule in earlier or (rule in QUOTES) == is_bad


@settings(max_examples=300, deadline=None)
@given(ANY)
def test_a_sheet_is_whole_whatever_the_bytes(data):
    sheet = files.cut_bytes(data, LETTERS)
    assert (sheet.refusal is None) == bool(sheet.header)
    assert all(len(column) == sheet.rows for column in sheet.columns.values())
    assert list(sheet.faults) == sorted(sheet.faults)
    assert all(1 <= row <= sheet.rows for row in sheet.faults)
    for row, reason in sheet.faults.items():
        assert reason.row == row
        assert reason.rule in set(StructureRule)
        assert all(column[row - 1] == "" for column in sheet.columns.values())
    for reason in [sheet.refusal, *sheet.faults.values()]:
        if reason is not None:
            # Neither a NUL nor a lone surrogate, which no database and no page would take.
            assert not re.search(CONTROL_PATTERN, reason.text)
            assert len(reason.text) <= 100


@settings(max_examples=300, deadline=None)
@given(TABLES)
def test_a_good_record_is_what_pythons_reader_makes_of_its_bytes(data):
    sheet = files.cut_bytes(data, LETTERS)
    for row in range(1, sheet.rows + 1):
        if row in sheet.faults:
            continue
        text = sheet.record(row).decode()
        cells = next(csv.reader(io.StringIO(text, newline=""), strict=True))
        assert len(cells) == len(sheet.header)
        for name, column in sheet.columns.items():
            assert column[row - 1] == cells[sheet.header.index(name)]


CELLS = st.text(st.sampled_from('ab,"\r\n é\u2028\x85'), max_size=6)
ROWS = st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=6)


def written(rows, end, quotes_all):
    """Rows as RFC 4180 has them written; Python's own writer leaves a lone CR without quotes."""

    def cell(text):
        needs = quotes_all or any(character in text for character in ',"\r\n')
        return '"{}"'.format(text.replace('"', '""')) if needs else text

    return "".join(",".join(map(cell, row)) + end for row in rows).encode()


@settings(max_examples=200, deadline=None)
@given(rows=ROWS, end=st.sampled_from(LINE_ENDS), quotes_all=st.booleans(), ended=st.booleans())
def test_what_is_written_by_the_book_is_cut_into_its_rows(rows, end, quotes_all, ended):
    data = written([("a", "b", "c"), *rows], end, quotes_all)
    sheet = files.cut_bytes(data if ended else data.removesuffix(end.encode()), LETTERS)
    assert sheet.faults == {}
    assert list(zip(*sheet.columns.values(), strict=True)) == rows


@settings(max_examples=100, deadline=None)
@given(data=TABLES, chance=st.randoms(use_true_random=False))
def test_what_is_routed_is_every_record_once_and_in_order(data, chance, tmp_path_factory):
    sheet = files.cut_bytes(data, LETTERS)
    if sheet.refusal is not None:
        return
    bad = {row for row in range(1, sheet.rows + 1) if chance.random() < 0.5}
    folder = tmp_path_factory.mktemp("routed")
    (folder / "raw.csv").write_bytes(data)
    split = split_of(sheet, bad)
    assert files.route(folder / "raw.csv", split, folder / "good.csv", folder / "bad.csv")
    written = {
        False: (folder / "good.csv").read_bytes().removeprefix(sheet.head),
        True: (folder / "bad.csv").read_bytes().removeprefix(sheet.head),
    }
    for row, record in enumerate(records_of(sheet), 1):
        assert written[row in bad].startswith(record)
        written[row in bad] = written[row in bad][len(record) :]
    assert written == {False: b"", True: b""}


@settings(max_examples=300, deadline=None)
@given(TABLES)
def test_good_records_are_good_again_in_a_file_of_their_own(data):
    sheet = files.cut_bytes(data, LETTERS)
    good = [sheet.record(row) for row in range(1, sheet.rows + 1) if row not in sheet.faults]
    if sheet.refusal is not None:
        return
    again = files.cut_bytes(b"".join([sheet.head, *good]), LETTERS)
    assert (again.refusal, again.faults) == (None, {})
    assert records_of(again) == good
    for name, column in sheet.columns.items():
        kept = [text for row, text in enumerate(column, 1) if row not in sheet.faults]
        assert again.columns[name] == kept


@settings(max_examples=200, deadline=None)
@given(rows=ROWS, damage=SHARP)
def test_damage_without_line_ends_and_quotes_stays_in_its_record(rows, damage):
    for octet in (b"\n", b"\r", b'"'):
        damage = damage.replace(octet, b"")
    data = b"a,b,c\n" + damage + b"x\n" + written(rows, "\n", quotes_all=True)
    sheet = files.cut_bytes(data, LETTERS)
    assert sheet.rows == len(rows) + 1
    assert sheet.faults.keys() <= {1}


@settings(max_examples=200, deadline=None)
@given(
    rows=ROWS,
    index=st.integers(0, 2),
    text=CELLS,
    end=st.sampled_from(LINE_ENDS),
    quotes_all=st.booleans(),
)
def test_a_spliced_cell_changes_no_other(rows, index, text, end, quotes_all):
    sheet = files.cut_bytes(written([("a", "b", "c"), *rows], end, quotes_all), LETTERS)
    spliced = [files.spliced(record, index, text) for record in records_of(sheet)]
    expected = [(*row[:index], text, *row[index + 1 :]) for row in rows]
    assert b"".join(spliced) == written(expected, end, quotes_all) or not quotes_all
    again = files.cut_bytes(b"".join([sheet.head, *spliced]), LETTERS)
    assert again.faults == {}
    assert list(zip(*again.columns.values(), strict=True)) == expected


@settings(max_examples=200, deadline=None)
@given(rows=ROWS, index=st.integers(0, 2), end=st.sampled_from(LINE_ENDS), quotes_all=st.booleans())
def test_a_cell_taken_out_leaves_the_others_as_they_are(rows, index, end, quotes_all):
    rows = [("a", "b", "c"), *rows]
    records = [written([row], end, quotes_all) for row in rows]
    fewer = [row[:index] + row[index + 1 :] for row in rows]
    assert [files.without(record, index) for record in records] == [
        written([row], end, quotes_all) for row in fewer
    ]
