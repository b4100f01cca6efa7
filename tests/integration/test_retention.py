"""Retention: what is older than the settings say goes, once, and nothing else does."""

import dataclasses
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from api_house import open_house
from jobchurn.access import Key, Scope
from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import DatabaseLocked
from jobchurn.flow import ingest, retention, score, upkeep
from jobchurn.store import Store
from small_model import random_records
from store_work import batch_of

LATER = datetime.now(UTC) + timedelta(days=10)


@pytest.fixture
def house(store, tmp_path):
    return with_settings(open_house(store, tmp_path / "home"), settle_seconds=0.0)


def with_settings(services, **values):
    settings = services.settings.model_copy(update=values)
    return dataclasses.replace(services, settings=settings)


def ingested(house, name, seed=0, spoilt="-5"):
    names = [column.name for column in JOB_CHANGE.columns]
    lines = [
        ",".join(c.write(record[c.name]) for c in JOB_CHANGE.columns)
        for record in random_records(JOB_CHANGE, 4, seed)
    ]
    cells = lines[-1].split(",")
    cells[names.index("training_hours")] = spoilt
    path = house.folders.raw_data / name
    path.write_text("\n".join([",".join(names), *lines[:-1], ",".join(cells), ""]))
    return ingest.ingest_one(house, trigger="cli", file=path)


def files_of(house):
    folders = house.folders
    return sorted(
        f"{path.parent.name}/{path.name}"
        for folder in (folders.good_data, folders.bad_data, folders.reports)
        for path in folder.iterdir()
    )


def test_by_default_everything_is_kept_for_good(house):
    ingested(house, "a.csv")
    list(score.score_new(house))
    before = files_of(house)
    assert retention.tidy(house, LATER + timedelta(days=10_000)) == retention.Tidied()
    assert files_of(house) == before
    assert house.store.predictions.count() == 3


def test_files_go_after_their_days_and_the_ledger_says_so(house):
    run = ingested(house, "a.csv")
    list(score.score_new(house))
    keeping = with_settings(house, file_days=20)
    assert retention.tidy(keeping, LATER).files == 0
    tidying = with_settings(house, file_days=5)
    assert retention.tidy(tidying, LATER).files == 4
    assert files_of(house) == []
    after = house.store.runs.get(run.run_id)
    assert (after.good, after.bad, after.reasons, after.report) == (None,) * 4
    assert after.rows_total == run.rows_total
    told = house.store.redactions.of_run(run.run_id)
    assert sorted(one.rows for one in told) == [0, 1, 1, 3]
    assert all(one.sha256_before and one.sha256_after is None for one in told)
    assert retention.tidy(tidying, LATER).files == 0
    assert house.store.redactions.of_run(run.run_id) == told


def test_good_rows_that_are_not_predicted_yet_are_kept(house):
    ingested(house, "a.csv")
    assert retention.tidy(with_settings(house, file_days=5), LATER).files == 0
    assert [one.rows for one in score.score_new(house)] == [3]
    assert retention.tidy(with_settings(house, file_days=5), LATER).files == 4


@pytest.mark.parametrize("killed_after", [0, 2, 4])
def test_whoever_is_killed_at_it_is_made_good_by_the_next(house, monkeypatch, killed_after):
    run = ingested(house, "a.csv")
    list(score.score_new(house))
    remove, calls = retention.files.remove, []

    def mortal(path):
        calls.append(path)
        if len(calls) > killed_after:
            raise KeyboardInterrupt
        remove(path)

    tidying = with_settings(house, file_days=5)
    with monkeypatch.context() as patched:
        patched.setattr(retention.files, "remove", mortal)
        if killed_after < 4:
            with pytest.raises(KeyboardInterrupt):
                retention.tidy(tidying, LATER)
        else:
            patched.setattr(house.store.retention, "release_files", lambda _: None)
            retention.tidy(tidying, LATER)
    retention.tidy(tidying, LATER)
    assert files_of(house) == []
    assert house.store.runs.get(run.run_id).good is None
    assert len(house.store.redactions.of_run(run.run_id)) == 4


def test_a_home_that_was_moved_loses_the_files_that_lie_in_it_now(house, tmp_path):
    ingested(house, "a.csv")
    list(score.score_new(house))
    moved = tmp_path / "moved"
    house.folders.root.rename(moved)
    house.folders.make()
    there = dataclasses.replace(house, folders=type(house.folders)(moved))
    assert retention.tidy(with_settings(there, file_days=5), LATER).files == 4
    assert files_of(there) == []


def test_predictions_go_after_their_days_with_their_requests(house, monkeypatch):
    monkeypatch.setattr("jobchurn.store.retention._PIECE", 2)
    house.store.predictions.write(batch_of([{"enrollee_id": n} for n in range(1, 6)], key="k"))
    tidying = with_settings(house, prediction_days=5)
    assert retention.tidy(tidying, datetime.now(UTC)).predictions == 0
    assert retention.tidy(tidying, LATER).predictions == 5
    assert house.store.panels.read("SELECT count(*) FROM requests").rows == [(0,)]
    assert retention.tidy(tidying, LATER).predictions == 0


def moved(database, ids, moment):
    with psycopg.connect(database) as connection:
        wanted = "UPDATE predictions SET created_at = %s WHERE id = ANY(%s)"
        connection.execute(wanted, [moment, ids])


def test_the_edge_of_a_month_goes_row_by_row_and_the_months_before_it_as_a_whole(
    house, database, monkeypatch
):
    monkeypatch.setattr("jobchurn.store.retention._PIECE", 2)
    house.store.partitions.make(datetime(2031, 1, 5, tzinfo=UTC))
    now = datetime(2031, 3, 20, tzinfo=UTC)
    for day, count in [((1, 9), 3), ((3, 9), 5), ((3, 10), 1), ((3, 16), 2)]:
        stored = house.store.predictions.write(batch_of([{"enrollee_id": 1}] * count))
        moved(database, stored.ids, datetime(2031, *day, tzinfo=UTC))
    tidied = retention.tidy(with_settings(house, prediction_days=5), now)
    assert tidied.predictions == 9
    left = "SELECT tableoid::regclass::text, count(*) FROM predictions GROUP BY 1"
    with psycopg.connect(database) as connection:
        assert connection.execute(left).fetchall() == [("predictions_2031_03", 2)]


def test_requests_go_by_their_number_as_far_as_they_are_old(house, database, monkeypatch):
    monkeypatch.setattr("jobchurn.store.retention._PIECE", 2)
    for key in "abcdefg":
        house.store.predictions.write(batch_of([{"enrollee_id": 1}], key=key))
    with psycopg.connect(database) as connection:
        connection.execute(
            "UPDATE requests SET created_at = created_at - interval '1 year' WHERE key <= 'e'"
        )
    house.store.retention.forget_predictions(datetime.now(UTC) - timedelta(days=1))
    assert house.store.panels.read("SELECT key FROM requests ORDER BY key").rows == [
        ("f",),
        ("g",),
    ]


def test_upkeep_makes_partitions_and_is_kept_among_the_jobs(house, database):
    present = f"predictions_{datetime.now(UTC):%Y_%m}"
    with psycopg.connect(database) as connection:
        connection.execute(f"DROP TABLE {present}")
    assert house.store.partitions.absent() == [present]
    assert house.store.job_runs.last(upkeep.JOB) is None
    assert upkeep.keep_up(house).partitions == 1
    assert house.store.partitions.absent() == []
    assert house.store.job_runs.last(upkeep.JOB)[0] == "success"
    assert not upkeep.keep_up(house).anything
    assert house.store.job_runs.last(upkeep.JOB)[0] == "quiet"


def test_upkeep_that_fails_is_kept_among_the_jobs_and_fails(house, monkeypatch):
    def refuse(*_, **__):
        raise DatabaseLocked("Somebody reads.")

    monkeypatch.setattr(house.store.partitions, "make", refuse)
    with pytest.raises(DatabaseLocked):
        upkeep.keep_up(house)
    assert house.store.job_runs.last(upkeep.JOB)[0] == "failed"


def test_what_is_not_predicted_again_are_files_whose_predictions_went(house):
    ingested(house, "a.csv")
    list(score.score_new(house))
    retention.tidy(with_settings(house, prediction_days=5), LATER)
    assert list(score.score_new(house)) == []


def test_keys_that_expired_long_ago_go_and_revoked_ones_stay(house):
    keys = house.store.api_keys
    short, lasting, revoked = Key.make(), Key.make(), Key.make()
    keys.add(short, "short", {Scope.READ}, lasts=timedelta(hours=1))
    keys.add(lasting, "lasting", {Scope.READ})
    keys.add(revoked, "revoked", {Scope.READ})
    keys.revoke("revoked")
    assert retention.tidy(house, datetime.now(UTC)).keys == 0
    assert retention.tidy(house, LATER + timedelta(days=10)).keys == 1
    assert sorted(key.name for key in keys.list()) == ["lasting", "revoked"]


def test_who_may_not_remove_predictions_removes_logs_alone_and_says_so(house, database, caplog):
    role = f"watcher_{uuid.uuid4().hex[:12]}"  # roles belong to the whole server
    house.store.predictions.write(batch_of())
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'w'")
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
        connection.execute(f"GRANT DELETE ON request_log, job_runs TO {role}")
        place = database.rpartition("@")[2]
        limited = Store.connect(f"postgresql://{role}:w@{place}", JOB_CHANGE)
        try:
            services = dataclasses.replace(house, store=limited)
            tidied = retention.tidy(with_settings(services, prediction_days=5), LATER)
        finally:
            limited.close()
            connection.execute(f"DROP OWNED BY {role}")
            connection.execute(f"DROP ROLE {role}")
    assert tidied.predictions == 0
    assert "jobchurn tidy" in caplog.text
    assert house.store.predictions.count() == 1


def test_a_file_that_is_gone_already_is_no_fault(house):
    run = ingested(house, "a.csv")
    list(score.score_new(house))
    Path(run.bad).unlink()
    assert retention.tidy(with_settings(house, file_days=5), LATER).files == 3
