"""The picture of the rooms, drawn from the layers that import-linter holds them to."""

from __future__ import annotations

import tomllib
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_OUTSIDE = ("dags", "webapp")
"""Doors that lie beside the package."""

_WIDTH, _HEIGHT, _ROW, _BOX = 1000, 20, 73, 46
_LEFT, _ACROSS, _GAP = 24, 740, 9
_MARGIN = 784

_ROOT_LOOKS = (
    'role="img" aria-labelledby="title desc" font-size="13.5" '
    "font-family=\"system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif\""
)

_DOOR, _FLOW = ("#fff", "#1f5f99"), ("#e1edf8", "#1f5f99")
_PURE, _GROUND = ("#fff", "#2f7d4f"), ("#eaf5ee", "#2f7d4f")

_MEANT = (
    ("doors: they only translate", _DOOR),
    ("chooses the real things", _DOOR),
    ("the whole way, in verbs", _FLOW),
    ("touch the world", _DOOR),
    ("the typed environment", _DOOR),
    ("who may do what; decisions", _DOOR),
    ("the pure core", _PURE),
    ("what is watched", _PURE),
    ("plain data and numbers", _PURE),
    ("standard library only", _GROUND),
)
"""What each row is for, from above, and how its boxes are filled and drawn."""


def rooms() -> list[list[str]]:
    """The rooms of each row, from above, as they are written: a folder's name ends in a slash."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    (layers,) = (
        contract["layers"]
        for contract in contracts["importlinter"]["contracts"]
        if contract.get("exhaustive")
    )
    doors, *others = ([name.strip() for name in layer.split("|")] for layer in layers)
    # The command line stands above the other doors, and is one of them.
    first, *rest = others
    rows = [[*_OUTSIDE, *doors, *first], *rest]
    return [[_written(name) for name in row] for row in rows]


def _written(name: str) -> str:
    if name in _OUTSIDE or (ROOT / "src" / "jobchurn" / name).is_dir():
        return f"{name}/"
    return f"{name}.py"


def rooms_picture() -> str:
    """The picture, as SVG."""
    rows = rooms()
    height = _HEIGHT + _ROW * len(rows) - (_ROW - _BOX) + _HEIGHT
    told = "; ".join(", ".join(row) for row in rows)
    frame = f'width="{_WIDTH - 2}" height="{height - 2}" rx="14" fill="#f7f9fb" stroke="#d5dde5"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" {_ROOT_LOOKS}>',
        '  <title id="title">The rooms, each of which knows only those below it</title>',
        f'  <desc id="desc">From top to bottom: {escape(told)}.</desc>',
        f'  <rect x="1" y="1" {frame}/>',
    ]
    for place, (row, (words, style)) in enumerate(zip(rows, _MEANT, strict=True)):
        top = _HEIGHT + place * _ROW
        if place:
            middle = _LEFT + _ACROSS // 2
            parts.append(f'  <path d="M{middle - 6} {top - 18}h12l-6 9z" fill="#51606e"/>')
        parts.extend(_row(row, words, style, top))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _row(row: list[str], words: str, style: tuple[str, str], top: int) -> list[str]:
    """The boxes of a row, and what they are for."""
    fill, stroke = style
    size = "" if len(row) < 7 else ' font-size="12.5"'
    width = (_ACROSS - _GAP * (len(row) - 1)) / len(row)
    lines = []
    for number, name in enumerate(row):
        left = _LEFT + number * (width + _GAP)
        lines.append(
            f'  <rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{_BOX}" rx="8" '
            f'fill="{fill}" stroke="{stroke}" stroke-width="1.6"/>'
        )
        lines.append(
            f'  <text x="{left + width / 2:.1f}" y="{top + 28}" text-anchor="middle"{size} '
            f'fill="#0b1219" font-weight="600">{escape(name)}</text>'
        )
    lines.append(f'  <text x="{_MARGIN}" y="{top + 28}" fill="#51606e">{escape(words)}</text>')
    return lines
