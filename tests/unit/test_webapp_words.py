"""Sentences, cells and downloads of the web app."""

import csv
import io
import re

import pytest

import tables
import words
from jobchurn.contract import JOB_CHANGE


def column(name):
    return JOB_CHANGE[name]


def test_the_answer_is_a_sentence_of_the_contract():
    assert words.answer(JOB_CHANGE, 1) == "This candidate is looking for a new job."
    assert words.answer(JOB_CHANGE, 0) == "This candidate is not looking for a new job."


def test_the_chance_says_how_sure_it_is_and_where_the_answer_turns():
    said = words.chance(JOB_CHANGE, 0.72, 1 / 3)
    assert said.startswith("A clear case: the chance that this candidate is looking for a new job")
    assert "**72%**" in said
    assert "From 33% on" in said


@pytest.mark.parametrize(
    ("probability", "said"),
    [
        (0.331, "33.1%**. From 33.3% on"),
        (0.33332, "33.332%**. From 33.333% on"),
        (1 / 3, "33%**. From 33% on"),
        (0.334, "33%**. From 33% on"),
    ],
)
def test_a_chance_below_the_turn_is_never_said_to_have_reached_it(probability, said):
    assert said in words.chance(JOB_CHANGE, probability, 1 / 3)


@pytest.mark.parametrize(
    ("probability", "said"),
    [
        (0.33, "A close call"),
        (0.37, "A close call"),
        (0.45, "A fairly clear case"),
        (0.10, "A clear case"),
    ],
)
def test_sureness_grows_with_the_distance_from_the_threshold(probability, said):
    assert words.sureness(probability, 1 / 3) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [(0, "0%"), (0.004, "under 1%"), (0.126, "13%"), (0.9999, "over 99%"), (1, "100%")],
)
def test_a_share_is_never_called_certain_when_it_is_not(share, said):
    assert words.percent(share) == said


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("experience", "5", "5 years"),
        ("experience", "1", "1 year"),
        ("experience", ">20", "more than 20 years"),
        ("experience", "<1", "less than 1 year"),
        ("last_new_job", "never", "never changed"),
        ("company_size", None, "unknown"),
        ("training_hours", 36, "36 hours"),
        ("city", "city_21", "city_21"),
    ],
)
def test_a_value_is_worded_with_its_unit_where_it_is_an_amount(name, value, said):
    assert words.value_in_words(column(name), value) == said


def test_reasons_come_the_strongest_first_and_say_which_way_they_push():
    found = words.reasons(
        JOB_CHANGE,
        {"experience": "5", "company_size": None, "city": "city_21"},
        {"experience": 0.2, "company_size": -0.7, "city": 0.0, "no_column": 9.0},
    )
    assert [(reason.label, reason.value, reason.effect) for reason in found] == [
        ("Company size", "unknown", "makes it less likely"),
        ("Experience", "5 years", "makes it more likely"),
    ]


def test_markdown_shows_escaped_text_as_it_stands():
    assert words.escaped(":red[x] **b** $1$ <b>") == r"\:red\[x\] \*\*b\*\* \$1\$ \<b\>"
    assert words.escaped("a\nb") == "a\N{REPLACEMENT CHARACTER}b"


@pytest.mark.parametrize("address", ["http://example.org", "WWW.example.org", "a@example.org"])
def test_an_address_in_escaped_text_is_parted_so_that_it_becomes_no_link(address):
    # What Markdown makes links of: github.github.com/gfm/#autolinks-extension-
    link = re.compile(r"(https?://|www\.)[-.\w]|@[-\w]", re.IGNORECASE)
    assert link.search(address)
    shown = words.escaped(address).replace("\\", "")
    assert not link.search(shown)
    assert shown.replace("\N{WORD JOINER}", "") == address


@pytest.mark.parametrize(
    "formula", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "＝1+1"]
)
def test_a_formula_is_inert_in_a_download(formula):
    assert tables.inert(formula) == f"'{formula}"


@pytest.mark.parametrize("cell", ["-24", -24, 0.5, "+3", "1e-05", "city_21", "", "<1"])
def test_numbers_and_plain_texts_are_left_as_they_are(cell):
    assert tables.inert(cell) == cell


def test_a_download_is_a_csv_with_blanks_for_what_is_unknown():
    content = tables.csv_of(["a", "=b"], [[1, None], ["x,y", "=1"]])
    assert list(csv.reader(io.StringIO(content.decode()))) == [
        ["a", "'=b"],
        ["1", ""],
        ["x,y", "'=1"],
    ]


def test_a_table_of_predictions_is_labelled_and_worded_and_keeps_numbers():
    frame = tables.predictions_frame(
        JOB_CHANGE,
        [{"Row": 7}],
        [{"city": "city_21", "experience": ">20", "company_size": None, "training_hours": 36}],
        [{"prediction": 1, "probability": 0.7}],
    )
    assert frame.to_dict("records") == [
        {
            "Row": 7,
            "Looking for a new job": "Yes",
            "Probability": 0.7,
            "City": "city_21",
            "Experience": "More than 20 years",
            "Company size": "Unknown",
            "Training time": 36,
        }
    ]


def test_a_closed_column_is_wide_enough_for_its_longest_value_whatever_rows_come_first():
    wide, narrow = tables.width_of(column("company_size")), tables.width_of(column("gender"))
    assert wide > 6 * len("10000 or more employees")
    assert narrow < wide


def test_a_blank_in_a_table_leaves_large_whole_numbers_as_they_are():
    features, prediction = {"training_hours": 36}, {"prediction": 0, "probability": 0.1}
    frame = tables.predictions_frame(
        JOB_CHANGE, [{"Id": 2**60 + 1}, {"Id": None}], [features] * 2, [prediction] * 2
    )
    assert frame["Id"].tolist() == [2**60 + 1, None]
