"""Every query of monitoring runs on a real PostgreSQL, as both readers ask it, and fits its use."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from conftest import cloned
from jobchurn.contract import JOB_CHANGE
from jobchurn.panels import PanelKind, dashboards_of, rules_of
from jobchurn.store import Store
from monitoring_work import Past, asked, assert_fits, choices_of, lines_of, value_of
from toy import TOY

DASHBOARDS = dashboards_of(JOB_CHANGE)
RULES = rules_of(JOB_CHANGE)
PANELS = [
    pytest.param(dashboard, panel, id=f"{dashboard.name} {panel.id} {panel.title}")
    for dashboard in DASHBOARDS
    for panel in dashboard.panels
]


@pytest.fixture(scope="module")
def empty(postgres_server, template_database):
    """A store without any row."""
    yield from opened(postgres_server, template_database)


@pytest.fixture(scope="module")
def large(postgres_server, template_database):
    """A store with a hundred thousand predictions of six hours, and what goes with them."""
    for store in opened(postgres_server, template_database):
        fill(store)
        yield store


def opened(server, template):
    for url in cloned(server, template):
        store = Store.connect(url, JOB_CHANGE)
        store.url = url
        yield store
        store.close()


def fill(store):
    with psycopg.connect(store.url) as connection:
        connection.execute("""
            INSERT INTO predictions (created_at, source, position, model_version, policy_version,
              contract, probability, prediction, city, city_development_index, gender,
              relevent_experience, experience, training_hours, target)
            SELECT now() - n * interval '216 milliseconds',
              CASE WHEN n % 3 = 0 THEN 'webapp' ELSE 'scheduled' END,
              n, 'lgbm-0123456789ab', 'miss-cost-2', '0', n % 1000 / 1000.0,
              (n % 1000 > 333)::int, 'city_' || n % 150, n % 101 / 100.0,
              CASE WHEN n % 4 > 0 THEN 'Male' END, 'Has relevent experience',
              CASE WHEN n % 7 > 0 THEN (n % 20 + 1)::text END, n % 337,
              CASE WHEN n % 2 = 0 THEN (n % 10 = 0)::int END
            FROM generate_series(1, 100000) AS n
        """)
        connection.execute("""
            INSERT INTO request_log (at, route, method, status, seconds, records, waiting, weight)
            SELECT now() - n * interval '1 second',
              CASE WHEN n % 5 > 0 THEN '/predict' ELSE '-' END, 'POST',
              CASE WHEN n % 50 = 0 THEN 503 ELSE 200 END, n % 100 / 1000.0, 5, n % 9, 1
            FROM generate_series(1, 20000) AS n
        """)
        connection.execute("""
            INSERT INTO drift_windows (source, model_version, rows, first_at, last_at, last_id,
              unseen, decision, decided_at)
            SELECT CASE WHEN n % 2 = 0 THEN 'webapp' ELSE 'scheduled' END, 'lgbm-0123456789ab',
              500, now() - n * interval '2 minutes', now() - n * interval '2 minutes', n, n % 40,
              n % 3, now()
            FROM generate_series(1, 150) AS n
        """)
        connection.execute("""
            INSERT INTO drift_metrics (window_id, feature, kind, p_adjusted, effect, psi, missing,
              missing_baseline, decision)
            SELECT id, 'f' || n, 'category', 0.5, 0.1, 0.1, 0, 0, (id + n) % 3
            FROM drift_windows, generate_series(1, 13) AS n
        """)
    past = Past(store.url)
    past.champion()
    for n in range(300):
        run_id = past.run(n, 100, n % 30, arrived=n, issues=[("domain", "gender", n % 30 + 1)])
        if n > 2:
            past.predicted(run_id, n - 1)
    past.close()


@pytest.mark.parametrize(("dashboard", "panel"), PANELS)
def test_a_panel_fits_on_empty_tables(dashboard, panel, empty):
    assert_fits(panel, asked(empty, panel.sql, **choices_of(empty, dashboard)))


@pytest.mark.parametrize(("dashboard", "panel"), PANELS)
def test_a_panel_fits_on_large_tables(dashboard, panel, large):
    assert_fits(panel, asked(large, panel.sql, **choices_of(large, dashboard)))


@pytest.mark.parametrize(
    "feature", next(d for d in DASHBOARDS if d.name == "predictions").variables[1].options
)
def test_every_feature_can_be_chosen(feature, empty, large):
    dashboard = next(d for d in DASHBOARDS if d.name == "predictions")
    panels = [panel for panel in dashboard.panels if "${feature:" in panel.sql]
    assert panels
    for store in (empty, large):
        choices = choices_of(store, dashboard) | {"feature": [feature]}
        for panel in panels:
            assert_fits(panel, asked(store, panel.sql, **choices))


@pytest.mark.parametrize("days", [0.01, 0.5, 1, 2, 7, 14, 30, 60, 120, 400, 800, 4_000])
def test_a_panel_over_time_fits_whatever_the_time_range(days, empty, large):
    end = datetime.now(UTC)
    for store in (empty, large):
        for dashboard in DASHBOARDS:
            choices = choices_of(store, dashboard)
            for panel in dashboard.panels:
                if "$__interval" in panel.sql and panel.kind is PanelKind.STACK:
                    start = end - timedelta(days=days)
                    assert_fits(panel, asked(store, panel.sql, start=start, end=end, **choices))


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.name)
def test_a_variable_offers_texts_and_never_none(dashboard, empty, large):
    for store in (empty, large):
        for values in choices_of(store, dashboard).values():
            assert values
            assert all(isinstance(value, str) and value for value in values)
            assert len(set(values)) == len(values)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.name)
def test_what_is_marked_has_a_time_and_a_text(dashboard, empty, large):
    for store in (empty, large):
        for annotation in dashboard.annotations:
            frame = asked(store, annotation.sql)
            assert frame.columns in ((), ("time", "text"))
            assert all(moment is not None and text for moment, text in frame.rows)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_answers_with_one_number_and_details_with_a_few_lines(rule, empty, large):
    assert value_of(empty, rule) == 0
    assert value_of(large, rule) >= 0
    if rule.details:
        assert lines_of(empty, rule) == []
        assert len(lines_of(large, rule)) <= 5


def test_all_fits_a_contract_of_another_domain(postgres_server):
    for url in cloned(postgres_server, "template1"):
        store = Store.connect(url, TOY)
        store.migrate()
        for dashboard in dashboards_of(TOY):
            choices = choices_of(store, dashboard)
            for panel in dashboard.panels:
                assert_fits(panel, asked(store, panel.sql, **choices))
        for rule in rules_of(TOY):
            assert value_of(store, rule) == 0
            if rule.details:
                assert lines_of(store, rule) == []
        store.close()
