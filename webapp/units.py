"""Numbers with their units, as people read them: in sentences, in cells and along axes."""

from __future__ import annotations

import math
from dataclasses import dataclass

NOTHING = "–"
"""Stands for a value that is not there."""

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_SECONDS = (
    (1, 1_000, " ms"),
    (_MINUTE, 1, " s"),
    (_HOUR, 1 / _MINUTE, " min"),
    (2 * _DAY, 1 / _HOUR, " h"),
    (math.inf, 1 / _DAY, " d"),
)
_COUNTS = ((1e3, 1, ""), (1e6, 1e-3, "k"), (1e9, 1e-6, "M"), (math.inf, 1e-9, "B"))
_BYTES = (
    (1e3, 1, " B"),
    (1e6, 1e-3, " kB"),
    (1e9, 1e-6, " MB"),
    (1e12, 1e-9, " GB"),
    (math.inf, 1e-12, " TB"),
)


@dataclass(frozen=True)
class Measure:
    """How numbers of one size are written.

    Attributes:
        factor: what they are multiplied by.
        mark: what stands behind them.
    """

    factor: float = 1
    mark: str = ""


def measure_of(unit: str, size: float) -> Measure:
    """How numbers of a unit are written whose largest is of this size.

    Args:
        unit: by the name that the API uses for it; one that is unknown is left unmarked.
        size: the largest absolute value.
    """
    match unit:
        case "percentunit":
            return Measure(100, "%")
        case "short":
            return _fitting(_COUNTS, size)
        case "cps":
            count = _fitting(_COUNTS, size)
            return Measure(count.factor, f"{count.mark}/s")
        case "bytes":
            return _fitting(_BYTES, size)
        case "s":
            return _fitting(_SECONDS, size) if size else Measure(1, " s")
        case "m":
            seconds = _fitting(_SECONDS, size * _MINUTE) if size else Measure(1 / _MINUTE, " min")
            return Measure(seconds.factor * _MINUTE, seconds.mark)
    return Measure()


def _fitting(steps: tuple[tuple[float, float, str], ...], size: float) -> Measure:
    # As it will be rounded: 59.97 s are 1 min, never 60 s.
    return next(Measure(factor, mark) for end, factor, mark in steps if size * 1.0005 < end)


def said(value: float | None, unit: str = "none") -> str:
    """A number with its unit, rounded to what a person takes in."""
    if value is None or not math.isfinite(value):
        return NOTHING
    measure = measure_of(unit, abs(value))
    if unit == "percentunit" and 0.9995 <= value < 1:
        return ">99.9%"
    return f"{_rounded(value * measure.factor, plain=unit == 'none')}{measure.mark}"


def exact(value: float | None, unit: str = "none") -> str:
    """A number as a cell of a table holds it: as :func:`said`, but counts to the last one."""
    if unit == "short" and value is not None and float(value).is_integer():
        return f"{value:,.0f}"
    return said(value, unit)


def _rounded(value: float, *, plain: bool) -> str:
    size = abs(value)
    if float(value).is_integer() or size >= 100:
        return f"{value:,.0f}"
    decimals = 1 if size >= 10 else (2 if plain else 1)
    if size < 1:
        # Three figures, but never so many decimals that nobody reads them.
        decimals = min(2 - math.floor(math.log10(size)), 5) if plain else 2
    text = f"{value:,.{decimals}f}".rstrip("0").rstrip(".")
    if text in ("0", "-0"):
        return f"<{10**-decimals:.{decimals}f}"
    return text


def axis_words(measure: Measure) -> str:
    """Vega's expression for the words at an axis whose numbers are in this measure."""
    return f"format(datum.value, ',.4~r') + '{measure.mark}'"
