"""What a panel is: a question to the database, and how its answer is to be looked at.

One source for two readers: ``grafana`` turns panels into Grafana's dashboards, and the web app
draws the same panels from what ``GET /panels/{dashboard}`` answers. Nothing here knows either.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class PanelKind(StrEnum):
    """How a panel is drawn, and so which columns its query must return."""

    STAT = "stat"
    """One number: one row, with a column ``value``; none where there is nothing to say."""
    SERIES = "series"
    """Lines over time: ``time``, never NULL, ``metric`` (the line's name) and ``value``."""
    STACK = "stack"
    """Stacked bars over time; the columns of ``series``."""
    TIMELINE = "timeline"
    """States over time: ``time``, ``metric`` (the lane) and ``value``, a number in ``states``."""
    BARS = "bars"
    """Bars side by side: ``label``, and one column of numbers for each bar of a group."""
    TABLE = "table"
    """A table of whatever columns there are."""


class Unit(StrEnum):
    """What a panel's numbers count, by Grafana's names for it."""

    NUMBER = "none"
    COUNT = "short"
    SHARE = "percentunit"
    SECONDS = "s"
    MINUTES = "m"
    PER_SECOND = "cps"
    BYTES = "bytes"


class Colour(StrEnum):
    """What a colour says; each reader chooses tints that colour-blind eyes tell apart."""

    GOOD = "good"
    NOTICE = "notice"
    WARN = "warn"
    BAD = "bad"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Threshold:
    """From which value on a number is of a colour.

    Attributes:
        at: the value; ``None`` for the ground colour, that of everything below the next one.
        colour: what it then says.
    """

    at: float | None
    colour: Colour


@dataclass(frozen=True, slots=True)
class State:
    """What one number of a timeline means.

    Attributes:
        value: the number, as the query returns it.
        word: the state's name.
        colour: what it says.
    """

    value: int
    word: str
    colour: Colour


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel.

    Attributes:
        id: its number, unique within the dashboard and never given to another panel.
        kind: how it is drawn.
        title: what is to be seen, in a few words.
        description: what it means and what to make of it, in a sentence or two.
        sql: the question, with Grafana's macros and variables (see :mod:`jobchurn.panels.macros`).
        unit: of its numbers.
        thresholds: for a stat or a line, ascending, the ground colour first; empty for none.
        states: for a timeline, what its numbers mean.
        links: column of a table → address that its cells lead to, in which ``{cell}`` stands for
            the cell's text; addresses begin with a slash, and lead to the API.
        units: column of a table or of bars → its unit, where it is not the panel's.
        lowest, highest: the ends of the axis, where they are fixed.
        width: in columns, of which the dashboard has 24.
        height: in rows of some 30 pixels.
        empty: what to do where there is nothing to be seen yet, in one sentence.
    """

    id: int
    kind: PanelKind
    title: str
    description: str
    sql: str
    unit: Unit = Unit.NUMBER
    thresholds: tuple[Threshold, ...] = ()
    states: tuple[State, ...] = ()
    links: dict[str, str] = field(default_factory=dict)
    units: dict[str, Unit] = field(default_factory=dict)
    lowest: float | None = None
    highest: float | None = None
    width: int = 12
    height: int = 8
    empty: str = "Nothing happened in this time range: choose a longer one."


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """What a reader chooses, and queries name as ``${name:sqlstring}``.

    Attributes:
        name: a lower-case word.
        label: as people read it.
        options: the values to choose from; empty where ``sql`` asks for them.
        sql: returns the values in its one column; empty where ``options`` has them.
        several: whether more than one may be chosen; all of them are by default. Where not, the
            first is.
        words: value → how people read it, where that differs.
    """

    name: str
    label: str
    options: tuple[str, ...] = ()
    sql: str = ""
    several: bool = False
    words: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """Moments that are marked in every panel over time.

    Attributes:
        name: what the moments are.
        sql: returns ``time`` and ``text``.
    """

    name: str
    sql: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """Panels that answer one set of questions.

    Attributes:
        name: in addresses, lower-case with hyphens; also the dashboard's uid in Grafana.
        title: as people read it.
        description: what it answers, in one sentence.
        panels: in reading order: they are laid out left to right, row by row.
        variables: what a reader chooses.
        annotations: what is marked.
        hours: the time range at first: the latest so many hours.
        refresh_seconds: how often it asks anew.
    """

    name: str
    title: str
    description: str
    panels: tuple[Panel, ...]
    variables: tuple[Variable, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    hours: int = 6
    refresh_seconds: int = 30
