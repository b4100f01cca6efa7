"""The page Monitoring, run as Streamlit runs it against made-up dashboards on loopback."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

import fake_panels
from fake_api import FakeApi, problem

HOME = Path(__file__).parents[2] / "webapp" / "Home.py"
HOSTILE = "<img src=x onerror=alert(1)> **b** [a](javascript:b) :red[x]"


@pytest.fixture
def api(monkeypatch):
    with FakeApi() as api:
        monkeypatch.setenv("API_URL", api.address)
        monkeypatch.setenv("API_PUBLIC_URL", "https://public.example")
        yield api


def opened(**address):
    """The page, opened by a link."""
    app = AppTest.from_file(HOME, default_timeout=30).run()
    app.switch_page("views/monitoring.py")
    for name, value in address.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def asked(api, name="ingestion"):
    """The parameters of the latest question about a dashboard's panels."""
    about = [request.parameters for request in api.asked(f"/panels/{name}")]
    # The alert rules are asked for beside them.
    return next(parameters for parameters in about[::-1] if "panel" not in parameters)


def said(app):
    """Everything that the page says in prose."""
    kinds = (app.markdown, app.subheader, app.caption, app.info, app.warning, app.error)
    return "\n".join(element.value for kind in kinds for element in kind)


def shown_instead(monkeypatch, *panels, dashboard="ingestion"):
    """Make up the panels of a dashboard."""
    monkeypatch.setitem(fake_panels.PANELS, dashboard, lambda *_: list(panels))


def rules_shown(monkeypatch, rows=None, **other):
    """The page while the alert rules are as these rows say."""
    panel = fake_panels.rules() | other
    panel["rows"] = panel["rows"] if rows is None else rows
    shown_instead(monkeypatch, panel, dashboard="service")
    return opened()


@pytest.mark.parametrize("name", fake_panels.TITLES)
def test_every_panel_of_a_dashboard_stands_on_its_page(api, name):
    app = opened(dashboard=name)
    now = datetime.now(UTC)
    titles = [panel["title"] for panel in fake_panels.PANELS[name](now, now)]
    assert [heading.value for heading in app.subheader] == titles
    assert not app.error


def test_the_dashboards_are_named_by_the_api_and_chosen_at_the_top(api):
    app = opened()
    choice = app.segmented_control(key="monitoring-dashboard")
    assert choice.options == list(fake_panels.TITLES.values())
    choice.set_value("service").run()
    assert app.query_params["dashboard"] == "service"
    assert "Latency" in said(app)


def test_a_range_is_chosen_kept_in_the_address_and_kept_for_the_next_dashboard(api):
    app = opened()
    assert asked(api) == {}
    assert app.segmented_control(key="monitoring-range").value == "6h"
    app.segmented_control(key="monitoring-range").set_value("24h").run()
    assert asked(api) == {"from": ["now-24h"], "to": ["now"]}
    assert app.query_params["range"] == "24h"
    app.segmented_control(key="monitoring-dashboard").set_value("service").run()
    assert asked(api, "service") == {"from": ["now-24h"], "to": ["now"]}


def test_both_ends_of_a_range_are_chosen_in_utc(api):
    app = opened(**{"from": "2026-11-24T06:00:00Z", "to": "2026-11-24T09:30:00Z"})
    assert asked(api) == {"from": ["2026-11-24T06:00:00Z"], "to": ["2026-11-24T09:30:00Z"]}
    assert app.segmented_control(key="monitoring-range").value == "custom"
    start = app.datetime_input(key="monitoring-start")
    start.set_value(datetime(2026, 11, 24, 5, 0)).run()  # noqa: DTZ001  (as the field holds it)
    assert asked(api)["from"] == ["2026-11-24T05:00:00Z"]
    assert app.query_params["from"] == "2026-11-24T05:00:00Z"


def test_a_custom_range_begins_as_the_one_in_view(api):
    app = opened(range="1h")
    app.segmented_control(key="monitoring-range").set_value("custom").run()
    assert not app.exception
    ends = [datetime.fromisoformat(asked(api)[name][0]) for name in ("from", "to")]
    assert (ends[1] - ends[0]).total_seconds() == 3_600
    assert app.selectbox(key="monitoring-refresh").value == "off"


def test_a_range_that_ends_before_it_begins_is_told_and_not_asked_for(api):
    app = opened(**{"from": "2026-11-24T09:00:00Z", "to": "2026-11-24T06:00:00Z"})
    assert "before it begins" in app.warning[0].value
    assert api.asked("/panels/ingestion") == []
    assert len(app.datetime_input) == 2


def test_variables_offer_what_the_api_does_in_its_words(api):
    app = opened(dashboard="predictions")
    source = app.multiselect(key="monitoring-var-source")
    assert source.options == ["Web app", "Scheduled"]
    assert source.value == []
    source.set_value(["webapp"]).run()
    assert asked(api, "predictions") == {"var-source": ["webapp"]}
    assert app.query_params["var-source"] == "webapp"
    app.selectbox(key="monitoring-var-feature").set_value("experience").run()
    assert asked(api, "predictions") == {"var-source": ["webapp"], "var-feature": ["experience"]}


def test_another_dashboard_is_not_asked_for_the_choices_of_the_one_before(api):
    app = opened(dashboard="predictions", **{"var-source": "webapp"})
    app.segmented_control(key="monitoring-dashboard").set_value("service").run()
    assert asked(api, "service") == {}
    assert "var-source" not in app.query_params


def test_an_old_link_whose_choices_are_gone_shows_the_dashboard_all_the_same(api):
    app = opened(dashboard="predictions", **{"var-source": "gone"})
    assert "choices that there are not" in app.warning[0].value
    assert asked(api, "predictions") == {}
    assert len(app.subheader) == len(fake_panels.predictions(*[datetime.now(UTC)] * 2))


def test_the_pace_is_the_dashboards_until_another_is_chosen(api):
    app = opened()
    assert app.selectbox(key="monitoring-refresh").value == "30s"
    assert "again every 30 s" in said(app)
    app.selectbox(key="monitoring-refresh").set_value("off").run()
    assert app.query_params["refresh"] == "off"
    assert "again every" not in said(app)
    assert "Last refreshed at" in said(app)


def test_one_look_asks_for_the_panels_once(api):
    opened()
    assert len(api.asked("/panels/ingestion")) == 1


def test_a_number_is_told_with_its_unit_and_a_word_for_its_colour(api):
    app = opened()
    numbers = {metric.label: metric.value for metric in app.metric}
    assert numbers["Rows ingested"] == "15.3k"
    assert numbers["Share of bad rows"] == "23.1%"
    assert any("orange-badge" in m.value and "warning" in m.value for m in app.markdown)


def test_a_panel_without_rows_says_what_fills_it_and_one_in_trouble_says_which(api):
    app = opened(dashboard="service")
    assert "Put a CSV into the folder raw\\_data" in said(app)
    assert "The database did not answer within 5 s" in said(app)
    assert not app.error


def test_code_in_a_sentence_of_ours_is_shown_as_code(api, monkeypatch):
    empty = fake_panels.stat(1, "A number", None, empty="Run `jobchurn ingest FILE_1`.")
    shown_instead(monkeypatch, empty)
    assert "`jobchurn ingest FILE_1`" in said(opened())


def test_a_table_has_units_moments_in_utc_and_links_to_the_public_address(api):
    app = opened()
    table = app.dataframe[-1].value
    assert list(table) == ["Finished (UTC)", "File", "Rows", "Bad", "Report"]
    assert str(table["Finished (UTC)"].iloc[0].tzinfo) == "UTC"
    assert table["Report"].iloc[0] == (
        "https://public.example/reports/20261124T070000-3f9a2c.html#20261124T070000-3f9a2c"
    )


def test_a_link_leads_nowhere_else_whatever_the_cell_says(api, monkeypatch):
    rows = [["../../etc/passwd"], ["//example.org/?a#b"], [None]]
    links = {"report": "/reports/{cell}"}
    table = fake_panels.panel(1, "table", "Files", ["report"], rows, links=links)
    shown_instead(monkeypatch, table)
    up, away, nothing = opened().dataframe[0].value["Report"]
    assert up.startswith("https://public.example/reports/..%2F..%2Fetc%2Fpasswd#")
    assert away.startswith("https://public.example/reports/%2F%2Fexample.org%2F%3Fa%23b#")
    assert pd.isna(nothing)


def test_hostile_texts_stay_inert(api, monkeypatch):
    end = datetime.now(UTC)
    rows = [[end.timestamp(), HOSTILE, 1], [end.timestamp(), "other", 1]]
    panels = [
        fake_panels.panel(1, "series", HOSTILE, ["time", "metric", "value"], rows),
        fake_panels.stat(2, HOSTILE, None, description=HOSTILE, empty=HOSTILE),
        fake_panels.panel(3, "table", HOSTILE, [HOSTILE], [[HOSTILE]]),
    ]
    shown_instead(monkeypatch, *panels)
    app = opened()
    assert all("\\<img" in heading.value for heading in app.subheader)
    assert all("<img" not in text.replace("\\<img", "") for text in said(app).splitlines())
    [legend] = [html.proto.body for html in app.get("html") if html.proto.body.startswith("<ul")]
    assert "&lt;img src=x" in legend
    assert "<img" not in legend


def test_more_rows_than_are_shown_are_told(api, monkeypatch):
    table = fake_panels.panel(1, "table", "Files", ["file"], [["a"]], more=True)
    shown_instead(monkeypatch, table)
    assert "The first 1 rows; there are more." in said(opened())


def test_a_refusal_without_choices_is_shown_with_the_apis_words(api, monkeypatch):
    api.trouble = (503, problem("The database is away.", cure="Run `jobchurn up`."))
    app = opened()
    assert "The database is away" in app.error[0].value
    assert [button.label for button in app.button] == ["Try again"]


# --- is all well? --------------------------------------------------------------------------------


def test_where_no_rule_fires_all_is_well(api):
    app = opened()
    assert "All is well" in app.success[0].value
    assert "none of 3 alert rules fires" in app.success[0].value
    assert not app.error


def test_rules_that_fire_are_named_with_their_page_on_every_dashboard(api, monkeypatch):
    app = rules_shown(monkeypatch, fake_panels.rules(firing=("drift",))["rows"])
    assert "**1 alert rule fires:**" in app.error[0].value
    assert "[drift](https://public.example/runbook/drift) since" in app.error[0].value
    assert not app.success


def test_a_rule_about_to_fire_is_told_and_is_no_alarm_yet(api, monkeypatch):
    [first, *rest] = fake_panels.rules()["rows"]
    app = rules_shown(monkeypatch, [[first[0], "pending", *first[2:]], *rest])
    assert "About to fire" in app.warning[0].value
    assert not app.error
    assert not app.success


def test_a_rule_that_cannot_be_asked_is_no_good_news(api, monkeypatch):
    [first, *rest] = fake_panels.rules()["rows"]
    app = rules_shown(monkeypatch, [[*first[:5], "The database is *away*."], *rest])
    assert "Could not be asked" in app.warning[0].value
    assert r"The database is \*away\*" in app.warning[0].value
    assert not app.success


def test_rules_that_nobody_asks_are_no_good_news(api, monkeypatch):
    long_ago = "2026-01-01T00:00:00+00:00"
    rows = [[*row[:3], long_ago, long_ago, None] for row in fake_panels.rules()["rows"]]
    app = rules_shown(monkeypatch, rows)
    assert "nobody watches" in app.warning[0].value
    assert not app.success


def test_rules_never_asked_or_out_of_sight_are_told_calmly(api, monkeypatch):
    app = rules_shown(monkeypatch, [], empty="No rule was asked yet: run `jobchurn watch`.")
    assert "`jobchurn watch`" in app.info[0].value
    app = rules_shown(monkeypatch, [], error="The database is away.")
    assert "database is away" in app.info[0].value
    assert not app.error
