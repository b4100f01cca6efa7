"""A person's CSV, read at the edge."""

import pytest

from jobchurn.contract import JOB_CHANGE
from problems import Problem
from upload import read_upload

HEADER = (
    "enrollee_id,city,city_development_index,gender,relevent_experience,enrolled_university,"
    "education_level,major_discipline,experience,company_size,company_type,last_new_job,"
    "training_hours"
)
ROW = "7,city_21,0.624,,No relevent experience,,Graduate,STEM,5,Oct-49,,never,36"


def read(*lines, end="\n"):
    return read_upload(end.join(lines).encode() + end.encode(), JOB_CHANGE)


def test_numbers_become_numbers_blanks_null_and_spellings_canonical():
    [record] = read(HEADER, ROW).records
    assert record == {
        "enrollee_id": 7,
        "city": "city_21",
        "city_development_index": 0.624,
        "gender": None,
        "relevent_experience": "No relevent experience",
        "enrolled_university": None,
        "education_level": "Graduate",
        "major_discipline": "STEM",
        "experience": "5",
        "company_size": "10-49",
        "company_type": None,
        "last_new_job": "never",
        "training_hours": 36,
    }


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_is_read(end):
    assert read(HEADER, ROW, ROW, end=end).numbers == [1, 2]


def test_a_byte_order_mark_blanks_around_names_and_blank_lines_are_taken():
    content = f"\ufeff{HEADER.replace(',city,', ', city ,')}\n\n{ROW}\n\n"
    assert len(read_upload(content.encode(), JOB_CHANGE).records) == 1


def test_a_file_that_ends_without_a_line_end_is_whole():
    assert len(read_upload(f"{HEADER}\n{ROW}".encode(), JOB_CHANGE).records) == 1


def test_a_cell_that_cannot_be_read_is_named_with_row_column_reason_and_repair():
    upload = read(HEADER, ROW, ROW.replace("0.624", '"0,62"').replace("Graduate", "graduate"))
    assert upload.numbers == [1]
    assert [(d.row, d.column, d.text, d.repair) for d in upload.damaged] == [
        (2, "city_development_index", "0,62", "0.62"),
        (2, "education_level", "graduate", "Graduate"),
    ]
    assert upload.damaged[0].reason == "not a value of this kind; allowed: a number from 0 to 1"
    assert upload.cells[2][2] == "0,62"


def test_too_few_cells_and_a_repeated_header_are_damage_of_the_whole_row():
    upload = read(HEADER, "1,2,3", HEADER, ROW)
    assert [(d.row, d.column, d.reason) for d in upload.damaged] == [
        (1, "", "it has 3 cells where the header has 13"),
        (2, "", "it repeats the header"),
    ]
    assert upload.numbers == [3]


def test_a_quotation_mark_that_is_never_closed_costs_the_rest_and_says_so():
    upload = read(HEADER, ROW, ROW.replace("city_21", '"city_21'), ROW)
    assert upload.numbers == [1]
    [damage] = upload.damaged
    assert "never closed" in damage.reason


def test_text_after_a_closing_quotation_mark_is_damage_of_its_row_alone():
    upload = read(HEADER, ROW.replace("city_21", '"city"_21'), ROW)
    assert upload.numbers == [2]
    assert "cannot be cut" in upload.damaged[0].reason


def test_bytes_that_are_not_utf8_damage_their_row_alone():
    content = f"{HEADER}\n".encode() + ROW.encode().replace(b"city_21", b"K\xf6ln") + b"\n"
    upload = read_upload(content + ROW.encode(), JOB_CHANGE)
    assert upload.numbers == [2]
    assert upload.damaged[0].reason == "it is not UTF-8 text"
    upload.damaged[0].text.encode()


def test_control_characters_and_long_texts_are_shown_safely():
    upload = read(HEADER, ROW.replace("city_21", "a\x07b"), ROW.replace("city_21", "x" * 100))
    assert [d.text.isprintable() and len(d.text) <= 60 for d in upload.damaged] == [True, True]


def test_the_outcome_and_unknown_columns_are_named_and_ignored():
    upload = read(f"{HEADER},target,shoe", f"{ROW},1.0,44")
    assert "target" not in upload.records[0]
    assert "shoe" not in upload.records[0]
    assert any("target" in note and "ignored" in note for note in upload.notes)
    assert any("shoe" in note and "ignored" in note for note in upload.notes)


def test_absent_optional_columns_and_an_absent_id_are_noted():
    upload = read(
        "city,city_development_index,relevent_experience,training_hours",
        "city_1,0.9,Has relevent experience,3",
    )
    assert upload.numbers == [1]
    assert any("gender" in note for note in upload.notes)
    assert any("enrollee_id" in note for note in upload.notes)


def test_a_blank_id_is_no_damage():
    assert read(HEADER, ROW.removeprefix("7")).records[0]["enrollee_id"] is None


def test_missing_required_columns_are_named_with_what_may_hold_them():
    with pytest.raises(Problem) as caught:
        read("citty,training_hours", "a,1")
    assert "city, city_development_index, relevent_experience" in caught.value.sentence
    assert caught.value.details == ("'citty' may be meant as city.",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf\n \n", "empty"),
        (b"PK\x03\x04xl/workbook", "Excel workbook"),
        (HEADER.encode("utf-16"), "not UTF-8"),
        (HEADER.replace(",", ";").encode(), "semicolons"),
        (HEADER.replace(",", "\t").encode(), "tabs"),
        (HEADER.upper().encode(), "spells names differently"),
        (f"{HEADER},city".encode(), "more than once"),
        (",".join(f"c{n}" for n in range(1001)).encode(), "at most 1000"),
        (b'"city', "header cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_reason_and_a_cure(content, said):
    with pytest.raises(Problem) as caught:
        read_upload(content, JOB_CHANGE)
    assert said in caught.value.sentence
    assert caught.value.cure


def test_a_header_alone_is_a_file_of_no_rows():
    assert read(HEADER).rows == 0


def test_a_file_of_more_rows_than_a_page_can_bear_is_refused_with_another_way(monkeypatch):
    monkeypatch.setattr("upload.MOST_ROWS", 2)
    assert read(HEADER, ROW, "1,2,3").rows == 2
    with pytest.raises(Problem) as caught:
        read(HEADER, ROW, ROW, ROW)
    assert caught.value.sentence.startswith("The file has more than 2 rows")
    assert "jobchurn predict" in caught.value.cure
