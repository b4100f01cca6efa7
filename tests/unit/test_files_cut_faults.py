"""The bad rows of issue 5's damage table: a file, or a record of it, that is refused and why."""

import bz2
import gzip
import io
import lzma
import os
import zipfile

import pytest

from harbour import HARBOUR, HEAD, A, B, C, cut, records
from jobchurn import files
from jobchurn.errors import DataUnusable
from jobchurn.files import StructureRule


def faults(data):
    return {row: reason.rule for row, reason in cut(data).faults.items()}


# The whole file is refused


def utf16(text, encoding):
    return text.decode().encode(encoding)


def zipped():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.csv", HEAD + A)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        pytest.param(b"", StructureRule.EMPTY, id="empty"),
        pytest.param(b"\xef\xbb\xbf", StructureRule.EMPTY, id="nothing but a byte order mark"),
        pytest.param(b"\n \r\n\t\r", StructureRule.EMPTY, id="nothing but blank lines"),
        pytest.param(A + B, StructureRule.NO_HEADER, id="no header"),
        pytest.param(b"colour,weight\n1,2\n", StructureRule.NO_HEADER, id="another header"),
        pytest.param(b"Flag,late\nNO,1\n", StructureRule.NO_HEADER, id="no required name"),
        pytest.param(HEAD.upper() + A, StructureRule.HEADER_CASE, id="upper case"),
        pytest.param(
            HEAD.replace(b"Flag", b"flag") + A, StructureRule.HEADER_CASE, id="case of one name"
        ),
        pytest.param(HEAD.replace(b",", b";") + A, StructureRule.DELIMITER, id="semicolons"),
        pytest.param(HEAD.replace(b",", b"\t") + A, StructureRule.DELIMITER, id="tabs"),
        pytest.param(HEAD.replace(b",", b"|") + A, StructureRule.DELIMITER, id="vertical bars"),
        pytest.param(
            HEAD.upper().replace(b",", b";"), StructureRule.DELIMITER, id="semicolons, upper case"
        ),
        pytest.param(b'"ship_id";"port"\n', StructureRule.DELIMITER, id="semicolons, quoted"),
        pytest.param(b"ship_id,port,port\n", StructureRule.REPEATED_NAME, id="a name twice"),
        pytest.param(
            b"ship_id,port,x, x\n", StructureRule.REPEATED_NAME, id="an unknown name twice"
        ),
        pytest.param(
            b"ship_id,port" + b",x" * 999 + b"\n",
            StructureRule.TOO_MANY_COLUMNS,
            id="1,001 columns",
        ),
        pytest.param(
            b'"ship_id",port' + b',"x"' * 1999 + b"\n",
            StructureRule.TOO_MANY_COLUMNS,
            id="2,001 quoted columns",
        ),
        pytest.param(utf16(HEAD + A, "utf-16"), StructureRule.ENCODING, id="UTF-16"),
        pytest.param(utf16(HEAD + A, "utf-16-le"), StructureRule.ENCODING, id="UTF-16 LE, bare"),
        pytest.param(utf16(HEAD + A, "utf-16-be"), StructureRule.ENCODING, id="UTF-16 BE, bare"),
        pytest.param(utf16(HEAD + A, "utf-32"), StructureRule.ENCODING, id="UTF-32"),
        pytest.param(b"ship_id,port,gr\xf6\xdfe\n", StructureRule.ENCODING, id="Latin-1 header"),
        pytest.param(b"gr\xf6\xdfe,h\xf6he\n", StructureRule.ENCODING, id="Latin-1, unknown names"),
        pytest.param(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", StructureRule.BINARY, id="a picture"),
        pytest.param(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n\0", StructureRule.BINARY, id="a document"),
        pytest.param(b"ship_id\0,port\n1,a\n", StructureRule.BINARY, id="a NUL in the header"),
        pytest.param(bytes(range(256)), StructureRule.BINARY, id="all bytes"),
        pytest.param(gzip.compress(HEAD + A), StructureRule.COMPRESSED, id="gzip"),
        pytest.param(bz2.compress(HEAD + A), StructureRule.COMPRESSED, id="bzip2"),
        pytest.param(bz2.compress(b""), StructureRule.COMPRESSED, id="bzip2 of nothing"),
        pytest.param(lzma.compress(HEAD + A), StructureRule.COMPRESSED, id="xz"),
        pytest.param(zipped(), StructureRule.COMPRESSED, id="zip"),
        pytest.param(b"\x28\xb5\x2f\xfd\x04\x58\x41\x00", StructureRule.COMPRESSED, id="Zstandard"),
        pytest.param(
            b'"ship_id,port,Flag,late\n' + A, StructureRule.UNCLOSED_QUOTE, id="quote in header"
        ),
        pytest.param(
            b'ship_id,p"or"t,Flag,late\n' + A, StructureRule.STRAY_QUOTE, id="quote within a name"
        ),
    ],
)
def test_such_a_file_is_refused_as_a_whole(data, rule):
    sheet = cut(data)
    assert sheet.refusal is not None
    assert sheet.refusal.rule == rule
    assert (sheet.refusal.row, sheet.refusal.column) == (None, None)
    assert (sheet.rows, sheet.columns, sheet.faults) == (0, {}, {})
    assert sheet.head == data


def test_a_column_called_bzh_is_not_taken_for_compression():
    assert cut(b"BZh1,ship_id,port\n").refusal is None


def test_names_in_another_case_are_refused_with_the_likely_names():
    refusal = cut(b"Ship_ID,PORT,Flag,late\n").refusal
    assert "ship_id for 'Ship_ID'" in refusal.message
    assert refusal.text == "Ship_ID, PORT"
    assert refusal.repair == "ship_id, port"


def test_a_name_beside_the_same_in_another_case_is_an_unknown_column():
    sheet = cut(b"ship_id,port,Flag,flag\n1,Oslo,NO,x\n")
    assert sheet.refusal is None
    assert sheet.columns["Flag"] == ["NO"]


def test_a_header_without_required_names_is_refused_with_the_likely_ones():
    refusal = cut(b"ship-id,prot\n1,Oslo\n").refusal
    assert "Did you mean ship_id by 'ship-id'?" in refusal.message
    assert refusal.repair == "ship_id, port"


def test_another_delimiter_is_refused_with_the_header_as_it_should_be():
    assert cut(HEAD.replace(b",", b";")).refusal.repair == HEAD.decode().strip()


def test_a_thousand_columns_are_not_too_many():
    sheet = cut(b"ship_id,port" + b"".join(b",x%d" % n for n in range(998)) + b"\n")
    assert sheet.refusal is None
    assert len(sheet.header) == 1000


# All rows are bad


def test_a_missing_required_column_is_no_refusal_but_named():
    sheet = cut(b"ship_id,Flag\n1,NO\n2,DK\n")
    assert sheet.refusal is None
    assert sheet.missing == ("port",)
    assert sheet.rows == 2
    assert sheet.columns == {"ship_id": ["1", "2"], "Flag": ["NO", "DK"]}


def test_the_reason_of_a_missing_column_names_it():
    reason = files.missing_column("port")
    assert (reason.row, reason.column, reason.rule) == (None, "port", "missing column")
    assert "port" in reason.message


# One record is bad


@pytest.mark.parametrize(
    ("record", "rule"),
    [
        pytest.param(b"1,Oslo,NO\n", StructureRule.TOO_FEW_CELLS, id="too few cells"),
        pytest.param(b"x\n", StructureRule.TOO_FEW_CELLS, id="one cell"),
        pytest.param(b"1,Oslo,NO,0,\n", StructureRule.TOO_MANY_CELLS, id="too many cells"),
        pytest.param(b'1,"Oslo",NO\n', StructureRule.TOO_FEW_CELLS, id="too few, quoted"),
        pytest.param(b'1,"a",b,NO,0\n', StructureRule.TOO_MANY_CELLS, id="too many, quoted"),
        pytest.param(b'"a",' * 2000 + b"\n", StructureRule.TOO_MANY_CELLS, id="far too many"),
        pytest.param(b"1,Osl\xf8,NO,0\n", StructureRule.ENCODING, id="Latin-1"),
        pytest.param(b"1,\xed\xa0\x80,NO,0\n", StructureRule.ENCODING, id="a surrogate"),
        pytest.param(b"1,\xc0\xaf,NO,0\n", StructureRule.ENCODING, id="an overlong form"),
        pytest.param(b"1,Os\0lo,NO,0\n", StructureRule.NUL, id="a NUL"),
        pytest.param(b"\0\n", StructureRule.NUL, id="a NUL alone"),
        pytest.param(HEAD, StructureRule.REPEATED_HEADER, id="the header again"),
        pytest.param(b"1," + b"x" * 65_537 + b",NO,0\n", StructureRule.CELL_SIZE, id="a huge cell"),
        pytest.param(
            b'1,"' + b"x\n" * 40_000 + b'",NO,0\n', StructureRule.CELL_SIZE, id="huge, quoted"
        ),
        pytest.param(b'1,"Oslo,NO,0\n', StructureRule.UNCLOSED_QUOTE, id="an unclosed quote"),
        pytest.param(b'1,Os"lo,NO,0\n', StructureRule.STRAY_QUOTE, id="a quote within a cell"),
        pytest.param(b'1,Oslo",NO,0\n', StructureRule.STRAY_QUOTE, id="a quote at a cell's end"),
        pytest.param(b'1,"Os"lo,NO,0\n', StructureRule.STRAY_QUOTE, id="text after a quote"),
        pytest.param(b'1, "Oslo",NO,0\n', StructureRule.STRAY_QUOTE, id="a blank before a quote"),
        pytest.param(b'1,"Oslo" ,NO,0\n', StructureRule.STRAY_QUOTE, id="a blank after a quote"),
    ],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_such_a_record_is_bad_and_its_neighbours_are_not(record, rule, end):
    parts = [part.replace(b"\n", end) for part in (HEAD, A, record, B)]
    sheet = cut(b"".join(parts))
    assert {row: reason.rule for row, reason in sheet.faults.items()} == {2: rule}
    assert records(sheet) == parts[1:]
    assert sheet.columns["port"] == ["Oslo", "", "Kiel"]
    reason = sheet.faults[2]
    assert (reason.row, reason.column) == (2, None)
    assert reason.message
    assert len(reason.text) <= 100
    assert "\0" not in reason.text


def test_a_bad_record_is_shown_with_what_is_no_text_escaped_and_not_at_length():
    shown = cut(HEAD + b"1,Osl\xf8\0,\xc3\xa6\n" + b"x" * 500 + b"\n").faults
    assert shown[1].text == r"1,Osl\xf8\x00,æ"
    assert shown[2].text == "x" * 99 + "…"


def test_a_cell_of_exactly_64_kb_is_admitted():
    sheet = cut(HEAD + b"1," + b"x" * 65_536 + b",NO,0\n")
    assert sheet.faults == {}
    assert len(sheet.columns["port"][0]) == 65_536


def test_the_header_again_after_another_byte_order_mark_is_no_good_row_either():
    sheet = cut(HEAD + A + b"\xef\xbb\xbf" + HEAD)
    assert sheet.columns["ship_id"][1] == "\ufeffship_id"


def test_of_several_faults_the_first_of_the_table_is_told():
    assert faults(HEAD + b'1,\0"\xff\n') == {1: StructureRule.NUL}
    assert faults(HEAD + b'1,"\xff\n') == {1: StructureRule.ENCODING}
    assert faults(HEAD + b'1,"' + b"x" * 70_000 + b"\n") == {1: StructureRule.UNCLOSED_QUOTE}


def test_a_miscounted_record_says_how_many_cells_it_has():
    assert cut(HEAD + b"1,Oslo\n").faults[1].message == "2 cells where the header has 4"


# Quotes that are not closed


def test_an_unclosed_quote_costs_its_own_line_and_not_the_rest():
    assert faults(HEAD + A + b'2,"Kiel,,1\n' + C + A) == {2: StructureRule.UNCLOSED_QUOTE}


def test_two_unclosed_quotes_do_not_close_each_other():
    data = HEAD + b'1,"Oslo,NO,0\n' + B + b'3,"Riga,DK,\n' + A
    rules = faults(data)
    assert rules == {1: StructureRule.UNCLOSED_QUOTE, 3: StructureRule.UNCLOSED_QUOTE}


def test_an_unclosed_quote_that_a_later_line_closes_takes_the_lines_between_with_it():
    record = b'1,"Oslo,NO,0\n' + B + b'3,Riga",DK,\n'
    sheet = cut(HEAD + record + A)
    assert records(sheet) == [record, A]
    assert sheet.columns["port"][0] == "Oslo,NO,0\n2,Kiel,,1\n3,Riga"


def test_a_quote_broken_after_a_record_of_several_lines_ends_the_record_in_its_line():
    sheet = cut(HEAD + b'1,"Os\nlo","NO,0\n' + B)
    assert records(sheet) == [b'1,"Os\nlo","NO,0\n', B]
    assert sheet.faults.keys() == {1}


# The file itself


def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DataUnusable, match="no regular file"):
        files.cut(tmp_path / "pipe.csv", HARBOUR)


def test_an_absent_file_is_the_callers_affair(tmp_path):
    with pytest.raises(FileNotFoundError):
        files.cut(tmp_path / "gone.csv", HARBOUR)
