"""The decision: Holm over the window, a least effect, and two windows running to page."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobchurn.drift.decide import ALPHA, LEAST_EFFECT, Comparison, Decision, decide, holm
from jobchurn.drift.two_sample import Test as Outcome

quick = settings(deadline=None, max_examples=100)
p_values = st.lists(st.floats(0, 1), max_size=30)


def compared(feature="a", p=None, effect=0.2, blank_p=None, missing=0.0, before=0.0):
    return Comparison(
        feature=feature,
        kind="category",
        known=None if p is None else Outcome("chi-square", 1.0, p),
        blank=None if blank_p is None else Outcome("chi-square", 1.0, blank_p),
        effect=effect,
        psi=0.0,
        missing=missing,
        missing_baseline=before,
    )


def decisions(*comparisons, drifted_before=()):
    return [found.decision for found in decide(comparisons, drifted_before)]


def test_holm_agrees_with_an_example_made_by_hand():
    # Sorted: 0.005 × 4 = 0.02; 0.01 × 3 = 0.03; 0.03 × 2 = 0.06; 0.04 × 1 is raised to 0.06.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_stops_at_1():
    assert holm([0.6, 0.9]) == [1.0, 1.0]


def test_holm_leaves_a_single_test_as_it_is():
    assert holm([0.02]) == [0.02]


def test_holm_of_nothing_is_nothing():
    assert holm([]) == []


@quick
@given(p_values)
def test_holm_corrects_upwards_and_no_further_than_bonferroni(values):
    for value, corrected in zip(values, holm(values), strict=True):
        assert value <= corrected <= min(1.0, value * len(values))


@quick
@given(p_values)
def test_holm_keeps_the_order(values):
    corrected = holm(values)
    order = sorted(range(len(values)), key=values.__getitem__)
    assert [corrected[i] for i in order] == sorted(corrected)


@quick
@given(p_values.filter(bool), st.randoms(use_true_random=False))
def test_holm_does_not_look_at_the_order_of_tests(values, random):
    places = list(range(len(values)))
    random.shuffle(places)
    assert holm([values[i] for i in places]) == [holm(values)[i] for i in places]


def test_a_sure_and_large_difference_warns():
    assert decisions(compared(p=1e-6)) == [Decision.WARN]


def test_a_difference_that_chance_may_have_made_is_quiet():
    assert decisions(compared(p=0.011)) == [Decision.QUIET]


def test_a_sure_but_small_difference_is_quiet():
    assert decisions(compared(p=0.0, effect=LEAST_EFFECT - 1e-6)) == [Decision.QUIET]
    assert decisions(compared(p=0.0, effect=LEAST_EFFECT)) == [Decision.WARN]


def test_the_more_is_tested_the_surer_a_difference_must_be():
    alone, others = compared(p=ALPHA / 5), [compared(str(n), p=0.9) for n in range(9)]
    assert decisions(alone) == [Decision.WARN]
    assert set(decisions(alone, *others)) == {Decision.QUIET}


def test_blanks_count_as_tests_of_their_own():
    values, blanks = compared("a", p=ALPHA * 0.6), compared("b", blank_p=0.9)
    assert decisions(values, blanks) == [Decision.QUIET, Decision.QUIET]


def test_blanks_alone_can_warn_whether_more_or_fewer():
    more = compared(p=0.9, effect=0.0, blank_p=1e-9, missing=0.3, before=0.2)
    fewer = compared("b", p=0.9, effect=0.0, blank_p=1e-9, missing=0.2, before=0.3)
    assert decisions(more, fewer) == [Decision.WARN, Decision.WARN]


def test_a_small_change_of_blanks_is_not_made_large_by_the_effect_on_values():
    blanks = compared(p=0.9, effect=0.5, blank_p=1e-9, missing=0.21, before=0.2)
    assert decisions(blanks) == [Decision.QUIET]


def test_a_large_change_of_blanks_does_not_make_a_small_one_of_values_large():
    values = compared(p=1e-9, effect=0.001, blank_p=0.9, missing=0.4, before=0.2)
    assert decisions(values) == [Decision.QUIET]


def test_the_lesser_corrected_p_value_is_told():
    (found,) = decide([compared(p=0.02, blank_p=0.001)], ())
    assert (found.p_value, found.missing_p_value) == (0.02, 0.001)
    assert found.p_adjusted == pytest.approx(0.002)


def test_what_could_not_be_tested_is_quiet():
    (found,) = decide([compared(effect=None)], {("category", "a")})
    assert (found.test, found.statistic, found.p_value) == (None, None, None)
    assert (found.p_adjusted, found.decision) == (1.0, Decision.QUIET)


def test_the_same_feature_in_two_windows_running_pages():
    assert decisions(compared(p=0.0), drifted_before={("category", "a")}) == [Decision.PAGE]


def test_another_feature_in_the_window_before_does_not_page():
    assert decisions(compared(p=0.0), drifted_before={("category", "b")}) == [Decision.WARN]


def test_a_feature_of_the_same_name_and_another_kind_does_not_page():
    assert decisions(compared(p=0.0), drifted_before={("score", "a")}) == [Decision.WARN]


def test_a_feature_that_is_over_it_is_quiet():
    assert decisions(compared(p=0.5), drifted_before={("category", "a")}) == [Decision.QUIET]


def test_decisions_are_ordered_by_gravity():
    assert max(Decision.WARN, Decision.PAGE, Decision.QUIET) == Decision.PAGE == 2
