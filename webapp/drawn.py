"""A picture with what stands around it: its legend, its words, its height."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from altair.typing import ChartType

from dashboard import Panel
from units import Measure, measure_of

ROW_PIXELS = 30
"""The height of one of the rows in which panels count theirs."""

AXIS_PIXELS = 40
"""What an axis below a picture takes up of its height."""

_LEGEND_PIXELS = 26
_AROUND = {"left": 0, "top": 6, "right": 6, "bottom": 4}
_LABEL_PIXELS, _SHORT_LABEL, _LONGEST_LABEL = 10, 30, 240


@dataclass(frozen=True)
class Entry:
    """One line of a legend."""

    name: str
    colour: str
    dashed: bool = False


@dataclass(frozen=True)
class Drawn:
    """A chart with what stands around it.

    Attributes:
        chart: the picture.
        name: what it shows, for those who do not see it. It holds no values: were it to change,
            the browser would draw another picture in the place of this one.
        values: the values, in a sentence, for them too.
        legend: what its colours stand for; empty where there is but one.
        note: what it leaves out, may be empty.
    """

    chart: ChartType
    name: str
    values: str
    legend: Sequence[Entry] = ()
    note: str = ""


def drawn(
    panel: Panel,
    chart: ChartType,
    kind: str,
    values: str,
    legend: Sequence[Entry],
    *,
    note: str = "",
    least: int = 0,
) -> Drawn:
    """The chart as high as the panel, less its legend; higher where it needs to be.

    Args:
        panel: gives its title and height.
        chart: the picture.
        kind: of picture, in words.
        values: see :class:`Drawn`.
        legend: likewise.
        note: likewise.
        least: how high it must be, in pixels.
    """
    height = panel.height * ROW_PIXELS - (_LEGEND_PIXELS if legend else 0)
    chart = chart.properties(height=max(height, least), padding=_AROUND)
    return Drawn(chart, f"{panel.title}, as {kind}", values, legend, note)


def label_pixels(panel: Panel) -> int:
    """How long labels beside a picture may be: the wider the panel, the longer."""
    return min(_LABEL_PIXELS * panel.width + _SHORT_LABEL, _LONGEST_LABEL)


def text_of(cell: Any) -> str:
    """A name as it is shown; what has none is unknown."""
    return "unknown" if cell is None or cell == "" else str(cell)


def measured(points: list[dict[str, Any]], panel: Panel, field: str = "value") -> Measure:
    """The measure that fits the points; each is given its number in it, as ``scaled``."""
    sizes = [abs(point[field]) for point in points]
    measure = measure_of(panel.unit, max([*sizes, panel.highest or 0], default=0))
    for point in points:
        point["scaled"] = point["value"] * measure.factor
    return measure


def legend_of(
    names: Sequence[str], colours: Sequence[str], dashed: Sequence[bool] = ()
) -> list[Entry]:
    """What colours stand for, where there is more than one."""
    if len(names) <= 1:
        return []
    return [
        Entry(name, colours[place], bool(dashed) and dashed[place])
        for place, name in enumerate(names)
    ]
