"""What the panels on predictions and drift say, reckoned by hand."""

import dataclasses
import math
from datetime import UTC, datetime, timedelta

import pytest

from jobchurn.contract import JOB_CHANGE
from jobchurn.store import Store
from monitored_house import (
    BY_SCHEDULE,
    OUTCOMES,
    PREDICTIONS,
    by_label,
    lines,
    monitored,
)
from monitoring_work import drift_of, number, seen, window_of


@pytest.fixture(scope="module")
def store(postgres_server, template_database, tmp_path_factory):
    """A store in which a little has happened."""
    yield from monitored(postgres_server, template_database, tmp_path_factory.mktemp("models"))


def test_predictions_and_their_positive_rate(store):
    assert number(store, PREDICTIONS, 1) == 10
    assert number(store, PREDICTIONS, 2) == pytest.approx(0.6)
    assert number(store, PREDICTIONS, 2, source=["webapp"]) == pytest.approx(0.5)
    assert number(store, PREDICTIONS, 3) == pytest.approx(0.3)
    assert number(store, PREDICTIONS, 4) == pytest.approx(0.6)
    assert number(store, PREDICTIONS, 4, source=["scheduled"]) == pytest.approx(2 / 3)


def test_lines_of_serving_stand_beside_those_of_training(store):
    assert lines(seen(store, PREDICTIONS, 8)) == {
        "serving": [pytest.approx(0.5), pytest.approx(2 / 3)],
        "training": [pytest.approx(0.3)] * 2,
    }
    assert lines(seen(store, PREDICTIONS, 10)) == {
        "serving": [pytest.approx(0.425), pytest.approx(0.45)],
        "training": [pytest.approx(0.495)] * 2,
    }


def test_the_averages_of_each_number_stand_beside_those_of_training(store):
    index, hours = (panel for panel in PREDICTIONS.panels if panel.title.endswith("on average"))
    assert lines(seen(store, PREDICTIONS, index.id)) == {
        "serving": [pytest.approx(0.9)] * 2,
        "training": [pytest.approx(0.7)] * 2,
    }
    assert lines(seen(store, PREDICTIONS, hours.id)) == {
        "serving": [pytest.approx(30.25), pytest.approx(350 / 6)],
        "training": [pytest.approx(50.5)] * 2,
    }


def test_predictions_are_stacked_by_source(store):
    assert lines(seen(store, PREDICTIONS, 7)) == {"webapp": [4], "scheduled": [6]}


def test_probabilities_are_spread_over_tenths(store):
    spread = by_label(seen(store, PREDICTIONS, 9))
    assert len(spread) == 10
    assert spread["0–10%"] == (pytest.approx(0.1), pytest.approx(0.6))
    assert spread["20–30%"] == (pytest.approx(0.2), 0)
    assert spread["70–80%"] == (pytest.approx(0.1), pytest.approx(0.4))
    assert spread["90–100%"] == (pytest.approx(0.1), 0)


def test_a_category_is_spread_in_the_order_of_the_contract_with_blanks_last(store):
    spread = by_label(seen(store, PREDICTIONS, 14, feature=["gender"]))
    assert list(spread) == ["Male", "Female", "blank"]
    assert spread["Male"] == (pytest.approx(0.4), pytest.approx(0.5))
    assert spread["Female"] == (pytest.approx(0.1), pytest.approx(0.25))
    assert spread["blank"] == (pytest.approx(0.5), pytest.approx(0.25))


def test_an_open_text_is_spread_with_the_commonest_first(store):
    spread = by_label(seen(store, PREDICTIONS, 14, feature=["city"]))
    assert spread == {
        "city_103": (pytest.approx(0.5), pytest.approx(0.6)),
        "city_21": (pytest.approx(0.3), pytest.approx(0.3)),
        "city_999": (pytest.approx(0.2), 0),
        "city_16": (0, pytest.approx(0.1)),
    }


def test_a_number_is_spread_over_the_bins_of_training_whose_upper_end_belongs_to_them(store):
    spread = by_label(seen(store, PREDICTIONS, 14, feature=["training_hours"]))
    assert list(spread) == ["≤ 10", *(f"{n} – {n + 10}" for n in range(10, 90, 10)), "> 90"]
    assert all(training == pytest.approx(0.1) for _, training in spread.values())
    assert spread["≤ 10"][0] == pytest.approx(0.2)
    assert spread["10 – 20"][0] == pytest.approx(0.1)
    assert spread["40 – 50"][0] == pytest.approx(0.5)
    assert spread["> 90"][0] == pytest.approx(0.2)
    assert sum(serving for serving, _ in spread.values()) == pytest.approx(1)


def test_a_number_with_two_values_has_the_bins_that_there_are(store):
    spread = by_label(seen(store, PREDICTIONS, 14, feature=["city_development_index"]))
    assert spread == {"≤ 0.5": (0, pytest.approx(0.5)), "> 0.5": (1, pytest.approx(0.5))}


def test_a_feature_that_is_blank_throughout_is_one_bar(store):
    spread = by_label(seen(store, PREDICTIONS, 14, feature=["company_size"]))
    assert spread == {"blank": (1, 1)}


def test_blanks_stand_beside_those_of_training_the_most_first(store):
    blanks = by_label(seen(store, PREDICTIONS, 15))
    assert len(blanks) == 8
    assert blanks["Gender"] == (pytest.approx(0.5), pytest.approx(0.25))
    assert list(blanks)[-1] == "Gender"
    assert blanks["Company size"] == (1, 1)


def test_drift_is_decided_at_the_end_of_each_window(store):
    assert lines(seen(store, PREDICTIONS, 11, source=["scheduled"])) == {
        "Gender": [0],
        "Probability": [0],
        "Training time": [1, 2],
    }
    assert lines(seen(store, PREDICTIONS, 11)) == {
        "Gender · scheduled": [0],
        "Gender · webapp": [1],
        "Probability · scheduled": [0],
        "Training time · scheduled": [1, 2],
    }


def test_a_drift_that_ended_at_the_moment_of_its_worst_window_does_not_seem_to_last(database):
    store = Store.connect(database, JOB_CHANGE)
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    for place, decision in enumerate([1, 2, 0]):
        ended = hour + timedelta(seconds=1 + place)
        window = dataclasses.replace(window_of(previous=place or None), last_at=ended)
        found = [drift_of("training_hours", "integer", decision)]
        assert store.drift.save(window, found, unseen=0, decision=decision)
    assert lines(seen(store, PREDICTIONS, 11)) == {"Training time": [2, 0]}
    store.close()


def test_features_that_drifted_are_those_of_the_latest_window_of_each_source(store):
    assert number(store, PREDICTIONS, 5) == 2
    assert number(store, PREDICTIONS, 5, source=["scheduled"]) == 1


def test_the_size_of_the_shift_is_the_greater_one_of_the_sources(store):
    assert seen(store, PREDICTIONS, 12) == [
        {"label": "Training time", "effect": 0.2, "PSI": 0.3},
        {"label": "Probability", "effect": 0.04, "PSI": 0.05},
        {"label": "Gender", "effect": 0.02, "PSI": 0.4},
    ]


def test_the_latest_windows_are_told_feature_by_feature(store):
    windows = seen(store, PREDICTIONS, 13)
    assert [(row["feature"], row["source"], row["decision"]) for row in windows] == [
        ("Training time", "scheduled", "page"),
        ("Gender", "webapp", "warn"),
        ("Probability", "scheduled", "quiet"),
        ("Gender", "scheduled", "quiet"),
    ]
    assert windows[3]["blank"] == 0.3


def test_names_that_training_did_not_see_are_counted_and_named(store):
    assert number(store, PREDICTIONS, 6) == pytest.approx(60 / 600)
    assert lines(seen(store, PREDICTIONS, 17)) == {
        "scheduled": [pytest.approx(0.02)] * 2,
        "webapp": [pytest.approx(0.5)],
    }
    assert seen(store, PREDICTIONS, 18) == [{"column": "City", "name": "city_999", "rows": 2}]


def test_performance_is_that_of_the_rows_whose_outcome_is_known(store):
    pairs = list(zip(BY_SCHEDULE, OUTCOMES, strict=True))
    loss = -sum(math.log(p if outcome else 1 - p) for p, outcome in pairs) / 6
    brier = sum((p - outcome) ** 2 for p, outcome in pairs) / 6
    assert number(store, PREDICTIONS, 19) == 6
    # Of nine pairs of a positive and a negative, four are in order and one is a tie.
    assert number(store, PREDICTIONS, 20) == pytest.approx(4.5 / 9)
    assert number(store, PREDICTIONS, 21) == pytest.approx(loss)
    assert number(store, PREDICTIONS, 22) == pytest.approx(0.05)
    assert seen(store, PREDICTIONS, 24) == [
        {"measure": "ROC-AUC", "serving": pytest.approx(0.5), "hold-out": 0.8},
        {"measure": "Log loss", "serving": pytest.approx(loss), "hold-out": 0.45},
        {"measure": "Brier score", "serving": pytest.approx(brier), "hold-out": 0.15},
        {"measure": "Precision", "serving": pytest.approx(0.5), "hold-out": 0.6},
        {"measure": "Recall", "serving": pytest.approx(2 / 3), "hold-out": 0.7},
    ]


def test_nothing_is_said_of_performance_where_no_outcome_is_known(store):
    for panel_id in (20, 21, 22):
        assert number(store, PREDICTIONS, panel_id, source=["webapp"]) is None
    for panel_id in (23, 24, 25):
        assert seen(store, PREDICTIONS, panel_id, source=["webapp"]) == []


def test_calibration_compares_what_happened_with_what_was_expected(store):
    assert seen(store, PREDICTIONS, 23) == [
        {"label": "20–30%", "happened": 0.5, "expected": pytest.approx(0.25)},
        {"label": "30–40%", "happened": 0, "expected": pytest.approx(0.35)},
        {"label": "40–50%", "happened": 1, "expected": pytest.approx(0.45)},
        {"label": "60–70%", "happened": 1, "expected": pytest.approx(0.65)},
        {"label": "70–80%", "happened": 0, "expected": pytest.approx(0.75)},
    ]
    assert lines(seen(store, PREDICTIONS, 25)) == {
        "expected": [pytest.approx(0.45)],
        "happened": [pytest.approx(0.5)],
    }
