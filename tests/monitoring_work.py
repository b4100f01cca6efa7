"""What the tests of panels and rules work with: queries as the readers ask them, and a past."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import psycopg
from psycopg import sql

from jobchurn.drift import FeatureDrift
from jobchurn.panels import PanelKind, expand, interval_of
from jobchurn.store import Window
from store_work import record_of

CHAMPION = "lgbm-0123456789ab"


def asked(store, query, *, start=None, end=None, hours=6, **variables):
    """What a query answers, asked as monitoring asks it: in the name of the reading role."""
    end = end or datetime.now(UTC) + timedelta(seconds=2)
    start = start or end - timedelta(hours=hours)
    expanded = expand(
        query,
        start=start,
        end=end,
        interval_seconds=interval_of(start, end),
        variables=variables,
    )
    return store.panels.read(expanded)


def choices_of(store, dashboard):
    """Variable → what is chosen where nobody has chosen: all of several, or the first."""
    chosen = {}
    for variable in dashboard.variables:
        options = variable.options
        if variable.sql:
            options = [row[0] for row in asked(store, variable.sql).rows]
        chosen[variable.name] = list(options if variable.several else options[:1])
    return chosen


def seen(store, dashboard, panel_id, **options):
    """The rows of a panel, each column → value; nothing chosen but what ``options`` says."""
    panel = next(panel for panel in dashboard.panels if panel.id == panel_id)
    frame = asked(store, panel.sql, **choices_of(store, dashboard) | options)
    assert_fits(panel, frame)
    return [dict(zip(frame.columns, row, strict=True)) for row in frame.rows]


def number(store, dashboard, panel_id, **options):
    """The number of a stat, or ``None`` where it has nothing to say."""
    rows = seen(store, dashboard, panel_id, **options)
    return rows[0]["value"] if rows else None


def assert_fits(panel, frame):
    """Whether an answer has what a panel of its kind needs; one without rows has no columns."""
    assert not frame.more, panel.title
    if not frame.rows:
        return
    assert len(set(frame.columns)) == len(frame.columns), panel.title
    match panel.kind:
        case PanelKind.STAT:
            assert frame.columns == ("value",), panel.title
            assert len(frame.rows) <= 1
            assert all(isinstance(row[0], int | float) for row in frame.rows), panel.title
        case PanelKind.SERIES | PanelKind.STACK | PanelKind.TIMELINE:
            _assert_over_time(panel, frame)
        case PanelKind.BARS:
            assert frame.columns[0] == "label", panel.title
            assert len(frame.columns) > 1, panel.title
            assert all(isinstance(row[0], str) and row[0] for row in frame.rows), panel.title
            assert len({row[0] for row in frame.rows}) == len(frame.rows), panel.title
            numbers = [value for row in frame.rows for value in row[1:] if value is not None]
            assert all(isinstance(value, int | float) for value in numbers), panel.title
        case PanelKind.TABLE:
            assert frame.columns, panel.title
    if panel.kind in (PanelKind.BARS, PanelKind.TABLE):
        assert panel.units.keys() | panel.links.keys() <= set(frame.columns), panel.title


def _assert_over_time(panel, frame):
    assert frame.columns == ("time", "metric", "value"), panel.title
    for moment, metric, value in frame.rows:
        assert isinstance(moment, datetime), panel.title
        assert isinstance(metric, str), panel.title
        assert metric, panel.title
        assert isinstance(value, int | float), panel.title
    assert all(a[0] <= b[0] for a, b in pairwise(frame.rows)), panel.title
    assert len({row[:2] for row in frame.rows}) == len(frame.rows), panel.title
    if panel.kind is PanelKind.TIMELINE:
        assert {row[2] for row in frame.rows} <= {state.value for state in panel.states}


def value_of(store, rule, *, at=None):
    """The number of a rule, asked at a moment."""
    at = at or datetime.now(UTC) + timedelta(seconds=2)
    frame = asked(store, rule.sql, start=at - timedelta(seconds=rule.within_seconds), end=at)
    assert frame.columns == ("time", "value")
    ((moment, value),) = frame.rows
    assert abs(moment - at) < timedelta(milliseconds=1)
    assert isinstance(value, int | float)
    return value


def fires(store, rule, *, at=None):
    return value_of(store, rule, at=at) > rule.above


def lines_of(store, rule, *, at=None):
    """What else a message of the rule says."""
    at = at or datetime.now(UTC) + timedelta(seconds=2)
    frame = asked(store, rule.details, start=at - timedelta(seconds=rule.within_seconds), end=at)
    assert frame.columns in ((), ("line",))
    assert all(isinstance(row[0], str) for row in frame.rows)
    return [row[0] for row in frame.rows]


class Past:
    """Writes what has happened some minutes ago."""

    def __init__(self, database):
        self._connection = psycopg.connect(database, autocommit=True)
        self._runs = 0

    def close(self):
        self._connection.close()

    def execute(self, statement, *values):
        return self._connection.execute(statement, values)

    def insert(self, table, **values):
        names = sql.SQL(", ").join(map(sql.Identifier, values))
        places = sql.SQL(", ").join(sql.Placeholder() * len(values))
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})")
        self._connection.execute(
            statement.format(sql.Identifier(table), names, places), list(values.values())
        )

    def ago(self, minutes):
        return datetime.now(UTC) - timedelta(minutes=minutes)

    def run(self, minutes, total=10, bad=0, *, arrived=None, issues=(), **values):
        """A file that was ingested so many minutes ago, and its run's id."""
        self._runs += 1
        run_id, sha256 = f"run-{self._runs:04}", f"{self._runs:064x}"
        finished = self.ago(minutes)
        self.insert(
            "arrivals",
            run_id=run_id,
            name=f"{run_id}.csv",
            sha256=sha256,
            size=1,
            inode=1,
            trigger="cli",
            holder="me",
            token=1,
            attempts=1,
            lease_until=finished,
            arrived_at=None if arrived is None else self.ago(arrived),
            started_at=finished,
            closed_at=finished,
            outcome="published",
        )
        defaults = {
            "run_id": run_id,
            "file": f"{run_id}.csv",
            "sha256": sha256,
            "trigger": "cli",
            "contract": "0" * 16,
            "rows_total": total,
            "rows_valid": total - bad,
            "rows_invalid": bad,
            "invalid_ratio": bad / total if total else 0,
            "criticality": "none",
            "started_at": finished,
            "finished_at": finished,
            "good": f"/data/{run_id}.csv",
            "notes": "[]",
        }
        self.insert("ingestion_runs", **defaults | values)
        for rule, column, rows in issues:
            self.insert("ingestion_issues", run_id=run_id, rule=rule, column_name=column, rows=rows)
        return run_id

    def predicted(self, run_id, minutes):
        """A good file that was predicted so many minutes ago."""
        moment = self.ago(minutes)
        self.insert(
            "predicted_files",
            sha256="0" * 64,
            run_id=run_id,
            name="a.csv",
            mtime=0.0,
            rows=1,
            predicted_at=moment,
        )

    def predictions(self, count, minutes, *, probability=0.5, prediction=1, **values):
        """Predictions that were stored so many minutes ago, all alike."""
        record = record_of() | {"source": "webapp"} | values
        defaults = {
            "created_at": self.ago(minutes),
            "model_version": CHAMPION,
            "policy_version": "miss-cost-2",
            "contract": "0" * 16,
            "probability": probability,
            "prediction": prediction,
        }
        row = defaults | record
        names = sql.SQL(", ").join(map(sql.Identifier, row))
        places = sql.SQL(", ").join(sql.Placeholder() * len(row))
        statement = sql.SQL(
            "INSERT INTO predictions (position, {}) SELECT n, {} FROM generate_series(1, %s) AS n"
        )
        self._connection.execute(statement.format(names, places), [*row.values(), count])

    def request(self, minutes, *, count=1, **values):
        """Requests that came so many minutes ago, all alike."""
        defaults = {
            "at": self.ago(minutes),
            "route": "/predict",
            "method": "POST",
            "status": 200,
            "seconds": 0.01,
            "records": 1,
            "waiting": 0,
            "weight": 1.0,
        }
        for _ in range(count):
            self.insert("request_log", **defaults | values)

    def champion(self, version=CHAMPION, card=None):
        """A model in charge, with a card or without."""
        self.execute("UPDATE models SET champion = false")
        self.insert(
            "models",
            version=version,
            sha256="0" * 64,
            card_sha256="0" * 64,
            card=psycopg.types.json.Jsonb(card or {}),
            created_at=self.ago(60),
            promoted_at=self.ago(60),
            champion=True,
        )

    def alert(self, minutes, **values):
        defaults = {
            "kind": "rule",
            "severity": "warning",
            "title": "Many rows are bad",
            "body": "{}",
            "channel": "teams",
            "status": "pending",
            "attempts": 0,
            "created_at": self.ago(minutes),
        }
        self.insert("alerts", **defaults | values)


def window_of(minutes=0, *, source="webapp", version=CHAMPION, rows=500, previous=None):
    """A window that ended so many minutes ago; of its rows nothing is kept."""
    last_at = datetime.now(UTC) - timedelta(minutes=minutes)
    return Window(
        source=source,
        model_version=version,
        rows=rows,
        first_at=last_at,
        last_at=last_at,
        last_id=1,
        columns={},
        scores=[],
        previous=previous,
    )


def drift_of(feature, kind, decision=0, **values):
    """What was found of a feature."""
    defaults = {
        "test": "chi-square",
        "statistic": 1.0,
        "p_value": 0.5,
        "missing_p_value": None,
        "p_adjusted": 1.0,
        "effect": 0.01,
        "psi": 0.02,
        "missing": 0.0,
        "missing_baseline": 0.0,
        "mean": None,
        "shift": None,
    }
    return FeatureDrift(feature=feature, kind=kind, decision=decision, **defaults | values)
