"""Policy: how bad a file is, and when a probability is a yes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobchurn.policy import Criticality, DecisionPolicy, criticality_of
from jobchurn.verdict import Reason, Verdict

REASON = Reason(1, "x", "kind", "y", "y is no x")


def verdict(rows, bad, **more):
    return Verdict(rows_total=rows, bad=dict.fromkeys(range(1, bad + 1), (REASON,)), **more)


def judged(found):
    return criticality_of(found, medium=0.1, high=0.5)


@pytest.mark.parametrize(
    ("rows", "bad", "expected"),
    [
        (0, 0, "none"),
        (100, 0, "none"),
        (100, 1, "low"),
        (100, 9, "low"),
        (100, 10, "medium"),
        (100, 49, "medium"),
        (100, 50, "high"),
        (100, 100, "high"),
        (1, 1, "high"),
    ],
)
def test_criticality_follows_the_share_of_bad_rows_with_its_bounds(rows, bad, expected):
    assert judged(verdict(rows, bad)) == expected


@pytest.mark.parametrize("rows", [0, 1, 100])
def test_a_missing_required_column_is_highly_critical(rows):
    assert judged(verdict(rows, 0, missing=("x",))) is Criticality.HIGH


def test_a_refused_file_is_highly_critical():
    assert judged(verdict(0, 0, refusal=REASON)) is Criticality.HIGH


def test_one_bad_row_is_never_nothing():
    assert criticality_of(verdict(10**6, 1), medium=1, high=1) is Criticality.LOW


def test_the_thresholds_are_the_callers():
    assert criticality_of(verdict(100, 2), medium=0.01, high=0.02) is Criticality.HIGH


def test_criticalities_are_named_as_people_read_them():
    assert [str(c) for c in Criticality] == ["none", "low", "medium", "high"]


def test_a_missed_positive_that_costs_two_calls_is_avoided_from_a_third_on():
    policy = DecisionPolicy(2)
    assert policy.threshold == 1 / 3
    assert [policy.decide(p) for p in (0.0, 0.33, 1 / 3, 0.34, 1.0)] == [0, 0, 1, 1, 1]


@given(st.floats(0.01, 100), st.floats(0, 1))
def test_the_decision_is_the_cheaper_one(miss_cost, probability):
    cost_of_calling, cost_of_not = 1 - probability, probability * miss_cost
    decided = DecisionPolicy(miss_cost).decide(probability)
    if abs(cost_of_calling - cost_of_not) > 1e-9:
        assert decided == (cost_of_calling < cost_of_not)


@pytest.mark.parametrize(
    ("miss_cost", "version"), [(2.0, "miss-cost-2"), (2, "miss-cost-2"), (0.5, "miss-cost-0.5")]
)
def test_a_policys_version_names_its_cost(miss_cost, version):
    assert DecisionPolicy(miss_cost).version == version


def test_nearly_equal_costs_have_different_versions():
    assert DecisionPolicy(1.0000001).version != DecisionPolicy(1).version


@pytest.mark.parametrize("miss_cost", [0, -1, math.inf, math.nan])
def test_a_cost_that_is_none_is_refused(miss_cost):
    with pytest.raises(ValueError, match="not above 0"):
        DecisionPolicy(miss_cost)
