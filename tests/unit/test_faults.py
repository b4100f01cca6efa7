import dataclasses
from random import Random

import pytest

from jobchurn.contract import JOB_CHANGE, Kind, Role
from jobchurn.faults import faults_of

FAULTS = {fault.number: fault for fault in faults_of(JOB_CHANGE)}


def injected(number, text):
    """All that a fault puts in place of a text."""
    fault = FAULTS[number]
    return {fault.inject({fault.column.name: text}, Random(seed)) for seed in range(100)}


def contract_of(*columns):
    return dataclasses.replace(JOB_CHANGE, columns=columns)


def test_a_missing_value_is_blank():
    assert injected(1, "city_103") == {""}


def test_an_infinite_number_has_either_sign():
    assert injected(2, "0.92") == {"inf", "-inf", "Infinity", "-Infinity"}


def test_an_unknown_level_is_another_word_or_the_own_level_misspelt():
    assert {"Unknown", "mALE", "Malee"} <= injected(3, "Male")


def test_an_unknown_level_can_take_the_place_of_a_blank():
    assert "" not in injected(3, "")


def test_an_impossible_number_is_negative_where_the_least_is_zero():
    assert all(int(text) < 0 for text in injected(5, "36"))


def test_a_text_in_a_number_may_be_the_number_with_its_unit():
    assert {"36 hours", "twelve"} <= injected(6, "36")


def test_an_outlier_is_a_thousand_times_the_range_or_more():
    assert injected(7, "0.92") == {"1000", "10000", "100000"}


def test_each_fault_says_in_a_sentence_what_it_does_to_which_column():
    for fault in FAULTS.values():
        assert fault.column.label in fault.description
        assert fault.description.endswith(".")


def test_only_the_last_fault_takes_the_column():
    assert [n for n, fault in FAULTS.items() if fault.takes_the_column] == [8]


def test_no_fault_touches_the_outcome():
    outcome = JOB_CHANGE.outcome
    assert faults_of(contract_of(outcome)) == []


def test_a_feature_is_preferred_to_the_id_and_the_id_to_nothing():
    assert all(fault.column.role is not Role.ID for fault in FAULTS.values())
    bare = contract_of(JOB_CHANGE.id, JOB_CHANGE.outcome)
    assert {fault.column.role for fault in faults_of(bare)} == {Role.ID}


def test_the_only_required_column_is_not_taken_out_as_no_header_would_be_left():
    bare = contract_of(JOB_CHANGE.id, JOB_CHANGE.outcome)
    assert 8 not in [fault.number for fault in faults_of(bare)]


@pytest.mark.parametrize(("minimum", "maximum"), [(-1e300, 1.0), (0.0, 1e305), (-1e308, 1e308)])
def test_a_number_without_room_beyond_its_bounds_is_left_alone(minimum, maximum):
    wide = dataclasses.replace(
        JOB_CHANGE["city_development_index"], kind=Kind.NUMBER, minimum=minimum, maximum=maximum
    )
    numbers = [fault.number for fault in faults_of(contract_of(wide, JOB_CHANGE.outcome))]
    assert 2 in numbers
    assert not {5, 7} & set(numbers)
