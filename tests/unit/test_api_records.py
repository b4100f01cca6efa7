import pytest

from jobchurn.api.faults import LISTED
from jobchurn.api.records import DESCRIBED, UNKNOWN_FIELDS, Reader
from jobchurn.api.schema import example_of
from jobchurn.contract import JOB_CHANGE, Column, Contract
from jobchurn.errors import InvalidRecords

GOOD = example_of(JOB_CHANGE)


@pytest.fixture(scope="module")
def reader():
    return Reader(JOB_CHANGE)


def only_error(reader, record):
    reading = reader.read([GOOD, record])
    [refusal] = reading.refused
    assert refusal["record"] == 2
    assert len(reading.accepted) == 1
    [error] = refusal["errors"]
    return error


def test_an_accepted_record_has_every_column_and_null_where_one_is_absent(reader):
    [record] = reader.read([{k: v for k, v in GOOD.items() if k != "gender"}]).accepted
    assert list(record) == list(JOB_CHANGE.by_name)
    assert record["gender"] is record["enrollee_id"] is record["target"] is None


def test_id_and_outcome_may_be_present_absent_or_null(reader):
    extras = [{"enrollee_id": 8949, "target": 1.0}, {"enrollee_id": None, "target": None}, {}]
    reading = reader.read([GOOD | extra for extra in extras])
    assert [(r["enrollee_id"], r["target"]) for r in reading.accepted] == [
        (8949, 1),
        (None, None),
        (None, None),
    ]


def test_values_become_canonical(reader):
    record = {"experience": 5, "company_size": "Oct-49", "training_hours": 36.0}
    [canonical] = reader.read([GOOD | record]).accepted
    assert canonical["experience"] == "5"
    assert canonical["company_size"] == "10-49"
    assert type(canonical["training_hours"]) is int


def test_an_error_names_field_value_rule_what_is_allowed_and_what_was_meant(reader):
    assert only_error(reader, GOOD | {"gender": "Mal"}) == {
        "field": "gender",
        "value": "Mal",
        "rule": "domain",
        "allowed": "Male, Female, Other, or blank",
        "nearest": "Male",
        "message": "gender is 'Mal': not a known value; allowed: Male, Female, Other, or blank",
    }


def test_an_unknown_field_is_refused_with_the_name_that_was_meant(reader):
    error = only_error(reader, GOOD | {"trainig_hours": 5})
    assert error["rule"] == "unknown field"
    assert error["nearest"] == "training_hours"
    assert "did you mean training_hours?" in error["message"]


def test_a_missing_required_field_is_named(reader):
    error = only_error(reader, {k: v for k, v in GOOD.items() if k != "city"})
    assert (error["field"], error["rule"], error["value"]) == ("city", "required", None)


@pytest.mark.parametrize("record", [None, 5, "x", [], [GOOD], True])
def test_a_record_that_is_no_object_is_refused(reader, record):
    assert only_error(reader, record)["rule"] == "object"


@pytest.mark.parametrize("value", [{"a": 1}, [1], [[[]]], {}])
def test_a_list_or_object_is_no_value_and_is_shown_by_its_kind(reader, value):
    error = only_error(reader, GOOD | {"training_hours": value})
    assert error["value"] in ("a list", "an object")


def test_a_number_as_text_is_refused(reader):
    assert only_error(reader, GOOD | {"training_hours": "36"})["rule"] == "kind"


def test_true_is_no_number_even_where_one_was_just_admitted(reader):
    assert reader.read([GOOD | {"training_hours": 1}]).accepted
    assert only_error(reader, GOOD | {"training_hours": True})["rule"] == "kind"


def test_what_is_echoed_is_short_and_printable(reader):
    long = only_error(reader, GOOD | {"city": "x" * 100_000})
    assert len(long["value"]) <= 60
    unprintable = only_error(reader, GOOD | {"city": "a\x00b"})
    assert unprintable["value"] == "'a\\x00b'"
    name = only_error(reader, GOOD | {"\x00" * 1000: 1})
    assert len(name["field"]) <= 60
    assert "\x00" not in name["field"]


def test_several_errors_of_one_record_are_all_named(reader):
    [refusal] = reader.read([GOOD | {"gender": "x", "city": "", "y": 1}]).refused
    assert [error["field"] for error in refusal["errors"]] == ["city", "gender", "y"]


def test_a_refused_request_lists_the_first_errors_and_counts_the_rest(reader):
    reading = reader.read([GOOD, *[GOOD | {"gender": "x"}] * 150])
    with pytest.raises(InvalidRecords) as caught:
        reading.raise_if_refused()
    details = caught.value.details
    assert len(details["errors"]) == LISTED
    assert details["errors_not_listed"] == 150 - LISTED
    assert details["errors"][0]["record"] == 2
    assert "150 of 151 records" in caught.value.message
    assert "Record 2: gender is 'x'" in caught.value.message


def test_a_request_without_errors_is_not_refused(reader):
    reader.read([GOOD]).raise_if_refused()


def test_a_record_of_a_million_unknown_fields_is_refused_at_once_and_they_are_counted(reader):
    reading = reader.read([GOOD | {f"field_{i}": i for i in range(1_000_000)}])
    assert len(reading.refused[0]["errors"]) <= len(JOB_CHANGE.columns) + UNKNOWN_FIELDS
    assert reading.errors == 1_000_000


def test_beyond_many_errors_only_the_first_of_each_record_is_listed(reader):
    reading = reader.read([GOOD | {"gender": "x", "city": ""}] * DESCRIBED)
    assert len(reading.refused) == DESCRIBED
    assert len(reading.refused[0]["errors"]) == 2
    assert len(reading.refused[-1]["errors"]) == 1


def test_names_are_guessed_for_so_many_errors_and_no_more(reader, monkeypatch):
    guessed = []
    monkeypatch.setattr(Contract, "nearest_name", lambda _, name: guessed.append(name))
    fields = {f"name-{number}": 1 for number in range(UNKNOWN_FIELDS)}
    reading = reader.read([fields] * (2 * DESCRIBED))
    assert len(reading.refused) == 2 * DESCRIBED
    assert len(guessed) <= DESCRIBED + UNKNOWN_FIELDS


def test_values_are_guessed_for_so_many_errors_and_no_more(reader, monkeypatch):
    guessed = []
    monkeypatch.setattr(Column, "nearest", lambda _, text: guessed.append(text))
    reading = reader.read([GOOD | {"gender": f"x{n}"} for n in range(2 * DESCRIBED)])
    assert len(reading.refused) == 2 * DESCRIBED
    assert len(guessed) == DESCRIBED
