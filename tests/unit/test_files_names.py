import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobchurn import files
from jobchurn.files.names import LONGEST_NAME, LONGEST_SUFFIX

RAW_NAMES = st.binary(min_size=1, max_size=255).map(
    lambda raw: os.fsdecode(raw.replace(b"/", b"-").replace(b"\0", b"-"))
)


@pytest.mark.parametrize("name", ["a.csv", "a", ".csv", "a.b.csv", "x" * 200 + ".csv", "Ä ö.csv"])
def test_a_name_that_fits_stays_as_it_is(name):
    assert files.shortened(name) == name


def test_a_long_name_keeps_its_beginning_and_extension():
    short = files.shortened("report " + "x" * 300 + ".csv")
    assert short.startswith("report xxx")
    assert short.endswith(".csv")


def test_long_names_that_differ_only_where_they_are_cut_stay_different():
    assert files.shortened("x" * 250 + "a.csv") != files.shortened("x" * 250 + "b.csv")


def test_no_character_is_cut_in_two():
    files.shortened("ж" * 127 + ".csv").encode()


def test_an_extension_that_is_none_is_cut_as_well():
    assert len(os.fsencode(files.shortened("a." + "x" * 250))) <= LONGEST_NAME


@settings(deadline=None)
@given(RAW_NAMES, st.sampled_from(["", "-2", "-1000"]))
def test_a_shortened_name_takes_the_longest_suffix_and_that_of_a_temporary_file(name, suffix):
    short = files.shortened(name, suffix)
    assert len(os.fsencode(short + LONGEST_SUFFIX + ".0123456789abcdef.tmp")) <= 255


@settings(deadline=None)
@given(RAW_NAMES)
def test_shortening_twice_is_shortening_once(name):
    assert files.shortened(files.shortened(name)) == files.shortened(name)


def test_a_shortened_name_of_any_bytes_can_be_written(tmp_path):
    name = files.shortened(os.fsdecode(b"\xff\xfe\n" * 80 + b".csv"))
    files.write_atomically(tmp_path / f"{name}{LONGEST_SUFFIX}", b"x")
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}{LONGEST_SUFFIX}"]


def test_a_free_name_is_the_first_that_is_not_taken():
    taken = set()
    for expected in ("a.csv", "a-2.csv", "a-3.csv"):
        found = files.free_name("a.csv", taken.__contains__)
        assert found == expected
        taken.add(found)


def test_a_free_name_of_a_long_one_fits_too():
    long = "x" * 300 + ".csv"
    found = files.free_name(long, {files.shortened(long)}.__contains__)
    assert len(os.fsencode(found)) <= LONGEST_NAME
    assert found.endswith("-2.csv")


@settings(deadline=None)
@given(RAW_NAMES)
def test_a_printable_name_is_text_and_leads_back_to_the_name(name):
    text = files.printable(name)
    text.encode()
    assert "\0" not in text
    assert "\n" not in text
    assert files.from_printable(text) == name


@settings(deadline=None)
@given(st.text(st.characters()))
def test_every_text_leads_back_from_its_printable_form(name):
    assert files.from_printable(files.printable(name)) == name


def test_a_plain_name_is_printable_as_it_is():
    assert files.printable("Bericht März.csv") == "Bericht März.csv"


def test_what_is_no_text_is_escaped():
    assert files.printable(os.fsdecode(b"a\xff\n\\")) == r"a\xff\u000a\\"


def test_what_cannot_be_seen_is_escaped():
    name = "\u202efdp.\u2028\u200b\ufeff\U000e0041"
    assert files.printable(name) == r"\u202efdp.\u2028\u200b\ufeff\U000e0041"
    assert files.from_printable(files.printable(name)) == name
    assert files.printable("レポート　1.csv") == "レポート　1.csv"


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", "=cmd|'/c calc'!A1"],
)
def test_a_formula_gets_an_apostrophe(text):
    assert files.without_formula(text) == f"'{text}"


@pytest.mark.parametrize(
    "text", ["", "1", "-1", "+1.5e3", "a=1", "<10", ">20", "10/49", "'=1", " "]
)
def test_what_is_no_formula_stays(text):
    assert files.without_formula(text) == text
