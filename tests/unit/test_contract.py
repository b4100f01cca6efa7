import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobchurn.contract import (
    BIGGEST_INTEGER,
    JOB_CHANGE,
    Column,
    Contract,
    Kind,
    Role,
    Rule,
    Violation,
    shown,
)

HOURS = JOB_CHANGE["training_hours"]
INDEX = JOB_CHANGE["city_development_index"]
SIZE = JOB_CHANGE["company_size"]
CITY = JOB_CHANGE["city"]
GENDER = JOB_CHANGE["gender"]


def broken(column: Column, text: str) -> Violation:
    with pytest.raises(Violation) as caught:
        column.read(text)
    return caught.value


def test_the_columns_are_those_of_the_data_set_in_its_order():
    assert [column.name for column in JOB_CHANGE.columns] == [
        "enrollee_id",
        "city",
        "city_development_index",
        "gender",
        "relevent_experience",
        "enrolled_university",
        "education_level",
        "major_discipline",
        "experience",
        "company_size",
        "company_type",
        "last_new_job",
        "training_hours",
        "target",
    ]


def test_neither_gender_nor_id_nor_outcome_is_a_feature():
    names = {column.name for column in JOB_CHANGE.features}
    assert len(names) == 11
    assert not names & {"gender", "enrollee_id", "target"}


def test_gender_is_an_input_that_is_kept():
    assert "gender" in {column.name for column in JOB_CHANGE.inputs}
    assert len(JOB_CHANGE.inputs) == 12


@pytest.mark.parametrize("column", [c for c in JOB_CHANGE.columns if not c.required])
def test_a_blank_in_an_optional_column_is_a_value(column):
    assert column.read("") is None
    assert column.admits(None)


@pytest.mark.parametrize("column", JOB_CHANGE.required)
def test_a_blank_in_a_required_column_is_refused(column):
    assert broken(column, "").rule is Rule.REQUIRED
    assert not column.admits(None)


@pytest.mark.parametrize("spelling", ["Oct-49", "10/49", "10-49"])
def test_a_spreadsheets_spelling_of_a_company_size_becomes_the_canonical_one(spelling):
    assert SIZE.read(spelling) == "10-49"
    assert SIZE.accept(spelling) == "10-49"


def test_an_unknown_city_is_admitted():
    assert CITY.read("Nowhere-on-Sea") == "Nowhere-on-Sea"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("inf", Rule.FINITE),
        ("-inf", Rule.FINITE),
        ("Infinity", Rule.FINITE),
        ("NaN", Rule.FINITE),
        ("1e400", Rule.FINITE),
        ("1_000", Rule.KIND),
        ("0x1F", Rule.KIND),
        ("１２", Rule.KIND),
        ("1,000", Rule.KIND),
        ("True", Rule.KIND),
        ("abc", Rule.KIND),
        (" 36", Rule.KIND),
        ("36.5", Rule.INTEGRAL),
        ("-5", Rule.RANGE),
        ("1001", Rule.RANGE),
    ],
)
def test_a_number_that_is_none_is_refused_with_its_rule(text, rule):
    assert broken(HOURS, text).rule is rule


def test_a_decimal_comma_is_refused_and_its_repair_suggested():
    violation = broken(INDEX, "0,92")
    assert violation.rule is Rule.KIND
    assert violation.repair == "0.92"


def test_a_separator_of_thousands_is_refused_and_its_repair_suggested():
    assert broken(JOB_CHANGE["enrollee_id"], "1,000").repair == "1000"


def test_a_repair_is_only_suggested_where_it_would_be_admitted():
    assert broken(INDEX, "1,000,000").repair is None


@pytest.mark.parametrize("text", ["36", "36.0", "36.", "+36", "3.6e1"])
def test_a_whole_number_may_be_spelt_with_an_empty_fraction(text):
    value = HOURS.read(text)
    assert value == 36
    assert type(value) is int


def test_minus_zero_is_zero():
    assert str(INDEX.read("-0.0")) == "0.0"


@pytest.mark.parametrize("text", ["0", "1", "0.0", "1.0"])
def test_an_outcome_may_come_as_a_fraction(text):
    assert JOB_CHANGE.outcome.read(text) in (0, 1)


def test_an_integer_one_bit_beyond_the_range_is_refused():
    ids = JOB_CHANGE["enrollee_id"]
    assert ids.read(str(BIGGEST_INTEGER)) == BIGGEST_INTEGER
    assert broken(ids, str(BIGGEST_INTEGER + 1)).rule is Rule.RANGE


def test_a_number_of_ten_thousand_digits_is_refused_without_a_crash():
    assert broken(HOURS, "9" * 10_000).rule in (Rule.RANGE, Rule.FINITE)


@pytest.mark.parametrize("text", ["male", "MALE", "Mаle", "Ｍale", "Ma\u200ble", "Mal"])
def test_a_look_alike_of_a_category_is_refused_and_its_repair_suggested(text):
    violation = broken(GENDER, text)
    assert violation.rule is Rule.DOMAIN
    assert violation.repair == "Male"


@pytest.mark.parametrize("text", ["NA", "None", "null"])
def test_a_word_for_nothing_is_text_as_it_stands(text):
    assert CITY.read(text) == text
    assert broken(GENDER, text).rule is Rule.DOMAIN


def test_a_text_with_a_control_character_is_refused():
    assert broken(CITY, "city\x001").rule is Rule.CHARACTERS


def test_a_text_beyond_its_length_is_refused():
    assert CITY.read("x" * 64)
    assert broken(CITY, "x" * 65).rule is Rule.LENGTH


@pytest.mark.parametrize("value", ["36", True, [36], {"hours": 36}, float("nan"), float("inf")])
def test_json_is_strict_about_numbers(value):
    assert not HOURS.admits(value)


def test_a_json_number_without_a_fraction_is_a_whole_number():
    assert HOURS.accept(36.0) == 36


def test_a_json_integer_counts_as_the_category_of_its_text():
    assert JOB_CHANGE["experience"].accept(5) == "5"
    assert JOB_CHANGE["last_new_job"].accept(1) == "1"


@pytest.mark.parametrize("value", [True, 5.0, 21, -1, 10**30])
def test_no_other_json_number_counts_as_a_category(value):
    assert not JOB_CHANGE["experience"].admits(value)


def test_an_integer_too_long_to_spell_is_refused_without_a_crash():
    assert not JOB_CHANGE["experience"].admits(10**5000)
    assert not HOURS.admits(10**5000)


def test_an_empty_json_text_is_no_category():
    assert not GENDER.admits("")


def test_the_violation_says_what_is_allowed():
    assert str(broken(HOURS, "-5")) == (
        "training_hours is '-5': out of range; allowed: a whole number from 0 to 1000"
    )


@given(st.text())
def test_reading_any_text_gives_a_value_or_a_violation(text):
    for column in JOB_CHANGE.columns:
        try:
            value = column.read(text)
        except Violation as violation:
            assert violation.rule in column.rules
        else:
            assert column.admits(value)


@given(st.text())
def test_a_canonical_value_reads_back_as_itself(text):
    for column in JOB_CHANGE.columns:
        try:
            value = column.read(text)
        except Violation:
            continue
        assert column.read(column.write(value)) == value
        assert column.accept(value) == value


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda children: st.lists(children) | st.dictionaries(st.text(), children),
        max_leaves=5,
    )
)
def test_accepting_any_json_value_gives_a_value_or_a_violation(value):
    for column in JOB_CHANGE.columns:
        try:
            column.accept(value)
        except Violation as violation:
            assert violation.rule in (*column.rules, Rule.KIND)


@given(st.text(max_size=200) | st.integers() | st.none())
def test_what_is_shown_of_a_value_is_short_and_printable(value):
    text = shown(value)
    assert len(text) <= 60
    assert "\x00" not in text


def changed(column: str, **changes) -> Contract:
    return dataclasses.replace(
        JOB_CHANGE,
        columns=tuple(
            dataclasses.replace(c, **changes) if c.name == column else c for c in JOB_CHANGE.columns
        ),
    )


def test_a_new_spelling_keeps_the_fingerprint():
    wider = changed("company_size", spellings={"Oct-49": "10-49", "10 to 49": "10-49"})
    assert wider.fingerprint == JOB_CHANGE.fingerprint


def test_a_better_description_keeps_the_fingerprint():
    assert changed("city", meaning="Where.", label="Town").fingerprint == JOB_CHANGE.fingerprint


@pytest.mark.parametrize(
    "changes",
    [
        {"levels": ("Male", "Female")},
        {"levels": ("Female", "Male", "Other")},
        {"role": Role.FEATURE},
        {"kind": Kind.ORDERED},
        {"name": "sex"},
    ],
)
def test_another_promise_changes_the_fingerprint(changes):
    assert changed("gender", **changes).fingerprint != JOB_CHANGE.fingerprint


def test_another_order_of_columns_changes_the_fingerprint():
    turned = dataclasses.replace(JOB_CHANGE, columns=JOB_CHANGE.columns[::-1])
    assert turned.fingerprint != JOB_CHANGE.fingerprint


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("trainig_hours", "training_hours"),
        ("relevant_experience", "relevent_experience"),
        ("GENDER", "gender"),
        ("zzz", None),
    ],
)
def test_a_misspelt_name_finds_the_column_that_was_meant(name, meant):
    assert JOB_CHANGE.nearest_name(name) == meant


def column(**changes) -> Column:
    fields = {"name": "y", "label": "", "kind": Kind.INTEGER, "role": Role.OUTCOME, "meaning": ""}
    return Column(**{**fields, "minimum": 0, "maximum": 1, **changes})


@pytest.mark.parametrize(
    "columns",
    [
        (column(), column()),
        (column(role=Role.FEATURE),),
        (column(), column(name="x", role=Role.OUTCOME)),
        (column(), column(name="a", role=Role.ID), column(name="b", role=Role.ID)),
        (column(), column(name="x", role=Role.FEATURE, kind=Kind.CATEGORY)),
        (column(), column(name="x", role=Role.FEATURE, minimum=None)),
        (column(), column(name="x", role=Role.FEATURE, kind=Kind.TEXT)),
        (
            column(),
            column(
                name="x",
                role=Role.FEATURE,
                kind=Kind.CATEGORY,
                levels=("a",),
                spellings={"b": "c"},
            ),
        ),
    ],
)
def test_a_contract_that_contradicts_itself_is_refused(columns):
    with pytest.raises(ValueError, match=r"."):
        Contract(name="n", subject="s", positive="p", negative="n", columns=columns)


def test_a_text_with_control_characters_has_a_repair_that_would_be_admitted():
    assert broken(CITY, "city\x00_103").repair == "city_103"
    for text in ("\x00", "\x01" + "x" * 65, "\x01" + "x" * 1_000_000, "\x01x" * 100_000):
        assert broken(CITY, text).repair is None


def test_a_very_long_text_is_shown_by_its_beginning():
    assert shown("x" * 100_000) == shown("x" * 100) == "'" + "x" * 58 + "…"
    assert shown("\x00" * 100_000) == shown("\x00" * 100)
