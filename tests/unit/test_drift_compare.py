"""Windows compared with training: quiet data is quiet, and each fault is found."""

import copy
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobchurn import synth
from jobchurn.contract import JOB_CHANGE
from jobchurn.drift import Decision, baseline_of, compare, unseen
from jobchurn.errors import BaselineUnusable
from small_model import random_records
from toy import TOY

MAKERS = TOY["maker"].levels
TRAINING_ROWS = 4_000


def machines(rows, seed, makers=(0.6, 0.3, 0.1), blank=0.2):
    """Columns of the toy contract and scores, drawn at random."""
    random = np.random.default_rng(seed)
    sites = [f"Hall {n}" for n in random.zipf(1.6, rows) % 40]
    makers = random.choice(MAKERS, rows, p=makers).tolist()
    return {
        "temperature": random.normal(70, 8, rows).round(1).tolist(),
        "maker": [None if random.random() < blank else maker for maker in makers],
        "site": [None if random.random() < 0.05 else site for site in sites],
    }, random.beta(2, 5, rows).tolist()


BASELINE = baseline_of(TOY, *machines(TRAINING_ROWS, seed=1))


def found_in(columns, scores, baseline=BASELINE, **options):
    return {f.feature: f for f in compare(baseline, TOY, columns, scores, **options)}


def warned(columns, scores, **options):
    return {name for name, f in found_in(columns, scores, **options).items() if f.decision}


def with_maker(makers):
    """A baseline and a window that differ in their makers alone."""
    columns, scores = machines(len(makers), seed=2)
    return {**columns, "maker": makers}, scores


def test_each_input_and_the_score_are_compared_in_the_order_of_the_contract():
    found = compare(BASELINE, TOY, *machines(300, seed=2))
    assert [(f.kind, f.feature) for f in found] == [
        ("number", "temperature"),
        ("category", "maker"),
        ("text", "site"),
        ("score", "score"),
    ]


def test_protected_columns_are_compared_and_id_and_outcome_are_not():
    records = random_records(JOB_CHANGE, 200)
    columns = {c.name: [record[c.name] for record in records] for c in JOB_CHANGE.columns}
    scores = [0.5] * 200
    found = compare(baseline_of(JOB_CHANGE, columns, scores), JOB_CHANGE, columns, scores)
    assert [f.feature for f in found] == [*(c.name for c in JOB_CHANGE.inputs), "score"]


def test_each_kind_has_the_test_that_suits_it():
    found = found_in(*machines(300, seed=2))
    assert {name: f.test for name, f in found.items()} == {
        "temperature": "kolmogorov-smirnov",
        "maker": "chi-square",
        "site": "chi-square",
        "score": "kolmogorov-smirnov",
    }


@pytest.mark.parametrize("rows", [100, 200, 500, 1000, 5000])
def test_quiet_data_are_quiet(rows):
    noisy = sum(bool(warned(*machines(rows, seed=seed))) for seed in range(100, 140))
    assert noisy <= 3  # of 40 windows, where 1% may be noisy


def test_training_compared_with_itself_is_no_drift_at_all():
    found = compare(BASELINE, TOY, *machines(TRAINING_ROWS, seed=1))
    assert [f.p_adjusted for f in found] == [1, 1, 1, 1]
    assert [f.effect for f in found] == pytest.approx([0, 0, 0, 0])
    assert [f.psi for f in found] == pytest.approx([0, 0, 0, 0])


def test_a_level_that_becomes_frequent_is_found():
    assert warned(*machines(500, seed=2, makers=(0.4, 0.2, 0.4))) == {"maker"}


def test_a_text_that_becomes_frequent_is_found():
    columns, scores = machines(500, seed=2)
    columns["site"][:60] = ["Hall 5"] * 60
    assert warned(columns, scores) == {"site"}


def test_a_number_that_moves_is_found_with_its_size():
    columns, scores = machines(500, seed=2)
    columns["temperature"] = [value + 4 for value in columns["temperature"]]
    found = found_in(columns, scores)["temperature"]
    assert found.decision == Decision.WARN
    assert found.mean == pytest.approx(74, abs=1)
    assert found.shift == pytest.approx(0.5, abs=0.15)
    assert found.effect == pytest.approx(0.2, abs=0.06)


def test_a_number_that_spreads_about_the_same_mean_is_found():
    columns, scores = machines(500, seed=2)
    columns["temperature"] = [70 + 2 * (value - 70) for value in columns["temperature"]]
    assert warned(columns, scores) == {"temperature"}


def test_a_score_that_moves_is_found():
    columns, scores = machines(500, seed=2)
    assert warned(columns, [score**0.7 for score in scores]) == {"score"}


def test_more_blanks_are_found_though_the_values_stay_alike():
    found = found_in(*machines(500, seed=2, blank=0.35))["maker"]
    assert found.decision == Decision.WARN
    assert found.p_value > 0.01
    assert found.missing_p_value < 1e-6
    assert found.missing == pytest.approx(0.35, abs=0.05)
    assert found.missing_baseline == pytest.approx(0.2, abs=0.02)
    assert found.psi > 0.05


def test_fewer_blanks_are_found():
    assert warned(*machines(500, seed=2, blank=0.05)) == {"maker"}


def test_a_column_that_goes_blank_throughout_is_found():
    columns, scores = machines(200, seed=2)
    found = found_in({**columns, "site": [None] * 200}, scores)["site"]
    assert (found.missing, found.test, found.effect) == (1.0, None, None)
    assert found.decision == Decision.WARN


def test_a_column_that_the_window_lacks_is_blank_throughout():
    columns, scores = machines(200, seed=2)
    del columns["maker"]
    assert found_in(columns, scores)["maker"].missing == 1.0
    assert warned(columns, scores) == {"maker"}


def test_a_required_column_has_no_test_of_blanks():
    assert found_in(*machines(200, seed=2))["temperature"].missing_p_value is None


def test_a_required_column_that_comes_blank_even_so_is_found():
    columns, scores = machines(200, seed=2)
    assert warned({**columns, "temperature": [None] * 200}, scores) == {"temperature"}


def test_a_column_that_was_blank_throughout_in_training_is_found_once_it_is_filled():
    columns, scores = machines(1000, seed=1)
    empty = baseline_of(TOY, {**columns, "maker": [None] * 1000}, scores)
    found = found_in(*machines(200, seed=2), baseline=empty)["maker"]
    assert (found.test, found.missing_baseline, found.decision) == (None, 1.0, Decision.WARN)


def test_a_column_that_is_blank_throughout_as_it_was_in_training_is_quiet():
    columns, scores = machines(1000, seed=1)
    empty = baseline_of(TOY, {**columns, "maker": [None] * 1000}, scores)
    later, later_scores = machines(200, seed=2)
    found = found_in({**later, "maker": [None] * 200}, later_scores, baseline=empty)["maker"]
    assert (found.missing_p_value, found.psi, found.decision) == (1.0, 0.0, Decision.QUIET)


def test_a_baseline_without_rows_compares_with_nothing():
    found = found_in(*machines(200, seed=2), baseline=baseline_of(TOY, {}, []))
    assert {f.decision for f in found.values()} == {Decision.QUIET}
    assert {f.p_adjusted for f in found.values()} == {1.0}


def test_an_empty_window_is_quiet():
    found = found_in({}, [])
    assert {(f.test, f.decision) for f in found.values()} == {(None, Decision.QUIET)}


def test_a_window_of_one_row_is_quiet():
    assert warned(*machines(1, seed=2)) == set()


def test_a_window_of_one_value_throughout_is_found():
    columns = {"temperature": [70.0] * 300, "maker": [MAKERS[0]] * 300, "site": ["Hall 1"] * 300}
    assert warned(columns, [0.3] * 300) == {"temperature", "maker", "site", "score"}


def test_a_number_that_did_not_vary_in_training_has_no_shift():
    columns, scores = machines(500, seed=1)
    baseline = baseline_of(TOY, {**columns, "temperature": [70.0] * 500}, scores)
    found = found_in(*machines(300, seed=2), baseline=baseline)["temperature"]
    assert found.shift is None
    assert found.decision == Decision.WARN


def test_levels_that_training_did_not_see_are_found_together():
    columns, scores = machines(500, seed=2)
    columns["site"][::8] = [f"New {n}" for n in range(len(columns["site"][::8]))]
    assert warned(columns, scores) == {"site"}


def test_a_sure_but_small_shift_in_100_000_rows_is_quiet():
    training = [MAKERS[0]] * 60_000 + [MAKERS[1]] * 30_000 + [MAKERS[2]] * 10_000
    columns, scores = with_maker(training)
    baseline = baseline_of(TOY, columns, scores)
    small = [MAKERS[0]] * 62_500 + [MAKERS[1]] * 27_500 + [MAKERS[2]] * 10_000
    large = [MAKERS[0]] * 63_500 + [MAKERS[1]] * 26_500 + [MAKERS[2]] * 10_000
    found = found_in({**columns, "maker": small}, scores, baseline=baseline)["maker"]
    assert found.p_adjusted < 1e-12
    assert found.effect == pytest.approx(0.025)
    assert found.decision == Decision.QUIET
    assert warned({**columns, "maker": large}, scores, baseline=baseline) == {"maker"}


def test_a_sure_but_small_shift_of_a_number_in_100_000_rows_is_quiet():
    columns, scores = machines(100_000, seed=1)
    baseline = baseline_of(TOY, columns, scores)
    small = [value + 0.4 for value in columns["temperature"]]
    large = [value + 1.2 for value in columns["temperature"]]
    found = found_in({**columns, "temperature": small}, scores, baseline=baseline)["temperature"]
    assert found.p_adjusted < 1e-6
    assert found.decision == Decision.QUIET
    assert warned({**columns, "temperature": large}, scores, baseline=baseline) == {"temperature"}


def test_a_sure_but_small_change_of_blanks_in_100_000_rows_is_quiet():
    columns, scores = machines(100_000, seed=1)
    baseline = baseline_of(TOY, columns, scores)
    later, later_scores = machines(100_000, seed=2, blank=0.22)
    found = found_in(later, later_scores, baseline=baseline)["maker"]
    assert found.missing_p_value < 1e-12
    assert found.decision == Decision.QUIET


def test_a_feature_that_drifts_in_two_windows_running_pages():
    first = found_in(*machines(500, seed=2, blank=0.4))
    before = {(f.kind, f.feature) for f in first.values() if f.decision}
    second = found_in(*machines(500, seed=3, blank=0.4), drifted_before=before)
    assert second["maker"].decision == Decision.PAGE
    assert second["site"].decision == Decision.QUIET


def test_two_features_that_drift_one_after_the_other_only_warn():
    first = found_in(*machines(500, seed=2, blank=0.4))
    before = {(f.kind, f.feature) for f in first.values() if f.decision}
    columns, scores = machines(500, seed=3)
    columns["temperature"] = [value + 5 for value in columns["temperature"]]
    second = found_in(columns, scores, drifted_before=before)
    assert {name: f.decision for name, f in second.items() if f.decision} == {
        "temperature": Decision.WARN
    }


def test_a_baseline_that_a_database_kept_compares_the_same():
    kept = json.loads(json.dumps(BASELINE, sort_keys=True, allow_nan=False))
    window = machines(700, seed=5, blank=0.3)
    assert compare(kept, TOY, *window) == compare(BASELINE, TOY, *window)


def test_what_is_found_is_made_of_plain_numbers():
    for found in compare(BASELINE, TOY, *machines(300, seed=2)):
        for value in (found.statistic, found.p_value, found.effect, found.psi, found.missing):
            assert type(value) is float
        assert type(found.kind) is str


@settings(deadline=None, max_examples=40)
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(random):
    columns, scores = machines(120, seed=9)
    order = list(range(120))
    random.shuffle(order)
    shuffled = {name: [values[i] for i in order] for name, values in columns.items()}
    for one, other in zip(
        compare(BASELINE, TOY, columns, scores),
        compare(BASELINE, TOY, shuffled, [scores[i] for i in order]),
        strict=True,
    ):
        assert (one.test, one.statistic, one.missing) == (
            other.test,
            other.statistic,
            other.missing,
        )
        assert one.p_adjusted == pytest.approx(other.p_adjusted)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.none() | st.floats(-40, 250),
            st.none() | st.sampled_from(MAKERS),
            st.none() | st.text(),
        ),
        max_size=30,
    )
)
def test_any_rows_can_be_compared(rows):
    columns = {
        name: [row[place] for row in rows]
        for place, name in enumerate(("temperature", "maker", "site"))
    }
    for found in compare(BASELINE, TOY, columns, [0.5] * len(rows)):
        assert 0 <= found.p_adjusted <= 1
        assert found.effect is None or 0 <= found.effect <= 1 + 1e-9
        assert found.psi is None or found.psi >= 0
        assert 0 <= found.missing <= 1


def test_a_column_that_the_contract_does_not_know_is_no_matter():
    columns, scores = machines(300, seed=2)
    assert compare(BASELINE, TOY, {**columns, "stray": [1] * 300}, scores) == compare(
        BASELINE, TOY, columns, scores
    )


@pytest.mark.parametrize("part", ["temperature", "maker", "site"])
def test_a_baseline_that_lacks_a_column_says_what_to_do(part):
    lacking = copy.deepcopy(BASELINE)
    del lacking["columns"][part]
    with pytest.raises(BaselineUnusable, match=f"{part} .* Train again"):
        compare(lacking, TOY, *machines(100, seed=2))


@pytest.mark.parametrize("key", ["points", "below", "through"])
def test_a_card_of_the_time_before_drift_was_watched_says_what_to_do(key):
    old = copy.deepcopy(BASELINE)
    del old["score"][key]
    with pytest.raises(BaselineUnusable, match=r"score .*Train again \(`jobchurn train`\)"):
        compare(old, TOY, *machines(100, seed=2))


def test_a_card_without_a_baseline_says_what_to_do():
    with pytest.raises(BaselineUnusable):
        compare({}, TOY, *machines(100, seed=2))
    with pytest.raises(BaselineUnusable):
        unseen({}, TOY, {"site": ["x"]})


def test_rows_with_a_text_that_training_did_not_see_are_counted():
    sites = ["Hall 1", "Nowhere", None, "Nowhere", "Hall 2", "Elsewhere"]
    assert unseen(BASELINE, TOY, {"site": sites}) == 3


def test_without_an_open_text_nothing_is_unseen():
    assert unseen(BASELINE, TOY, {"maker": ["never heard of"], "temperature": [1.0]}) == 0


@pytest.fixture(scope="module")
def candidates():
    """A baseline of 9,000 candidates, and a window of 500 others."""
    texts = synth.generate(9_500, seed=4)
    columns = {c.name: [c.read(text) for text in texts[c.name]] for c in JOB_CHANGE.inputs}
    scores = np.random.default_rng(4).beta(2, 5, 9_500).tolist()
    baseline = baseline_of(
        JOB_CHANGE, {name: values[:9_000] for name, values in columns.items()}, scores[:9_000]
    )
    return baseline, {name: values[9_000:] for name, values in columns.items()}, scores[9_000:]


def blanked(values, chance):
    random = np.random.default_rng(8)
    return [None if random.random() < chance else value for value in values]


FAULTS = {
    "city": lambda values: values[:460] + ["city_67"] * 40,
    "company_size": lambda values: blanked(values, 0.25),
    "training_hours": lambda values: [min(round(value * 1.4), 1000) for value in values],
    "city_development_index": lambda values: [max(round(value - 0.05, 3), 0.0) for value in values],
    "gender": lambda values: blanked(values, 0.15),
}


def test_a_window_of_candidates_without_a_fault_is_quiet(candidates):
    baseline, columns, scores = candidates
    found = compare(baseline, JOB_CHANGE, columns, scores)
    assert {f.decision for f in found} == {Decision.QUIET}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_in_its_column_and_nowhere_else(candidates, name):
    baseline, columns, scores = candidates
    faulty = {**columns, name: FAULTS[name](columns[name])}
    found = compare(baseline, JOB_CHANGE, faulty, scores)
    assert [f.feature for f in found if f.decision] == [name]


def test_the_baseline_of_many_candidates_leaves_the_card_small(candidates):
    baseline, _, _ = candidates
    assert len(json.dumps(baseline, indent=1)) < 50_000
