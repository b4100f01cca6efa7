"""What the panels on ingestion say, reckoned by hand; and that every panel says something."""

from datetime import UTC, datetime, timedelta

import pytest

from monitored_house import BASE, INGESTION, PREDICTIONS, SERVICE, lines, monitored
from monitoring_work import number, seen


@pytest.fixture(scope="module")
def store(postgres_server, template_database, tmp_path_factory):
    """A store in which a little has happened."""
    yield from monitored(postgres_server, template_database, tmp_path_factory.mktemp("models"))


@pytest.mark.parametrize("dashboard", [INGESTION, PREDICTIONS, SERVICE], ids=lambda d: d.name)
def test_every_panel_has_something_to_show(dashboard, store):
    for panel in dashboard.panels:
        assert seen(store, dashboard, panel.id), panel.title


def test_rows_and_files_are_counted_once(store):
    assert number(store, INGESTION, 1) == 40
    assert number(store, INGESTION, 3) == 3
    assert number(store, INGESTION, 5) == 1


def test_the_share_of_bad_rows_is_of_all_rows(store):
    assert number(store, INGESTION, 2) == 0.2


def test_ingestion_by_one_trigger_is_told_apart(store):
    assert number(store, INGESTION, 1, trigger=["dag"]) == 20
    assert number(store, INGESTION, 2, trigger=["dag"]) == 0
    assert number(store, INGESTION, 2, trigger=["start"]) is None


def test_files_are_counted_by_criticality_the_least_first(store):
    assert seen(store, INGESTION, 8) == [
        {"label": "none", "files": 1},
        {"label": "low", "files": 0},
        {"label": "medium", "files": 1},
        {"label": "high", "files": 1},
    ]
    assert number(store, INGESTION, 4) == 1


def test_good_and_bad_rows_are_stacked_over_time(store):
    assert lines(seen(store, INGESTION, 7)) == {"bad": [6, 2], "good": [4, 28]}


def test_the_worst_file_of_a_moment_gives_the_state(store):
    assert lines(seen(store, INGESTION, 11)) == {"hand": [3, 2], "Airflow": [0]}


def test_reasons_are_told_by_column_and_rule(store):
    assert seen(store, INGESTION, 12) == [
        {"label": "required", "rows": 7},
        {"label": "domain", "rows": 1},
        {"label": "range", "rows": 1},
    ]
    assert seen(store, INGESTION, 13) == [
        {"column": "City", "rule": "required", "rows": 7, "share": 0.175, "files": 2},
        {"column": "Gender", "rule": "domain", "rows": 1, "share": 0.025, "files": 1},
        {"column": "Training time", "rule": "range", "rows": 1, "share": 0.025, "files": 1},
    ]


def test_the_latest_files_lead_to_their_reports(store):
    files = seen(store, INGESTION, 14)
    assert [(row["file"], row["repeated"], row["report"]) for row in files] == [
        ("first.csv", "yes", None),
        ("third.csv", "no", None),
        ("first.csv", "no", "first.html"),
        ("second.csv", "no", None),
    ]
    assert files[1]["ingested by"] == "Airflow"
    assert files[3]["bad share"] == 0.6


def test_the_last_file_tells_how_long_ago_it_came(store):
    since = (datetime.now(UTC) - BASE) / timedelta(minutes=1)
    assert number(store, INGESTION, 6) == pytest.approx(since, abs=0.1)
