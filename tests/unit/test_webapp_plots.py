"""Panels as charts: their axes, colours, legends and words, and what they leave out."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

import plots
from dashboard import Panel, Span, dashboard_of, rows_of
from drawn import ROW_PIXELS
from fake_panels import CRITICALITY, PANELS, TOO_MUCH, dashboard, wave
from palette import BLUE, GREY, ORANGE, SEVERAL, TINTS
from panel_table import width_of

END = datetime(2026, 11, 24, 13, tzinfo=UTC)
START = END - timedelta(hours=6)
HOSTILE = "<img src=x onerror=alert(1)> [a](javascript:b) datum.value"
OVER_TIME = ["time", "metric", "value"]
MARK = {"time": START.isoformat(), "name": "Model", "text": HOSTILE}
SPAN = Span(START, END, 60, [MARK])
DRAW = {
    "series": plots.lines,
    "stack": plots.stack,
    "timeline": plots.timeline,
    "bars": plots.bars,
}


def panel(kind="series", columns=OVER_TIME, rows=(), **other):
    fields = {"id": 1, "kind": kind, "title": "A panel", "description": "", "units": {}}
    return Panel(**fields | {"links": {}, "columns": columns, "rows": rows} | other)


def spec_of(drawn):
    return drawn.chart.to_dict()


def encodings_of(spec):
    """Channel → the encodings of all layers."""
    found = {}
    for layer in spec.get("layer", [spec]):
        for channel, encoding in layer.get("encoding", {}).items():
            found.setdefault(channel, []).append(encoding)
    return found


def axis_of(drawn, channel="y"):
    """The one encoding of a channel that has an axis in words."""
    return next(e for e in encodings_of(spec_of(drawn))[channel] if "axis" in e)


def data_of(drawn):
    """All rows of all data sets."""
    return [row for rows in spec_of(drawn)["datasets"].values() for row in rows]


def made_up():
    for name in PANELS:
        answer = dashboard_of(dashboard(name, {}, END))
        for found in answer.panels:
            if found.kind in DRAW and found.rows:
                yield pytest.param(found, answer.span, id=f"{name}-{found.id}")


MADE_UP = list(made_up())


@pytest.mark.parametrize(("found", "span"), MADE_UP)
def test_every_chart_is_valid_described_and_as_high_as_its_panel(found, span):
    drawn = DRAW[found.kind](found, span)
    spec = spec_of(drawn)
    assert spec["height"] >= found.height * ROW_PIXELS - 30
    assert drawn.name.startswith(found.title)
    assert any(character.isdigit() for character in drawn.values) or found.kind == "timeline"
    assert "nan" not in drawn.values


@pytest.mark.parametrize(("found", "span"), MADE_UP)
def test_no_labels_overlap_and_long_ones_are_cut(found, span):
    for channel in ("x", "y"):
        for encoding in encodings_of(spec_of(DRAW[found.kind](found, span)))[channel]:
            axis = encoding.get("axis") or {}
            if encoding.get("type") == "nominal":
                assert axis["labelLimit"] <= 240
                assert axis.get("labelAngle", 0) == 0
            elif axis:
                assert axis["labelOverlap"]


@pytest.mark.parametrize(("found", "span"), MADE_UP)
def test_time_is_in_utc_and_says_so(found, span):
    drawn = DRAW[found.kind](found, span)
    times = [e for e in encodings_of(spec_of(drawn))["x"] if e["type"] == "temporal"]
    assert all(time["scale"]["type"] == "utc" for time in times)
    assert all(time["axis"]["title"] == "UTC" for time in times)
    assert all(row["when"].endswith(" UTC") for row in data_of(drawn) if "when" in row)
    assert bool(times) == (found.kind != "bars")


def test_a_tick_between_two_minutes_is_not_called_as_the_minute_is():
    drawn = plots.lines(panel(rows=[[START.isoformat(), "a", 1.0]]), SPAN)
    words = axis_of(drawn, "x")["axis"]["labelExpr"]
    assert words.startswith("utcseconds(datum.value) != 0 ? utcFormat(datum.value, '%H:%M:%S')")


def test_a_column_of_a_table_is_wide_enough_for_its_longest_number():
    rows = [["a", 1.0], ["b", None], ["c", -0.00012]]
    found = panel("table", ["rule", "value"], rows)
    short = panel("table", ["rule", "value"], rows[:2])
    assert width_of("value", found) > width_of("value", short) >= len("Value") * 7
    assert width_of("value", found) >= len("-0.00012") * 7


@pytest.mark.parametrize(("found", "span"), [p for p in MADE_UP if p.values[0].kind != "bars"])
def test_a_refresh_changes_the_data_and_not_the_description(found, span):
    """So that the browser moves the picture on, and draws no other in its place."""
    later = replace(
        span, start=span.start + timedelta(minutes=1), end=span.end + timedelta(minutes=1), marks=[]
    )

    def shape(drawn):
        spec = spec_of(drawn)
        names = list(spec.pop("datasets"))
        text = json.dumps(spec)
        for place, name in enumerate(sorted(names, key=text.index)):
            text = text.replace(name, f"data {place}")
        return text, drawn.name

    draw = DRAW[found.kind]
    assert shape(draw(found, replace(span, marks=[]))) == shape(draw(found, later))


@pytest.mark.parametrize(
    ("unit", "largest", "mark"),
    [
        ("percentunit", 0.3, "%"),
        ("s", 0.3, " ms"),
        ("s", 300, " min"),
        ("bytes", 3e7, " MB"),
        ("cps", 20, "/s"),
        ("short", 50_000, "k"),
    ],
)
def test_an_axis_words_its_numbers_in_their_unit(unit, largest, mark):
    rows = wave(START, END, 5, a=(largest / 2, 0), b=(largest, 0))
    drawn = plots.lines(panel(rows=rows, unit=unit), SPAN)
    expression = next(e for e in axis_words(drawn) if e.endswith(f"+ '{mark}'"))
    assert expression.startswith("format(datum.value")
    assert max(row.get("scaled", 0) for row in data_of(drawn)) < 1_000


def axis_words(drawn):
    return [e["axis"]["labelExpr"] for e in encodings_of(spec_of(drawn))["y"] if "axis" in e]


def test_fixed_ends_of_an_axis_are_kept_in_its_measure():
    rows = wave(START, END, 5, a=(0.4, 0.1))
    fixed = panel(rows=rows, unit="percentunit", lowest=0.0, highest=1.0)
    scale = axis_of(plots.lines(fixed, SPAN))["scale"]
    assert (scale["domainMin"], scale["domainMax"]) == (0, 100)
    free = axis_of(plots.lines(replace(fixed, lowest=None, highest=None), SPAN))["scale"]
    assert "domainMin" not in free
    assert "domainMax" not in free


def test_a_line_of_nothing_lies_on_the_ground():
    rows = wave(START, END, 5, a=(0, 0))
    scale = axis_of(plots.lines(panel(rows=rows, unit="percentunit"), SPAN))["scale"]
    assert (scale["zero"], scale["domainMax"]) == (True, 1)


def test_counts_have_no_ticks_between_whole_numbers():
    rows = wave(START, END, 5, a=(2, 1))
    assert axis_of(plots.lines(panel(rows=rows, unit="short"), SPAN))["axis"]["tickMinStep"] == 1


def test_the_whole_time_range_is_shown_however_little_there_is_in_it():
    drawn = plots.lines(panel(rows=[[START.timestamp() + 3_600, "a", 1.0]]), SPAN)
    times = [row["time"] for row in data_of(drawn)]
    assert (min(times), max(times)) == (1_000 * START.timestamp(), 1_000 * END.timestamp())


def test_times_as_text_and_as_seconds_are_the_same_moment():
    rows = [[START.timestamp(), "a", 1.0], [START.isoformat(), "b", 1.0]]
    first, second = (row for row in data_of(plots.lines(panel(rows=rows), SPAN)) if "metric" in row)
    assert first["time"] == second["time"]


def test_lines_differ_by_colour_and_beyond_four_by_dashes_too():
    rows = wave(START, END, 5, **{f"line {n}": (n, 0) for n in range(1, 9)})
    drawn = plots.lines(panel(rows=rows), SPAN)
    assert [entry.colour for entry in drawn.legend] == list(SEVERAL)
    assert [entry.dashed for entry in drawn.legend] == [False] * 4 + [True] * 4


def test_of_many_lines_the_largest_are_drawn_and_it_is_said():
    rows = wave(START, END, 5, training=(0.1, 0), **{f"line {n}": (n, 0) for n in range(1, 12)})
    drawn = plots.lines(panel(rows=rows), SPAN)
    names = [entry.name for entry in drawn.legend]
    assert names == [f"line {n}" for n in range(5, 12)] + ["training"]
    assert drawn.note == "The largest 8 of 12."


def test_what_is_compared_with_is_a_grey_dashed_line():
    rows = wave(START, END, 5, serving=(0.3, 0), training=(0.25, 0))
    [serving, training] = plots.lines(panel(rows=rows), SPAN).legend
    assert (serving.colour, serving.dashed) == (BLUE, False)
    assert (training.colour, training.dashed) == (GREY, True)


def test_thresholds_in_sight_are_lines_with_their_words_in_the_legend():
    rows = wave(START, END, 5, a=(0.18, 0))
    drawn = plots.lines(panel(rows=rows, unit="percentunit", thresholds=TOO_MUCH), SPAN)
    [entry] = drawn.legend
    assert (entry.name, entry.colour) == ("warning from 20%", TINTS["warn"])
    assert {row["scaled"] for row in data_of(drawn) if "step" in row} == {20}


def test_stacked_bars_stand_on_each_other_the_better_below():
    rows = [[START.timestamp(), "bad", 30], [START.timestamp(), "good", 70]]
    drawn = plots.stack(panel("stack", rows=rows, unit="short"), SPAN)
    good, bad = sorted(
        (row for row in data_of(drawn) if "metric" in row), key=lambda row: row["bottom"]
    )
    assert (good["metric"], good["bottom"], good["top"]) == ("good", 0, 70)
    assert (bad["metric"], bad["bottom"], bad["top"]) == ("bad", 70, 100)
    assert [(e.name, e.colour) for e in drawn.legend] == [("good", BLUE), ("bad", ORANGE)]
    assert good["until"] - good["time"] <= 1_000 * SPAN.interval_seconds


def test_a_state_lasts_until_the_next_and_the_last_to_the_end():
    hour, first = 3_600, START.timestamp()
    rows = [[first + n * hour, "lane", value] for n, value in enumerate([0, 0, 2, 9, 3])]
    drawn = plots.timeline(panel("timeline", rows=rows, states=CRITICALITY), SPAN)
    spells = [
        (row["word"], (row["until"] - row["time"]) / 3_600_000)
        for row in data_of(drawn)
        if "word" in row
    ]
    # What is no state is a gap.
    assert spells == [("none", 2), ("medium", 1), ("high", 2)]
    assert [entry.name for entry in drawn.legend] == ["none", "low", "medium", "high"]
    assert "lane high" in drawn.values


def test_many_lanes_make_a_timeline_higher_than_its_panel():
    rows = [[START.timestamp(), f"lane {n}", 0] for n in range(40)]
    drawn = plots.timeline(panel("timeline", rows=rows, states=CRITICALITY, height=4), SPAN)
    assert spec_of(drawn)["height"] > 40 * 20


def test_bars_stand_upright_where_their_labels_fit_and_lie_where_not():
    short = panel("bars", ["label", "rows"], [["a", 1], ["b", 2]])
    long = replace(short, rows=[["a long label " * 9, 1], ["another long label" * 9, 2]])
    assert encodings_of(spec_of(plots.bars(short, SPAN)))["x"][0]["type"] == "nominal"
    assert encodings_of(spec_of(plots.bars(long, SPAN)))["y"][0]["type"] == "nominal"


def test_bars_keep_the_order_of_their_rows_and_name_what_has_no_name():
    drawn = plots.bars(panel("bars", ["label", "rows"], [["z", 1], ["a", 2], [None, 3]]), SPAN)
    assert encodings_of(spec_of(drawn))["x"][0]["sort"] == ["z", "a", "unknown"]


def test_of_many_groups_of_bars_the_first_are_drawn_and_it_is_said():
    drawn = plots.bars(panel("bars", ["label", "rows"], [[str(n), n] for n in range(99)]), SPAN)
    assert len(data_of(drawn)) == plots.MOST_BARS
    assert drawn.note == "The first 30 of 99."


@pytest.mark.parametrize("kind", DRAW)
def test_hostile_names_are_data_and_never_part_of_an_expression(kind):
    columns = ["label", HOSTILE] if kind == "bars" else OVER_TIME
    rows = [[HOSTILE, 1]] if kind == "bars" else [[START.timestamp(), HOSTILE, 1]]
    drawn = DRAW[kind](panel(kind, columns, rows, states=CRITICALITY), SPAN)
    spec = spec_of(drawn)
    assert HOSTILE in json.dumps(spec["datasets"])

    def expressions(part):
        if isinstance(part, dict):
            for key, value in part.items():
                if key in ("labelExpr", "expr", "filter", "calculate", "field", "shorthand"):
                    yield value
                yield from expressions(value)
        elif isinstance(part, list):
            for value in part:
                yield from expressions(value)

    assert not any(HOSTILE in str(found) for found in expressions(spec))


def test_panels_are_laid_out_row_by_row_as_wide_as_each_says():
    panels = [panel(width=width) for width in (6, 6, 6, 6, 16, 8, 24, 12, 16)]
    assert [[p.width for p in row] for row in rows_of(panels)] == [
        [6, 6, 6, 6],
        [16, 8],
        [24],
        [12],
        [16],
    ]
