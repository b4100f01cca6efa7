"""Grafana's dashboards: what becomes of a panel, a variable, a mark and a link."""

import json
import re

import pytest

from grafana_sample import OTHER, PANELS, SMALL, panel
from jobchurn.grafana.colours import NAMED, ORDERED, TINTS
from jobchurn.grafana.dashboards import dashboard_of, places_of
from jobchurn.grafana.drawing import panel_of
from jobchurn.grafana.text import json_of, plain
from jobchurn.panels import Colour, PanelKind
from palette import TINTS as OF_THE_WEB_APP
from palette import colours_of

BUILT = json.loads(json_of(dashboard_of(SMALL)))
BY_ID = {panel["id"]: panel for panel in BUILT["panels"]}
SOURCE = {"type": "grafana-postgresql-datasource", "uid": "jobchurn"}


def override(number, name):
    """What a panel says of one column, by the property's name."""
    return {
        each["id"]: each["value"]
        for rule in BY_ID[number]["fieldConfig"]["overrides"]
        if rule["matcher"] == {"id": "byName", "options": name}
        for each in rule["properties"]
    }


def variable(name):
    return next(each for each in BUILT["templating"]["list"] if each["name"] == name)


def tints_of(name):
    """The colours that a name asks for."""
    patterns = NAMED | ORDERED
    return [tint for like, tint in patterns.items() if re.search(like, name, re.IGNORECASE)]


def test_a_dashboard_keeps_its_name_title_range_and_refresh():
    assert BUILT["uid"] == "small"
    assert BUILT["title"] == "Small"
    assert BUILT["description"] == "A bit of everything."
    assert BUILT["tags"] == ["jobchurn"]
    assert BUILT["time"] == {"from": "now-24h", "to": "now"}
    assert BUILT["refresh"] == "60s"
    assert BUILT["editable"] is False


@pytest.mark.parametrize("drawn", PANELS, ids=lambda drawn: drawn.kind.value)
def test_a_panel_keeps_its_id_title_query_and_source(drawn):
    found = BY_ID[drawn.id]
    assert found["title"] == drawn.title
    assert found["description"].startswith(drawn.description)
    assert found["description"].endswith(drawn.empty)
    assert found["datasource"] == SOURCE
    assert found["fieldConfig"]["defaults"]["unit"] == drawn.unit
    [target] = found["targets"]
    assert target["rawSql"] == drawn.sql
    assert target["datasource"] == SOURCE
    assert target["rawQuery"] is True
    assert target["editorMode"] == "code"


@pytest.mark.parametrize(
    ("kind", "drawn_as", "shape"),
    [
        (PanelKind.STAT, "stat", "table"),
        (PanelKind.SERIES, "timeseries", "time_series"),
        (PanelKind.STACK, "timeseries", "time_series"),
        (PanelKind.TIMELINE, "state-timeline", "time_series"),
        (PanelKind.BARS, "barchart", "table"),
        (PanelKind.TABLE, "table", "table"),
    ],
)
def test_each_kind_is_drawn_in_its_own_way(kind, drawn_as, shape):
    found = BY_ID[next(each.id for each in PANELS if each.kind is kind)]
    assert found["type"] == drawn_as
    assert found["targets"][0]["format"] == shape


def test_lines_are_drawn_as_lines_and_stacks_as_stacked_bars():
    line, stack = (BY_ID[number]["fieldConfig"]["defaults"]["custom"] for number in (3, 4))
    assert line["drawStyle"] == "line"
    assert "stacking" not in line
    assert stack["drawStyle"] == "bars"
    assert stack["stacking"]["mode"] == "normal"


def test_thresholds_keep_their_order_and_get_the_tints_of_what_they_say():
    steps = BY_ID[1]["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert steps == [
        {"color": TINTS[Colour.GOOD], "value": None},
        {"color": TINTS[Colour.WARN], "value": 0.1},
        {"color": TINTS[Colour.BAD], "value": 0.5},
    ]
    assert BY_ID[1]["fieldConfig"]["defaults"]["color"] == {"mode": "thresholds"}
    assert BY_ID[2]["fieldConfig"]["defaults"]["color"]["mode"] == "fixed"


def test_the_ends_of_an_axis_are_fixed_where_the_panel_says_so():
    limits = BY_ID[3]["fieldConfig"]["defaults"]
    assert (limits["min"], limits["max"]) == (0, 1)
    assert not {"min", "max"} & BY_ID[2]["fieldConfig"]["defaults"].keys()


def test_numbers_of_a_timeline_become_words_and_colours():
    [mapping] = BY_ID[5]["fieldConfig"]["defaults"]["mappings"]
    assert mapping["type"] == "value"
    assert {number: state["text"] for number, state in mapping["options"].items()} == {
        "0": "quiet",
        "1": "warned",
        "2": "paged",
    }
    assert mapping["options"]["2"]["color"] == TINTS[Colour.BAD]


def test_columns_have_units_of_their_own():
    assert override(6, "serving") == {"unit": "percentunit"}
    assert override(7, "seconds") == {"unit": "s"}


def test_cells_lead_to_the_api():
    [link] = override(7, "report")["links"]
    assert link["url"] == "${api}/reports/${__value.raw}"
    assert link["title"]


def test_panels_over_time_have_as_many_points_as_in_the_web_app_and_none_within_a_minute():
    for number in (3, 4, 5):
        assert BY_ID[number]["maxDataPoints"] == 240
        assert BY_ID[number]["interval"] == "1m"


def test_a_list_of_values_says_how_people_read_them():
    assert variable("source")["query"] == r"Web app : webapp, scheduled\, nightly"
    assert variable("source")["type"] == "custom"
    assert variable("age")["query"] == "Rather old : old, new"


def test_of_several_values_all_are_chosen_at_first_else_the_first():
    for name in ("source", "rule"):
        assert variable(name)["multi"] is variable(name)["includeAll"] is True
        assert variable(name)["current"]["value"] == ["$__all"]
    assert variable("age")["multi"] is variable("age")["includeAll"] is False
    assert variable("age")["current"]["value"] == "old"
    assert variable("age")["current"]["text"] == "Rather old"


def test_a_variable_may_ask_the_database_and_does_so_again_with_each_range():
    asked = variable("feature")
    assert asked["type"] == "query"
    assert asked["query"] == "SELECT DISTINCT feature FROM metrics"
    assert asked["datasource"] == SOURCE
    assert asked["refresh"] == 2
    assert "current" not in asked


def test_the_addresses_of_api_and_web_app_cannot_be_changed_by_a_visitors_link():
    for name in ("api", "webapp"):
        assert variable(name)["type"] == "constant"
        assert variable(name)["hide"] == 2
        assert variable(name)["query"].startswith("http://127.0.0.1:")


def test_marks_are_asked_of_the_database():
    [mark] = BUILT["annotations"]["list"]
    assert mark["name"] == "Models"
    assert mark["enable"] is True
    assert mark["target"]["rawSql"] == SMALL.annotations[0].sql
    assert mark["target"]["format"] == "table"


def test_dashboards_lead_to_each_other_the_web_app_and_the_api():
    others, webapp, api = BUILT["links"]
    assert (others["type"], others["tags"], others["keepTime"]) == (
        "dashboards",
        ["jobchurn"],
        True,
    )
    assert webapp["url"] == "${webapp}"
    assert api["url"] == "${api}/openapi.json"


def test_links_and_marks_are_not_hidden_in_a_menu():
    assert not [each for each in BUILT["links"] if "placement" in each]
    assert not [each for each in BUILT["annotations"]["list"] if "placement" in each]


def test_panels_stand_left_to_right_and_rows_below_the_highest_panel():
    sizes = [(12, 4), (6, 8), (6, 2), (24, 5), (8, 3)]
    placed = [
        (x, y)
        for _, x, y in places_of(
            panel(number, PanelKind.STAT, width=width, height=height)
            for number, (width, height) in enumerate(sizes, 1)
        )
    ]
    assert placed == [(0, 0), (12, 0), (18, 0), (0, 8), (0, 13)]


def test_the_same_dashboard_gives_the_same_text():
    assert json_of(dashboard_of(SMALL)) == json_of(dashboard_of(SMALL))
    assert json_of(dashboard_of(SMALL)) != json_of(dashboard_of(OTHER))


def test_what_a_colour_says_looks_as_in_the_web_app():
    assert {str(colour): tint for colour, tint in TINTS.items()} == OF_THE_WEB_APP
    assert set(TINTS) == set(Colour)


@pytest.mark.parametrize(
    "name",
    [
        *("good", "bad", "none", "low", "medium", "high", "2xx", "3xx", "4xx", "5xx"),
        *("success", "failed", "skipped", "delivered", "pending", "quiet"),
        *("training", "hold-out", "objective", "expected"),
    ],
)
def test_names_that_say_something_have_the_web_apps_colour(name):
    assert tints_of(name) == colours_of([name])


@pytest.mark.parametrize(
    "names",
    [
        ("serving", "training"),
        ("effect", "PSI"),
        ("p50", "p95", "p99"),
        ("mean", "most"),
        ("happened", "expected"),
        ("webapp", "scheduled"),
        ("good", "bad"),
        ("4xx", "5xx"),
    ],
)
def test_names_of_one_panel_have_a_colour_each(names):
    tints = [tint for name in names for tint in tints_of(name)]
    assert len(tints) == len(set(tints)) == len(names)


def test_many_or_long_labels_stand_down_the_side_of_a_high_panel():
    def orientation(height):
        bars = panel(1, PanelKind.BARS, height=height)
        return plain(panel_of(bars, 0, 0).build())["options"]["orientation"]

    assert orientation(8) == "vertical"
    assert orientation(10) == "horizontal"
