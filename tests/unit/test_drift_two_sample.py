"""Two samples: the tests of difference and the measures of its size."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from jobchurn.drift import baseline_of
from jobchurn.drift.two_sample import (
    LEAST_EXPECTED,
    independence,
    kolmogorov_smirnov,
    pooled,
    psi,
    total_variation,
)
from toy import TOY

quick = settings(deadline=None, max_examples=100)

tables = st.integers(1, 8).flatmap(
    lambda cells: st.tuples(
        *[
            st.lists(st.integers(0, 300), min_size=cells, max_size=cells).map(np.array)
            for _ in range(2)
        ]
    )
)
"""Two samples over the same cells."""

numbers = st.lists(st.floats(-40, 250) | st.integers(0, 5).map(float), min_size=2, max_size=100)


def counted(*counts):
    return np.array(counts, dtype=np.int64)


def baseline_of_numbers(values):
    return baseline_of(TOY, {"temperature": values}, [])["columns"]["temperature"]


def gap(training, window):
    return kolmogorov_smirnov(baseline_of_numbers(training), np.array(window, dtype=float))


def test_cells_that_are_large_enough_stay_as_they_are():
    first, second = pooled(counted(60, 40), counted(30, 70))
    assert sorted(zip(first, second, strict=True)) == [(40, 70), (60, 30)]


def test_small_cells_become_one():
    first, second = pooled(counted(1000, 30, 20, 10), counted(90, 3, 3, 2))
    assert sorted(zip(first, second, strict=True)) == [(60, 8), (1000, 90)]


def test_small_cells_that_are_small_even_together_take_the_next_smallest():
    first, second = pooled(counted(500, 400, 3), counted(50, 40, 0))
    assert sorted(zip(first, second, strict=True)) == [(403, 40), (500, 50)]


def test_two_cells_stay_two_however_small_one_is():
    first, second = pooled(counted(1000, 3), counted(100, 0))
    assert sorted(zip(first, second, strict=True)) == [(3, 0), (1000, 100)]


def test_a_cell_that_is_empty_on_both_sides_is_gone():
    first, second = pooled(counted(50, 0, 50), counted(30, 0, 70))
    assert (len(first), len(second)) == (2, 2)


@quick
@given(tables)
def test_pooling_loses_no_row(table):
    first, second = pooled(*table)
    assert (first.sum(), second.sum()) == (table[0].sum(), table[1].sum())


@quick
@given(tables)
def test_after_pooling_only_the_last_two_cells_can_be_small(table):
    first, second = pooled(*table)
    both = first + second
    assume(len(both) > 2)
    expected = both * min(first.sum(), second.sum()) / both.sum()
    assert expected.min() >= LEAST_EXPECTED - 1e-9


@quick
@given(tables)
def test_pooling_does_not_depend_on_the_order_of_cells(table):
    first, second = table
    there, back = pooled(first, second), pooled(first[::-1], second[::-1])
    assert [side.tolist() for side in there] == [side.tolist() for side in back]


@quick
@given(tables)
def test_chi_square_is_that_of_the_textbook(table):
    first, second = pooled(*table)
    found = independence(first, second)
    assume(found is not None and found.name == "chi-square")
    expected = stats.chi2_contingency([first, second], correction=False)
    assert found.statistic == pytest.approx(expected.statistic, abs=1e-9)
    assert found.p_value == pytest.approx(expected.pvalue)


@quick
@given(tables)
def test_the_test_of_levels_takes_both_samples_alike(table):
    there = independence(*pooled(*table))
    back = independence(*pooled(table[1], table[0]))
    assert (there is None) == (back is None)
    if there is not None:
        assert there.name == back.name
        assert there.p_value == pytest.approx(back.p_value, rel=1e-6)


def test_two_cells_of_which_one_is_small_are_tested_exactly():
    found = independence(counted(1000, 2), counted(95, 5))
    assert found.name == "fisher"
    assert found.p_value == pytest.approx(stats.fisher_exact([[1000, 2], [95, 5]]).pvalue)


def test_an_infinite_odds_ratio_is_not_told():
    found = independence(counted(1000, 0), counted(95, 5))
    assert found.statistic is None
    assert found.p_value < 1e-4


def test_one_cell_cannot_be_told_apart():
    assert independence(counted(1000), counted(10)) is None


def test_an_empty_sample_cannot_be_told_apart():
    assert independence(*pooled(counted(60, 40), counted(0, 0))) is None
    assert total_variation(counted(60, 40), counted(0, 0)) is None
    assert psi(counted(60, 40), counted(0, 0)) is None


@quick
@given(numbers, numbers)
def test_the_distance_of_few_numbers_is_that_of_the_textbook(training, window):
    found = gap(training, window)
    expected = stats.ks_2samp(training, window, method="asymp")
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.p_value == pytest.approx(expected.pvalue)


@quick
@given(st.integers(0, 2**32 - 1), st.integers(1, 400))
def test_the_distance_of_many_numbers_is_at_most_a_percent_short(seed, count):
    random = np.random.default_rng(seed)
    training, window = random.normal(size=3_000), random.normal(0.2, 1.1, size=count)
    exact = stats.ks_2samp(training, window).statistic
    assert exact - 0.01 - 1 / 3_000 <= gap(training.tolist(), window).statistic <= exact + 1e-12


def test_a_constant_that_moves_however_little_is_seen():
    assert gap([3.0] * 100, [2.999] * 100).statistic == 1
    assert gap([3.0] * 100, [3.001] * 100).statistic == 1


def test_the_same_numbers_have_no_distance():
    values = [float(n % 37) for n in range(500)]
    found = gap(values, values)
    assert (found.statistic, found.p_value) == (0, 1)


def test_no_numbers_on_a_side_cannot_be_told_apart():
    assert gap([1.0, 2.0], []) is None
    assert gap([None, None], [1.0, 2.0]) is None


def test_total_variation_is_the_share_that_would_have_to_change():
    assert total_variation(counted(50, 30, 20), counted(5, 4, 1)) == pytest.approx(0.1)


@quick
@given(tables)
def test_total_variation_is_symmetric_and_between_0_and_1(table):
    first, second = table
    assume(first.sum() and second.sum())
    found = total_variation(first, second)
    assert found == pytest.approx(total_variation(second, first))
    assert 0 <= found <= 1 + 1e-12


@quick
@given(tables)
def test_psi_is_symmetric_finite_and_never_negative(table):
    first, second = table
    assume(first.sum() and second.sum())
    found = psi(first, second)
    assert found == pytest.approx(psi(second, first))
    assert 0 <= found < 50


@quick
@given(tables, st.integers(1, 20))
def test_psi_of_equal_distributions_is_0(table, times):
    assume(table[0].sum())
    assert psi(table[0], table[0] * times) == pytest.approx(0, abs=1e-9)


def test_psi_of_large_counts_is_that_of_the_formula():
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.3, 0.3])
    expected = np.sum((p - q) * np.log(p / q))
    assert psi((p * 1e6).astype(int), (q * 1e6).astype(int)) == pytest.approx(expected, rel=1e-4)


def test_what_only_knows_a_baseline_does_not_load_scipy():
    code = "import jobchurn.model, jobchurn.drift, sys; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
