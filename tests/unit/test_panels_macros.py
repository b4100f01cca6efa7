"""Macros are written as Grafana writes them, and what it would break is refused.

Expected texts are those of Grafana's own tests (pkg/tsdb/grafana-postgresql-datasource) and of its
rules for variables and intervals, as they are in version 12.
"""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobchurn.panels import UnusableQuery, expand, interval_of
from jobchurn.panels.macros import text_of_interval

START = datetime(2018, 4, 12, 18, 0, tzinfo=UTC)
END = START + timedelta(minutes=5)


def expanded(sql, start=START, end=END, interval_seconds=300, **variables):
    return expand(sql, start=start, end=end, interval_seconds=interval_seconds, variables=variables)


@pytest.mark.parametrize(
    ("sql", "written"),
    [
        ("SELECT $__time(c)", 'SELECT c AS "time"'),
        ("SELECT min($__time(c))", 'SELECT min(c AS "time")'),
        ("SELECT $__timeEpoch(c)", 'SELECT extract(epoch from c) as "time"'),
        (
            "WHERE $__timeFilter(c)",
            "WHERE c BETWEEN '2018-04-12T18:00:00Z' AND '2018-04-12T18:05:00Z'",
        ),
        ("SELECT $__timeFrom()", "SELECT '2018-04-12T18:00:00Z'"),
        ("SELECT $__timeTo()", "SELECT '2018-04-12T18:05:00Z'"),
        ("SELECT $__timeTo()::timestamptz", "SELECT '2018-04-12T18:05:00Z'::timestamptz"),
        ("$__timeGroup(c,'5m')", "floor(extract(epoch from c)/300)*300"),
        ("$__timeGroup(c , '5m')", "floor(extract(epoch from c)/300)*300"),
        ("$__timeGroup(c, 5m)", "floor(extract(epoch from c)/300)*300"),
        ("$__timeGroup(a.c, '5m', NULL)", "floor(extract(epoch from a.c)/300)*300"),
        ("$__timeGroup(c, '5m', 0)", "floor(extract(epoch from c)/300)*300"),
        ("$__timeGroup(c, '5m', previous)", "floor(extract(epoch from c)/300)*300"),
        ("$__timeGroup(c,'5m') as time", "floor(extract(epoch from c)/300)*300 as time"),
        ("$__timeGroupAlias(c,'5m')", 'floor(extract(epoch from c)/300)*300 AS "time"'),
        ("$__timeGroupAlias(c , '1h')", 'floor(extract(epoch from c)/3600)*3600 AS "time"'),
        ("$__timeGroup(c, '1d')", "floor(extract(epoch from c)/86400)*86400"),
        ("$__timeGroup(c, '1w')", "floor(extract(epoch from c)/604800)*604800"),
        ("$__timeGroup(c, '12d')", "floor(extract(epoch from c)/1.0368e+06)*1.0368e+06"),
        ("$__timeGroup(c, '20d')", "floor(extract(epoch from c)/1.728e+06)*1.728e+06"),
        ("$__timeGroup(c, '20ms')", "floor(extract(epoch from c)/0.02)*0.02"),
        ("$__timeGroup(c, '1h30m')", "floor(extract(epoch from c)/5400)*5400"),
        ("$__timeGroup(c, '1.5h')", "floor(extract(epoch from c)/5400)*5400"),
        ("$__timeGroup(c, '.5s')", "floor(extract(epoch from c)/0.5)*0.5"),
        ("$__unixEpochFilter(t)", "t >= 1523556000 AND t <= 1523556300"),
        ("$__unixEpochFrom()", "1523556000"),
        ("$__unixEpochTo()", "1523556300"),
        ("$__unixEpochNanoFilter(t)", "t >= 1523556000000000000 AND t <= 1523556300000000000"),
        ("$__unixEpochNanoFrom()", "1523556000000000000"),
        ("$__unixEpochNanoTo()", "1523556300000000000"),
        ("$__unixEpochGroup(t+a,'5m')", "floor((t+a)/300)*300"),
        ("$__unixEpochGroupAlias(t+a,'5m')", 'floor((t+a)/300)*300 AS "time"'),
        ("'$__interval'", "'5m'"),
        ("$__interval_ms", "300000"),
        ("$__timeGroup(c, '$__interval')", "floor(extract(epoch from c)/300)*300"),
        ("$__timeGroup(c, $__interval)", "floor(extract(epoch from c)/300)*300"),
        ("SELECT '%', '^a$', 1 % 2", "SELECT '%', '^a$', 1 % 2"),
    ],
)
def test_a_macro_is_written_as_grafana_writes_it(sql, written):
    assert expanded(sql) == written


def test_a_group_by_time_with_a_comma_behind_it_bears_a_name():
    assert expanded("SELECT $__timeGroup(c,'5m'), v") == (
        'SELECT floor(extract(epoch from c)/300)*300 AS "time", v'
    )


def test_what_stands_behind_the_first_of_two_like_groups_counts_for_both():
    sql = "SELECT $__timeGroup(c,'5m'), v GROUP BY $__timeGroup(c,'5m')"
    group = 'floor(extract(epoch from c)/300)*300 AS "time"'
    assert expanded(sql) == f"SELECT {group}, v GROUP BY {group}"


def test_a_group_of_seconds_bears_no_name_by_itself():
    assert expanded("$__unixEpochGroup(t,'5m'), v") == "floor((t)/300)*300, v"


def test_a_second_argument_on_a_new_line_is_no_interval_as_only_blanks_are_stripped():
    with pytest.raises(UnusableQuery, match="no interval"):
        expanded("$__timeGroup(c,\n'5m')")


def test_a_name_that_begins_as_the_interval_does_is_cut_as_grafana_cuts_it():
    assert expanded("$__interval_sec $__intervals") == "5m_sec 5ms"


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (datetime(1960, 2, 1, 7, tzinfo=UTC), "1960-02-01T07:00:00Z"),
        (datetime(1960, 2, 1, 7, 0, 0, 500_000, tzinfo=UTC), "1960-02-01T07:00:00.5Z"),
        (datetime(2026, 1, 2, 3, 4, 5, 60, tzinfo=UTC), "2026-01-02T03:04:05.00006Z"),
        (
            datetime(2026, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=5, minutes=30))),
            "2026-01-01T21:34:00Z",
        ),
    ],
)
def test_a_moment_is_written_in_utc_with_no_more_digits_than_it_has(moment, written):
    assert expanded("$__timeFrom()", start=moment, end=moment) == f"'{written}'"


def test_seconds_before_1970_are_rounded_down():
    moment = datetime(1960, 2, 1, 7, 0, 0, 500_000, tzinfo=UTC)
    assert expanded("$__unixEpochFrom()", start=moment) == "-312915600"
    assert expanded("$__unixEpochNanoFrom()", start=moment) == "-312915599500000000"


@pytest.mark.parametrize(
    "sql",
    [
        "$__nothing(c)",
        "$__nothing",
        "$timeFilter(c)",
        "$__timeFilter",
        "$__timeFilter()",
        "$__timeFilter(coalesce(a, b))",
        "$__timeGroup(date_trunc('day', c), '5m')",
        "$__timeGroup()",
        "$__timeGroup(c)",
        "$__timeGroup(c, '')",
        "$__timeGroup(c, '5')",
        "$__timeGroup(c, '5 minutes')",
        "$__timeGroup(c, '0m')",
        "$__timeGroup(c, '-5m')",
        "$__timeGroup(c, '1M')",
        "$__timeGroup(c, '1y')",
        "$__timeGroup(c, '5m', zero)",
        "$__timeGroup(c, '5m', 0, 0)",
        "$__unixEpochGroup(t)",
        "$__range",
        "$__from",
        "${__from}",
        "${__interval}",
    ],
)
def test_what_grafana_would_break_or_does_not_know_everywhere_is_refused(sql):
    with pytest.raises(UnusableQuery):
        expanded(sql)


def test_the_refusal_of_an_unknown_macro_names_it():
    with pytest.raises(UnusableQuery, match=r"\$__timeSlice"):
        expanded("$__timeSlice(c)")


def test_the_values_of_a_variable_are_quoted_and_listed():
    sql = "x IN (${source:sqlstring})"
    assert expanded(sql, source=["a"]) == "x IN ('a')"
    assert expanded(sql, source=["a", "b c"]) == "x IN ('a','b c')"


def test_a_single_quote_in_a_value_is_doubled():
    assert expanded("${v:sqlstring}", v=["it's", "';--"]) == "'it''s',''';--'"


def test_a_double_quote_in_a_value_is_given_the_backslash_that_grafana_gives_it():
    assert expanded("${v:sqlstring}", v=['a"b']) == "'a\\\"b'"


def test_a_backslash_and_a_percent_sign_in_a_value_stay_as_they_are():
    assert expanded("${v:sqlstring}", v=["50% \\1 \\g<0>"]) == "'50% \\1 \\g<0>'"


@pytest.mark.parametrize("value", ["$__timeFrom()", "$", "${v:sqlstring}"])
def test_a_value_that_could_be_read_as_a_macro_is_refused(value):
    with pytest.raises(UnusableQuery, match="dollar"):
        expanded("${v:sqlstring}", v=[value])


def test_a_variable_without_any_value_is_refused():
    with pytest.raises(UnusableQuery, match="no value"):
        expanded("x IN (${v:sqlstring})", v=[])


@pytest.mark.parametrize("sql", ["${w:sqlstring}", "${v}", "${v:raw}", "${v:csv}", "$v", "[[v]]"])
def test_an_unknown_variable_and_an_unquoted_one_are_refused(sql):
    with pytest.raises(UnusableQuery, match="variable"):
        expanded(sql, v=["a"])


def literals(sql):
    """The texts of a list of SQL literals, read as PostgreSQL's lexer reads them."""
    found, at = [], 0
    while at < len(sql):
        assert sql[at] == "'"
        text, at = "", at + 1
        while sql[at] != "'" or sql[at : at + 2] == "''":
            text += sql[at]
            at += 2 if sql[at] == "'" else 1
        found.append(text)
        assert sql[at + 1 : at + 2] in ("", ",")
        at += 2
    return found


@given(st.lists(st.text(st.characters(exclude_characters='$"')), min_size=1))
def test_no_value_ends_the_text_that_it_is_written_as(values):
    assert literals(expanded("${v:sqlstring}", v=values)) == values


@pytest.mark.parametrize(
    ("length", "seconds"),
    [
        (timedelta(0), 60),
        (timedelta(minutes=15), 60),
        (timedelta(hours=1), 60),
        (timedelta(hours=5), 60),
        (timedelta(hours=6), 120),  # 90 s to the dot: Grafana's panels round that up
        (timedelta(hours=12), 120),
        (timedelta(hours=24), 300),
        (timedelta(days=7), 1_800),
        (timedelta(days=30), 10_800),
        (timedelta(days=90), 43_200),
        (timedelta(days=400), 86_400),
    ],
)
def test_an_interval_is_rounded_as_grafana_rounds(length, seconds):
    assert interval_of(START, START + length) == seconds


@pytest.mark.parametrize(
    ("wanted", "seconds"),
    [
        (89, 60),
        (90, 120),
        (209, 120),
        (210, 300),
        (1_050, 1_200),
        (86_399, 43_200),
        (86_400, 86_400),
        (604_799, 86_400),
        (604_800, 604_800),
        (1_814_400, 2_592_000),
        (3_628_800, 31_536_000),
    ],
)
def test_an_interval_at_a_bound_is_rounded_up(wanted, seconds):
    assert interval_of(START, START + timedelta(seconds=wanted), points=1) == seconds


@given(st.integers(0, 400 * 86_400), st.integers(1, 5_000))
def test_an_interval_is_a_minute_at_least_and_its_text_says_the_same(seconds, points):
    interval = interval_of(START, START + timedelta(seconds=seconds), points)
    assert interval >= 60
    number, unit = int(text_of_interval(interval)[:-1]), text_of_interval(interval)[-1]
    assert number * {"m": 60, "h": 3_600, "d": 86_400, "y": 31_536_000}[unit] == interval


def test_the_interval_is_written_in_its_largest_unit():
    assert [text_of_interval(s) for s in (30, 60, 1_800, 7_200, 86_400, 604_800, 31_536_000)] == [
        "30s",
        "1m",
        "30m",
        "2h",
        "1d",
        "7d",
        "1y",
    ]
