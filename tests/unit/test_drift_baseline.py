"""The baseline: what training data looked like, blanks included."""

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobchurn.contract import JOB_CHANGE
from jobchurn.drift import baseline, baseline_of
from small_model import random_records
from toy import TOY


def of(name, values, contract=TOY):
    return baseline_of(contract, {name: values}, [])["columns"][name]


def test_every_level_of_a_category_is_counted_and_blanks_as_a_share():
    first, second, third = TOY["maker"].levels
    found = of("maker", [second, None, first, second])
    assert found["levels"] == {first: 1, second: 2, third: 0}
    assert (found["rows"], found["missing"], found["rest"]) == (4, 0.25, 0)


def test_every_level_of_a_text_is_counted():
    found = of("site", ["b", "c", "c", "a", None])
    assert found["levels"] == {"a": 1, "b": 1, "c": 2}


def test_the_rarest_levels_of_a_text_make_up_the_rest(monkeypatch):
    monkeypatch.setattr(baseline, "MOST_LEVELS", 2)
    found = of("site", ["a", "a", "b", "b", "c", "d"])
    assert (found["levels"], found["rest"]) == ({"a": 2, "b": 2}, 2)


def test_a_number_is_cut_into_equally_filled_bins():
    found = of("temperature", [float(n) for n in range(100)])
    assert found["edges"] == [9.0, 19.0, 29.0, 39.0, 49.0, 59.0, 69.0, 79.0, 89.0]
    assert found["counts"] == [10] * 10
    assert (found["mean"], found["missing"]) == (49.5, 0.0)
    assert found["quantiles"][0] == 0.0
    assert found["quantiles"][50] == 49.0
    assert found["quantiles"][100] == 99.0


def test_a_value_that_most_rows_share_has_one_bin():
    found = of("temperature", [5.0] * 90 + [float(n) for n in range(10)])
    assert found["edges"] == sorted(set(found["edges"]))
    assert sum(found["counts"]) == 100


def test_a_constant_number_has_one_bin():
    found = of("temperature", [3.0, 3.0, 3.0])
    assert (found["edges"], found["counts"], found["sd"]) == ([], [3], 0.0)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.none() | st.floats(-40, 250), min_size=1, max_size=80))
def test_bins_hold_each_known_number_once(values):
    found = of("temperature", values)
    known = [value for value in values if value is not None]
    edges = [float("-inf"), *found["edges"], float("inf")]
    expected = [
        sum(low < value <= high for value in known) for low, high in itertools.pairwise(edges)
    ]
    assert found["counts"] == expected
    assert found["missing"] == pytest.approx(1 - len(known) / len(values))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.none() | st.floats(-40, 250) | st.integers(0, 9).map(float), max_size=150))
def test_the_distribution_function_is_exact_at_its_points_and_just_below_them(values):
    found = of("temperature", values)
    known = [value for value in values if value is not None]
    assert found["points"] == sorted(set(found["quantiles"]))
    assert found["below"] == [sum(v < point for v in known) for point in found["points"]]
    assert found["through"] == [sum(v <= point for v in known) for point in found["points"]]


def test_a_column_without_any_value_has_no_mean():
    found = of("temperature", [None, None])
    assert (found["missing"], found["mean"], found["quantiles"]) == (1.0, None, [])


def test_a_column_that_the_data_lack_is_blank_throughout():
    found = baseline_of(TOY, {"temperature": [1.0, 2.0]}, [0.5, 0.6])["columns"]
    assert found["site"]["missing"] == 1.0
    assert found["site"]["rows"] == 2


def test_no_rows_have_a_baseline_too():
    assert baseline_of(TOY, {}, [])["score"]["rows"] == 0


def test_the_score_is_described_as_a_number_is():
    score = baseline_of(TOY, {}, [0.1, 0.2, 0.3, 0.4])["score"]
    assert (score["rows"], score["mean"]) == (4, pytest.approx(0.25))


def test_protected_columns_are_watched_and_id_and_outcome_are_not():
    records = random_records(JOB_CHANGE, 50)
    columns = {c.name: [record[c.name] for record in records] for c in JOB_CHANGE.columns}
    found = baseline_of(JOB_CHANGE, columns, [0.5] * 50)
    assert list(found["columns"]) == [column.name for column in JOB_CHANGE.inputs]


def test_a_baseline_is_made_of_jsons_types():
    records = random_records(TOY, 50)
    columns = {c.name: [record[c.name] for record in records] for c in TOY.columns}
    found = baseline_of(TOY, columns, [0.5] * 50)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
