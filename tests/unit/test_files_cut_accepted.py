"""The good rows of issue 5's damage table: what is accepted and noted, and how cells are read."""

import tracemalloc

import pytest

from harbour import HARBOUR, HEAD, A, B, C, cut, records
from jobchurn import files

# A sound file


def test_a_sound_file_is_cut_into_header_records_and_columns():
    sheet = cut(HEAD + A + B + C)
    assert sheet.header == ("ship_id", "port", "Flag", "late")
    assert sheet.rows == 3
    assert sheet.head == HEAD
    assert records(sheet) == [A, B, C]
    assert sheet.columns == {
        "ship_id": ["1", "2", "3"],
        "port": ["Oslo", "Kiel", "Riga"],
        "Flag": ["NO", "", "DK"],
        "late": ["0", "1", ""],
    }
    assert (sheet.faults, sheet.refusal, sheet.missing, sheet.notes) == ({}, None, (), ())


def test_a_sheet_knows_the_hash_of_the_bytes_that_were_cut(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(HEAD + A)
    sheet = files.cut(path, HARBOUR)
    digest = files.sha256_of(path)
    path.write_bytes(HEAD + B)
    assert sheet.sha256 == digest


def test_there_is_no_record_but_those_of_the_rows():
    sheet = cut(HEAD + A)
    for row in (0, 2, -1):
        with pytest.raises(IndexError):
            sheet.record(row)


def test_a_file_of_more_records_than_are_parted_at_once_is_cut_alike():
    rows = [b"%d,Port %d,NO,1\n" % (n, n % 7) for n in range(1, 70_000)]
    rows[66_000] = b'66001,"a,b",NO,1\n'
    rows[67_000] = b"67001,too,few\n"
    sheet = cut(HEAD + b"".join(rows))
    assert sheet.rows == len(rows)
    assert sheet.faults.keys() == {67_001}
    assert sheet.columns["ship_id"][65_999:66_002] == ["66000", "66001", "66002"]
    assert sheet.columns["port"][66_000] == "a,b"
    assert sheet.columns["port"][67_000] == ""


# Accepted


def test_a_header_alone_is_a_file_without_rows():
    for data in (HEAD, HEAD.strip()):
        sheet = cut(data)
        assert (sheet.rows, sheet.refusal, sheet.missing) == (0, None, ())
        assert sheet.columns == {"ship_id": [], "port": [], "Flag": [], "late": []}


def test_an_unknown_extra_column_is_accepted_and_noted():
    sheet = cut(b"ship_id,ports,port\n1,x,Oslo\n")
    assert sheet.columns == {"ship_id": ["1"], "port": ["Oslo"]}
    assert any("'ports'" in note for note in sheet.notes)


def test_an_unknown_column_that_looks_like_an_absent_one_is_noted_with_its_name():
    notes = cut(b"ship_id,port,lates\n").notes
    assert any("'lates'" in note and "Did you mean late?" in note for note in notes)


def test_many_unknown_columns_make_few_notes():
    sheet = cut(b"ship_id,port" + b"".join(b",x%d" % n for n in range(900)))
    assert len(sheet.notes) < 20
    assert any("890 more columns" in note for note in sheet.notes)


def test_columns_without_a_name_are_accepted():
    assert cut(b"ship_id,port,,\n1,Oslo,,\n").columns["port"] == ["Oslo"]


def test_an_absent_optional_column_is_noted():
    assert any("'Flag'" in note or "Flag" in note for note in cut(b"ship_id,port,late\n").notes)


def test_columns_in_another_order_are_accepted_and_noted():
    sheet = cut(b"late,port,Flag,ship_id\n0,Oslo,NO,1\n")
    assert sheet.columns["ship_id"] == ["1"]
    assert any("another order" in note for note in sheet.notes)


@pytest.mark.parametrize(
    "head",
    [
        b" ship_id ,port\t, Flag,late\n",
        b'"ship_id","port","Flag","late"\n',
        b' "ship_id" , "port","Flag" ,late\n',
    ],
)
def test_blanks_and_quotes_around_header_names_are_accepted(head):
    sheet = cut(head + A)
    assert sheet.header == ("ship_id", "port", "Flag", "late")
    assert sheet.faults == {}
    assert sheet.columns["port"] == ["Oslo"]
    assert sheet.head == head


def test_a_byte_order_mark_is_accepted_kept_and_noted():
    sheet = cut(b"\xef\xbb\xbf" + HEAD + A)
    assert sheet.header[0] == "ship_id"
    assert sheet.head == b"\xef\xbb\xbf" + HEAD
    assert any("byte order mark" in note for note in sheet.notes)


def test_a_byte_order_mark_before_a_quoted_header_is_accepted():
    sheet = cut(b'\xef\xbb\xbf"ship_id","po""rt",port\n1,x,Oslo\n')
    assert sheet.header == ("ship_id", 'po"rt', "port")
    assert sheet.columns["port"] == ["Oslo"]


@pytest.mark.parametrize("end", [b"\r\n", b"\r"])
def test_other_line_ends_are_accepted_and_noted(end):
    sheet = cut((HEAD + A + B).replace(b"\n", end))
    assert records(sheet) == [A.replace(b"\n", end), B.replace(b"\n", end)]
    assert sheet.columns["late"] == ["0", "1"]
    assert any("Lines end with" in note for note in sheet.notes)


def test_mixed_line_ends_are_accepted_and_counted_in_a_note():
    sheet = cut(HEAD + b"1,Oslo,NO,0\r\n2,Kiel,,1\r3,Riga,DK,\r\r\n4,Bergen,NO,1")
    assert sheet.columns["port"] == ["Oslo", "Kiel", "Riga", "Bergen"]
    assert "Lines end with CR LF (1), LF (1), CR (2)." in sheet.notes


def test_a_last_line_without_a_line_end_is_a_record_and_noted():
    sheet = cut(HEAD + A + b"2,Kiel,,1")
    assert records(sheet) == [A, b"2,Kiel,,1"]
    assert any("no line end" in note for note in sheet.notes)


def test_blank_lines_are_no_records_and_their_bytes_stay_with_the_record_before():
    sheet = cut(b"\n \t\n" + HEAD + b"\r\n" + A + b"\n\n" + B + b"   ")
    assert sheet.head == b"\n \t\n" + HEAD + b"\r\n"
    assert records(sheet) == [A + b"\n\n", B + b"   "]
    assert any("6 blank lines" in note for note in sheet.notes)


def test_identical_rows_are_each_a_record_and_noted():
    sheet = cut(HEAD + A + B + A + A)
    assert sheet.rows == 4
    assert "Byte for byte the same as another: 2 rows." in sheet.notes


@pytest.mark.parametrize("text", ["NA", "None", "null", "nan", "NULL", "#N/A", " ", "=1+1", "<b>"])
def test_a_text_stays_what_it_is(text):
    assert cut(HEAD + f"1,{text},NO,0\n".encode()).columns["port"] == [text]


def test_unicode_is_kept_code_point_by_code_point():
    text = "Ålesund\u200b\u2028\x85\x0b\ufeff😀"
    sheet = cut(HEAD + f"1,{text},NO,0\n".encode() + A)
    assert sheet.columns["port"] == [text, "Oslo"]


# Quotes


def test_quoted_cells_are_read_without_their_quotes():
    sheet = cut(HEAD + b'"1","Oslo","",0\n')
    assert [column[0] for column in sheet.columns.values()] == ["1", "Oslo", "", "0"]


def test_commas_and_doubled_quotes_inside_quotes_are_text():
    sheet = cut(HEAD + b'1,"a,""b"",c",NO,0\n2,"""",NO,0\n3,"""""",,\n')
    assert sheet.faults == {}
    assert sheet.columns["port"] == ['a,"b",c', '"', '""']


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_line_end_inside_quotes_belongs_to_the_record(end):
    record = f'1,"Os{end}{end}lo",NO,0\n'.encode()
    sheet = cut(HEAD + record + B)
    assert records(sheet) == [record, B]
    assert sheet.columns["port"] == [f"Os{end}{end}lo", "Kiel"]


# Memory


def peak(data):
    tracemalloc.start()
    cut(data)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


@pytest.mark.parametrize(
    "piece",
    [
        pytest.param(b"1,Oslo,NO,0\n", id="sound"),
        pytest.param(b'1,"Os""lo",NO,0\n', id="quoted"),
        pytest.param(b'1,"Oslo,NO,0\n', id="unclosed quotes"),
        pytest.param(b'""', id="quotes alone"),
        pytest.param(b"\n", id="blank lines"),
        pytest.param(b",", id="commas"),
        pytest.param(b'"",', id="quoted blanks"),
        pytest.param(b"\0\n", id="NULs"),
        pytest.param(b"\xff\n", id="no UTF-8"),
    ],
)
def test_twice_the_bytes_take_at_most_twice_the_memory(piece):
    size = 30_000 // len(piece)
    assert peak(HEAD + 2 * size * piece) <= 2.2 * peak(HEAD + size * piece) + 100_000


def test_the_real_data_set_is_cut_without_a_fault(real_csv):
    from jobchurn.contract import JOB_CHANGE

    sheet = files.cut(real_csv, JOB_CHANGE)
    assert (sheet.refusal, sheet.missing, sheet.faults) == (None, (), {})
    assert sheet.rows == len(real_csv.read_bytes().splitlines()) - 1
    assert b"".join([sheet.head, *records(sheet)]) == real_csv.read_bytes()
