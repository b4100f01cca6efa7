"""Drift windows: each prediction is judged once, in the order in which it was stored."""

import random
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from jobchurn.contract import JOB_CHANGE
from jobchurn.drift import Decision, FeatureDrift
from jobchurn.store.engine import engine_of
from store_work import at_once, batch_of, record_of

A, B = "lgbm-aaaaaaaaaaaa", "lgbm-bbbbbbbbbbbb"
MORNING = datetime(2026, 3, 1, 8, tzinfo=UTC)
EVENING = MORNING + timedelta(hours=12)
HOUR = timedelta(hours=1)


@pytest.fixture
def engine(database):
    opened = engine_of(database)
    yield opened
    opened.dispose()


class Stream:
    """Stores predictions at moments of one's choice; each has a score of its own."""

    def __init__(self, engine):
        self.engine = engine
        self.stored = {}
        self.count = 0

    def add(self, rows, at=MORNING, source="webapp", version=A, connection=None):
        numbers = range(self.count, self.count + rows)
        self.count += rows
        values = [
            {
                "at": at,
                "source": source,
                "version": version,
                "score": number / 1_000_000,
            }
            for number in numbers
        ]
        statement = sa.text(
            "INSERT INTO predictions (created_at, source, position, model_version, "
            "policy_version, contract, probability, prediction) "
            "VALUES (:at, :source, 0, :version, 'p', 'c', :score, 0)"
        )
        if connection is not None:
            connection.execute(statement, values)
        else:
            with self.engine.begin() as own:
                own.execute(statement, values)
        self.stored.setdefault((source, version), []).extend((at, number) for number in numbers)

    def scores(self, source="webapp", version=A):
        """The scores in the order in which windows must hold them."""
        return [number / 1_000_000 for _, number in sorted(self.stored[source, version])]


@pytest.fixture
def stream(engine):
    return Stream(engine)


def window(store, source="webapp", version=A, *, rows=500, now=EVENING, **options):
    return store.drift.next_window(source, version, rows=rows, wait=HOUR, now=now, **options)


def save(store, found, metrics=(), unseen=0, decision=0):
    return store.drift.save(found, metrics, unseen=unseen, decision=decision)


def windows(store, source="webapp", version=A, **options):
    """All windows that there are, each saved before the next one is asked for."""
    while found := window(store, source, version, **options):
        yield found
        assert save(store, found)


def metric(feature="city", kind="text", decision=Decision.QUIET, **values):
    defaults = {
        "test": "chi-square",
        "statistic": 12.5,
        "p_value": 0.001,
        "missing_p_value": None,
        "p_adjusted": 0.01,
        "effect": 0.2,
        "psi": 0.3,
        "missing": 0.1,
        "missing_baseline": 0.05,
        "mean": None,
        "shift": None,
    }
    return FeatureDrift(feature=feature, kind=kind, decision=decision, **defaults | values)


def test_a_window_holds_what_was_stored(store):
    records = [record_of(city="città 😀", gender=None, training_hours=n % 7) for n in range(120)]
    stored = store.predictions.write(batch_of(records, source="scheduled", model_version=A))
    found = window(store, "scheduled", now=stored.created_at + 2 * HOUR)
    assert (found.source, found.model_version, found.rows) == ("scheduled", A, 120)
    assert found.first_at == found.last_at == stored.created_at
    assert found.last_id == stored.ids[-1]
    assert found.scores == stored.probabilities
    assert list(found.columns) == [column.name for column in JOB_CHANGE.inputs]
    for name, values in found.columns.items():
        assert values == [record.get(name) for record in records]
    assert found.previous is None


def test_a_full_window_is_taken_at_once_and_the_rest_waits(store, stream):
    stream.add(700)
    at_once = MORNING + timedelta(seconds=6)
    assert [found.rows for found in windows(store, now=at_once)] == [500]
    assert [found.rows for found in windows(store, now=MORNING + HOUR - timedelta(seconds=1))] == []
    assert [found.rows for found in windows(store, now=MORNING + HOUR)] == [200]


@pytest.mark.parametrize(("rows", "expected"), [(99, []), (100, [100]), (499, [499])])
def test_a_short_window_holds_at_least_a_hundred(store, stream, rows, expected):
    stream.add(rows)
    assert [found.rows for found in windows(store)] == expected


def test_how_few_is_too_few_can_be_said(store, stream):
    stream.add(3)
    assert window(store, fewest=4) is None
    assert window(store, fewest=3).rows == 3


def test_the_first_prediction_that_waits_decides_and_not_the_last(store, stream):
    stream.add(60, EVENING - HOUR)
    stream.add(60, EVENING - timedelta(minutes=1))
    assert window(store, now=EVENING - timedelta(seconds=1)) is None
    assert window(store, now=EVENING).rows == 120


def test_each_source_and_model_version_has_windows_of_its_own(store, stream):
    for minute in range(4):
        for source in ("webapp", "scheduled"):
            for version in (A, B):
                stream.add(130 + minute, MORNING + timedelta(minutes=minute), source, version)
    expected = {("scheduled", A), ("scheduled", B), ("webapp", A), ("webapp", B)}
    assert set(store.drift.sources()) == expected
    for source, version in expected:
        found = [one for each in windows(store, source, version, fewest=1) for one in each.scores]
        assert found == stream.scores(source, version)
    assert store.drift.sources() == []


def test_predictions_that_came_after_the_last_window_are_waited_for(store, stream):
    assert store.drift.sources() == []
    assert window(store) is None
    stream.add(500)
    assert store.drift.sources() == [("webapp", A)]
    list(windows(store))
    assert store.drift.sources() == []
    stream.add(1, MORNING)  # of the very same moment, and a higher number
    assert store.drift.sources() == [("webapp", A)]


def test_a_whole_batch_of_one_moment_is_cut_between_its_rows(store, stream):
    stream.add(1_250)
    found = list(windows(store))
    assert [each.rows for each in found] == [500, 500, 250]
    assert [score for each in found for score in each.scores] == stream.scores()


@pytest.mark.parametrize("seed", range(6))
def test_no_row_is_judged_twice_and_none_is_left_out(store, stream, seed):
    chance = random.Random(seed)
    moment, judged = MORNING, []
    for _ in range(chance.randint(3, 8)):
        for _ in range(chance.randint(1, 6)):
            source = chance.choice(["webapp", "scheduled"])
            stream.add(chance.choice([1, 2, 30, 90, 250]), moment, source)
            if chance.random() < 0.5:  # else the next batch is of the same moment
                moment += timedelta(seconds=chance.choice([1e-6, 0.5, 1_800]))
        moment += timedelta(seconds=1)
        now = moment + timedelta(seconds=chance.choice([1, 6, 3_700]))
        judged += list(windows(store, rows=chance.choice([40, 100]), fewest=10, now=now))
        moment = max(moment, now - timedelta(seconds=4))
    judged += list(windows(store, rows=50, fewest=1, now=moment + 2 * HOUR))
    assert [score for each in judged for score in each.scores] == stream.scores()
    assert all(each.first_at <= each.last_at for each in judged)


def test_what_was_stored_a_moment_ago_is_left_for_later(store, stream):
    stream.add(500, EVENING - timedelta(seconds=5))
    assert window(store, now=EVENING) is None
    assert window(store, now=EVENING + timedelta(microseconds=1)).rows == 500


def test_what_is_committed_late_is_not_passed_over(store, stream, engine):
    now = datetime.now(UTC) + 2 * HOUR
    with engine.begin() as late:
        late.execute(sa.text("SELECT pg_current_xact_id()"))  # it has begun to write
        stream.add(10, datetime.now(UTC), connection=late)
        stream.add(500, datetime.now(UTC))
        assert window(store, now=now) is None
    assert window(store, rows=510, now=now).scores == stream.scores()


def test_who_only_reads_for_long_keeps_no_window_waiting(store, stream, engine):
    with engine.begin() as reader:
        reader.execute(sa.text("SELECT 1 FROM predictions"))
        stream.add(500, datetime.now(UTC))
        assert window(store, now=datetime.now(UTC) + 2 * HOUR).rows == 500


@pytest.mark.parametrize("rows", [200, 210, 1_005, 3_000])
def test_a_backlog_is_worked_off_in_twenty_windows(store, stream, rows):
    stream.add(rows)
    found = list(windows(store, rows=10, fewest=1))
    assert sum(each.rows for each in found) == rows
    assert len(found) <= 20
    assert min(each.rows for each in found[:-1]) >= 10


def test_after_a_backlog_windows_are_of_the_usual_size(store, stream):
    stream.add(2_000)
    list(windows(store, rows=10, fewest=1))
    for minute in range(1, 4):
        at = datetime.now(UTC) + timedelta(minutes=minute)
        stream.add(45, at)
        found = list(windows(store, rows=10, fewest=10, now=at + timedelta(minutes=1)))
        assert {each.rows for each in found} <= {10, 5 + 10, 10 + 5}


def test_a_window_is_saved_once(store, stream):
    stream.add(500)
    found = window(store)
    assert save(store, found)
    assert not save(store, found)


def test_of_two_who_read_the_same_rows_one_keeps_them(store, stream):
    stream.add(500)
    shorter = window(store, rows=300)
    longer = window(store, rows=500)
    assert save(store, longer)
    assert not save(store, shorter)
    assert window(store, fewest=1) is None


def test_of_many_who_save_at_once_one_does(store, stream):
    stream.add(500)
    found = window(store)
    assert sorted(at_once(8, lambda _: save(store, found, [metric()]))) == [False] * 7 + [True]


def test_what_was_found_is_kept(store, stream, engine):
    stream.add(500)
    found = window(store)
    features = [
        metric("city", "text", Decision.WARN, psi=None),
        metric("score", "score", Decision.PAGE, test=None, statistic=None, p_value=None),
    ]
    assert save(store, found, features, unseen=7, decision=Decision.PAGE)
    with engine.connect() as connection:
        kept = connection.execute(sa.text("SELECT * FROM drift_windows")).mappings().one()
        assert (kept["rows"], kept["unseen"], kept["decision"]) == (500, 7, 2)
        assert (kept["first_at"], kept["last_at"]) == (MORNING, MORNING)
        metrics = connection.execute(
            sa.text("SELECT * FROM drift_metrics ORDER BY feature")
        ).mappings()
        city, score = metrics.all()
    assert (city["window_id"], city["kind"], city["decision"]) == (kept["id"], "text", 1)
    assert (city["test"], city["effect"], city["psi"]) == ("chi-square", 0.2, None)
    assert (score["kind"], score["test"], score["decision"]) == ("score", None, 2)


def test_a_window_whose_metrics_cannot_be_kept_is_not_kept_either(store, stream):
    stream.add(500)
    found = window(store)
    with pytest.raises(sa.exc.IntegrityError):
        save(store, found, [metric(), metric()])
    assert save(store, found)


def test_what_drifted_is_told_of_the_latest_window_alone(store, stream):
    assert store.drift.drifted_before("webapp", A) == set()
    stream.add(1_000)
    features = [
        metric("city", "text", Decision.WARN),
        metric("score", "score", Decision.PAGE),
        metric("gender", "category", Decision.QUIET),
    ]
    save(store, window(store), features, decision=2)
    assert store.drift.drifted_before("webapp", A) == {("text", "city"), ("score", "score")}
    assert store.drift.drifted_before("scheduled", A) == set()
    assert store.drift.drifted_before("webapp", B) == set()
    save(store, window(store), [metric("gender", "category", Decision.WARN)], decision=1)
    assert store.drift.drifted_before("webapp", A) == {("category", "gender")}


def test_the_next_window_is_looked_up_and_never_sorted(store, stream, engine):
    fill = sa.text(
        "INSERT INTO predictions (created_at, source, position, model_version, policy_version, "
        "contract, probability, prediction) "
        "SELECT timestamptz '2026-03-01' + n * interval '1 second', "
        "CASE n % 10 WHEN 0 THEN 'webapp' ELSE 'scheduled' END, 0, :version, 'p', 'c', 0.5, 0 "
        "FROM generate_series(1, 20000) AS n"
    )
    with engine.begin() as connection:
        for version in (A, B):
            connection.execute(fill, {"version": version})
        connection.execute(sa.text("ANALYZE predictions"))
    save(store, window(store))
    asked = []

    def note(_connection, _cursor, statement, parameters, *_):
        if "FROM predictions" in statement:
            asked.append((statement, parameters))

    event.listen(store._engine, "before_cursor_execute", note)
    assert window(store).rows == 500
    assert len(asked) == 2  # how many there are, and what they are
    with engine.connect() as connection:
        for statement, parameters in asked:
            plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars().all()
            assert any("source_model_version_created_at_id_idx" in line for line in plan), plan
            assert not any("Sort  (" in line or "Seq Scan" in line for line in plan), plan
