"""A measured value in words, with its unit."""

from __future__ import annotations

from jobchurn.panels import Unit

_BYTES = ("bytes", "kB", "MB", "GB", "TB", "PB")


def quantity(value: float, unit: Unit) -> str:
    """A value as people read it: ``45.0%``, ``1.25 s``, ``12 minutes``, ``3``."""
    match unit:
        case Unit.SHARE:
            return "under 0.1%" if 0 < value < 0.001 else f"{100 * value:.1f}%"
        case Unit.SECONDS:
            return f"{_short(value)} s"
        case Unit.MINUTES:
            minutes = round(value, 1)
            return f"{_short(minutes)} {'minute' if minutes == 1 else 'minutes'}"
        case Unit.PER_SECOND:
            return f"{_short(value)} per second"
        case Unit.BYTES:
            return _bytes(value)
        case Unit.NUMBER | Unit.COUNT:
            return _short(value)


def _short(value: float) -> str:
    """A whole number in full, any other to three digits."""
    if float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _bytes(value: float) -> str:
    size, power = float(value), 0
    while abs(size) >= 1000 and power < len(_BYTES) - 1:
        size, power = size / 1000, power + 1
    return f"{_short(size)} {_BYTES[power]}"
