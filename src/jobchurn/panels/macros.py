"""Macros: what Grafana makes of a query before PostgreSQL sees it, so that all readers ask alike.

As Grafana 12 and later do it: its front end writes the variables, and its PostgreSQL data source
then the interval, and what looks like ``$name(arguments)``. That is a matter of text, with traps:

- Arguments end at the first closing parenthesis and are split at commas: no call stands in one.
- ``$__timeGroup(…)`` with a comma right behind it (behind its first like, to be exact) bears the
  name ``"time"`` by itself, as if it were ``$__timeGroupAlias(…)``.
- ``$__timeFrom()`` and ``$__timeTo()`` are texts: where no column is by, they need a cast.
- A fill value changes no SQL. Grafana fills gaps in the answer, and the web app does not.

What Grafana would hand on as broken SQL is refused here, and so is what it knows in panels but not
in alert rules (``$__from``, ``$__range`` and the like).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

FEWEST_SECONDS = 60
"""The shortest interval: the data source's smallest (``timeInterval``: 1m)."""

_MACRO = re.compile(r"\$([_a-zA-Z0-9]+)\(([^\)]*)\)")
_VARIABLE = re.compile(r"\$\{(\w+)(?::([^}]*))?\}")
_BARE = re.compile(r"\$(\w+)|\[\[(\w+)")

_DURATION = re.compile(r"(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ms|s|m|h))+")
_DURATION_PART = re.compile(r"([0-9.]+)(ms|s|m|h)")
_DAYS = re.compile(r"([0-9]+)([dw])")
_SECONDS = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86_400),
    "w": Decimal(604_800),
}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# An interval below the first number is rounded to the second one; all are seconds.
_ROUNDED = (
    (90, 60),
    (210, 120),
    (450, 300),
    (750, 600),
    (1_050, 900),
    (1_500, 1_200),
    (2_700, 1_800),
    (5_400, 3_600),
    (9_000, 7_200),
    (16_200, 10_800),
    (32_400, 21_600),
    (86_400, 43_200),
    (604_800, 86_400),
    (1_814_400, 604_800),
    (3_628_800, 2_592_000),
)
_YEAR = 31_536_000


class UnusableQuery(ValueError):
    """A query names a macro or a variable that there is not, or uses one as it cannot be used."""


def expand(
    sql: str,
    *,
    start: datetime,
    end: datetime,
    interval_seconds: int,
    variables: Mapping[str, Sequence[str]],
) -> str:
    """The query as PostgreSQL is to run it.

    Args:
        sql: the query, with macros and variables.
        start: the time range's beginning, aware.
        end: its end, included.
        interval_seconds: what ``$__interval`` says, in whole seconds.
        variables: name → the values that are chosen.

    Raises:
        UnusableQuery: the query cannot be expanded; the message says why.
    """
    sql = _VARIABLE.sub(lambda found: _chosen(found, variables), sql)
    for name, text in {
        "$__interval_ms": str(interval_seconds * 1_000),
        "$__interval": text_of_interval(interval_seconds),
        "$__unixEpochFrom()": _seconds(start),
        "$__unixEpochTo()": _seconds(end),
    }.items():
        sql = sql.replace(name, text)
    expanded = _MACRO.sub(_Macros(sql, start, end), sql)
    for found in _BARE.finditer(expanded):
        name = found[1] or found[2]
        if name in variables:
            raise UnusableQuery(f"The variable {name} is to be written ${{{name}:sqlstring}}.")
        if found[1] and name.startswith("__"):
            raise UnusableQuery(f"There is no macro ${name} that is used in this way.")
    return expanded


def interval_of(start: datetime, end: datetime, points: int = 240) -> int:
    """Into how long pieces a time range is cut, in seconds; rounded as Grafana's panels round.

    Args:
        start: the time range's beginning.
        end: its end.
        points: how many pieces are wanted; about so many are made.
    """
    wanted = max((end - start).total_seconds() / points, FEWEST_SECONDS)
    return next((rounded for bound, rounded in _ROUNDED if wanted < bound), _YEAR)


def text_of_interval(seconds: int) -> str:
    """An interval as ``$__interval`` writes it: whole units of the largest that it holds."""
    units = ((_YEAR, "y"), (86_400, "d"), (3_600, "h"), (60, "m"))
    return next(
        (f"{seconds // length}{unit}" for length, unit in units if seconds >= length), f"{seconds}s"
    )


class _Macros:
    """Writes each macro of one query."""

    def __init__(self, sql: str, start: datetime, end: datetime) -> None:
        self._sql = sql
        self._known: dict[str, Callable[[list[str]], str]] = {
            "__time": lambda a: f'{_column(a)} AS "time"',
            "__timeEpoch": lambda a: f'extract(epoch from {_column(a)}) as "time"',
            "__timeFilter": lambda a: (
                f"{_column(a)} BETWEEN '{_moment(start)}' AND '{_moment(end)}'"
            ),
            "__timeFrom": lambda _: f"'{_moment(start)}'",
            "__timeTo": lambda _: f"'{_moment(end)}'",
            "__timeGroup": lambda a: _grouped(f"extract(epoch from {_column(a)})", a),
            "__timeGroupAlias": lambda a: (
                f'{_grouped(f"extract(epoch from {_column(a)})", a)} AS "time"'
            ),
            "__unixEpochFilter": lambda a: (
                f"{_column(a)} >= {_seconds(start)} AND {_column(a)} <= {_seconds(end)}"
            ),
            "__unixEpochNanoFilter": lambda a: (
                f"{_column(a)} >= {_nanoseconds(start)} AND {_column(a)} <= {_nanoseconds(end)}"
            ),
            "__unixEpochNanoFrom": lambda _: _nanoseconds(start),
            "__unixEpochNanoTo": lambda _: _nanoseconds(end),
            "__unixEpochGroup": lambda a: _grouped(f"({_column(a)})", a),
            "__unixEpochGroupAlias": lambda a: f'{_grouped(f"({_column(a)})", a)} AS "time"',
        }

    def __call__(self, found: re.Match[str]) -> str:
        name = found[1]
        if name == "__timeGroup":
            behind = self._sql.index(found[0]) + len(found[0])
            if self._sql[behind : behind + 1] == ",":
                name = "__timeGroupAlias"
        if name not in self._known:
            raise UnusableQuery(f"There is no macro ${name}.")
        # Blanks alone are stripped, as Grafana does it: a line's end in an argument stays.
        arguments = [argument.strip(" ") for argument in found[2].split(",")]
        if any("(" in argument for argument in arguments):
            raise UnusableQuery(f"No call can stand in the arguments of ${name}: {found[0]}")
        return self._known[name](arguments)


def _chosen(found: re.Match[str], variables: Mapping[str, Sequence[str]]) -> str:
    name, form = found.groups()
    if name not in variables:
        raise UnusableQuery(f"There is no variable {name}.")
    if form != "sqlstring":
        raise UnusableQuery(f"The variable {name} is to be written ${{{name}:sqlstring}}.")
    values = variables[name]
    if not values:
        raise UnusableQuery(f"The variable {name} has no value, which no list in SQL can say.")
    if any("$" in value for value in values):
        # Variables are written before macros: such a value would be read as one, quotes and all.
        raise UnusableQuery(f"A value of the variable {name} has a dollar sign.")
    # Double quotes as Grafana has it, although PostgreSQL reads the backslash as one.
    quoted = (value.replace("'", "''").replace('"', '\\"') for value in values)
    return ",".join(f"'{value}'" for value in quoted)


def _column(arguments: Sequence[str]) -> str:
    if not arguments[0]:
        raise UnusableQuery("A macro about a column names none.")
    return arguments[0]


def _grouped(seconds: str, arguments: Sequence[str]) -> str:
    """The time, in seconds since 1970, rounded down to the interval that the arguments name."""
    if len(arguments) not in (2, 3):
        raise UnusableQuery("A macro that groups by time needs a column and an interval.")
    if len(arguments) == 3 and not re.fullmatch(r"NULL|previous|[0-9]+(\.[0-9]+)?", arguments[2]):
        raise UnusableQuery(f"There is no way {arguments[2]} of filling gaps.")
    interval = _number(_parsed(arguments[1].strip("'")))
    return f"floor({seconds}/{interval})*{interval}"


def _parsed(interval: str) -> Decimal:
    """An interval in seconds. Months and years have no length of their own, and are refused."""
    if days := _DAYS.fullmatch(interval):
        seconds = int(days[1]) * _SECONDS[days[2]]
    elif _DURATION.fullmatch(interval):
        parts = _DURATION_PART.findall(interval)
        seconds = sum((Decimal(number) * _SECONDS[unit] for number, unit in parts), Decimal(0))
    else:
        raise UnusableQuery(f"{interval!r} is no interval.")
    if not seconds:
        raise UnusableQuery("An interval of no length groups nothing.")
    return seconds


def _number(seconds: Decimal) -> str:
    """A number as Go's ``%v`` writes it: from a million on, and below 0.0001, with an exponent."""
    if Decimal("0.0001") <= seconds < 1_000_000:
        text = f"{seconds:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, _, exponent = f"{seconds.normalize():e}".partition("e")
    return f"{mantissa}e{int(exponent):+03d}"


def _moment(moment: datetime) -> str:
    """UTC, RFC 3339, with as many digits behind the second as it takes."""
    utc = moment.astimezone(UTC)
    fraction = f".{utc.microsecond:06d}".rstrip("0") if utc.microsecond else ""
    return f"{utc:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def _seconds(moment: datetime) -> str:
    return str((moment - _EPOCH) // timedelta(seconds=1))


def _nanoseconds(moment: datetime) -> str:
    return str((moment - _EPOCH) // _MICROSECOND * 1_000)
