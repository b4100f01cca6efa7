"""What was measured: one file for each figure, and the page ``results.md`` that is made of them.

Usage: ``python -m benchmarks.results`` makes the page anew; ``python -m scripts.build_reference``
puts it into the docs.

A benchmark replaces the files of its own figures, so that it can be run again alone. What stands in
``notes/`` is written by people (what bounds a figure, what was tried), and no run touches it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.figures import FIGURES, Figure
from benchmarks.measuring import Spread

FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Measurement:
    """What one run found for one figure.

    Attributes:
        number: the figure's.
        value: what is held against the goal.
        rounds: how many times each side was measured.
        absolute: what each side came to, with units: for information, since it is the machine's.
        versions: of all that took part; see ``machine.versions``.
        remarks: what a reader of the value has to know, each a sentence.
    """

    number: str
    value: Spread
    rounds: int
    absolute: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=machine.versions)
    remarks: tuple[str, ...] = ()
    machine: str = field(default_factory=machine.described)
    date: str = field(default_factory=lambda: datetime.now(UTC).date().isoformat())

    @property
    def figure(self) -> Figure:
        """What it measures."""
        return FIGURES[self.number]

    @property
    def line(self) -> str:
        """In one line, for a terminal."""
        figure, value = self.figure, self.value
        return (
            f"{self.number:>3}  {_spread(figure, value)}  goal {figure.target}: "
            f"{figure.verdict(value.median)}   {_absolute(self)}"
        )


def report(measurement: Measurement, *, keep: bool = True, folder: Path = FOLDER) -> None:
    """Print what was measured; keep it, and make the page anew, unless ``keep`` is false.

    Raises:
        KeyError: there is no figure of that number.
    """
    print(measurement.line, *measurement.remarks, sep="\n     ", flush=True)
    if keep:
        _write(folder / "results" / f"{measurement.figure.file_name}.json", _encoded(measurement))
        _write(folder / "results.md", page(folder))


def kept(folder: Path = FOLDER) -> dict[str, Measurement]:
    """What was measured last, by the figures' numbers."""
    found = {}
    for figure in FIGURES.values():
        path = folder / "results" / f"{figure.file_name}.json"
        if path.exists():
            found[figure.number] = _decoded(path.read_text(encoding="utf-8"))
    return found


def page(folder: Path = FOLDER) -> str:
    """The page of all figures: a table, then each with its circumstances and its notes."""
    found = kept(folder)
    rows = [
        "| # | figure | goal | measured | quartiles | |",
        "|---|---|---|---:|---:|---|",
    ]
    for number, figure in FIGURES.items():
        if number in found:
            value = found[number].value
            numbers = (
                f"{figure.with_unit(value.median)} | "
                f"{figure.with_unit(value.low)} to {figure.with_unit(value.high)} | "
                f"{figure.verdict(value.median)}"
            )
        else:
            numbers = "– | – | not measured"
        rows.append(f"| {number} | {figure.compares} | {figure.target} | {numbers} |")
    parts = ["# Figures", _INTRODUCTION, "\n".join(rows)]
    for number, figure in FIGURES.items():
        parts.extend(_section(figure, found.get(number), folder))
    return "\n\n".join(parts) + "\n"


_INTRODUCTION = """\
<!-- Made by `python -m benchmarks.results` of results/ and notes/: write into notes/. -->

Ratios of things that were measured in turns in one run, in the median. Absolute values are the
machine's, and for information only."""


def _section(figure: Figure, measurement: Measurement | None, folder: Path) -> list[str]:
    notes = folder / "notes" / f"{figure.file_name}.md"
    if measurement is None and not notes.exists():
        return []
    parts = [f"## Figure {figure.number}", f"{figure.compares}: {figure.target}."]
    command = f"`python -m benchmarks.{figure.command}`"
    if measurement is not None:
        verdict = figure.verdict(measurement.value.median)
        facts = [
            f"- measured: {_spread(figure, measurement.value)}, {verdict}",
            f"- absolute: {_absolute(measurement)}",
            f"- by {command}, {measurement.rounds} rounds, {measurement.date}",
            f"- versions: {machine.joined(measurement.versions)}",
            f"- machine: {measurement.machine}",
            *(f"- {remark}" for remark in measurement.remarks),
        ]
        parts.append("\n".join(facts))
    else:
        parts.append(f"- not measured yet, by {command}")
    if notes.exists():
        parts.append(notes.read_text(encoding="utf-8").strip())
    return parts


def _spread(figure: Figure, value: Spread) -> str:
    return (
        f"{figure.with_unit(value.median)} "
        f"({figure.with_unit(value.low)} to {figure.with_unit(value.high)})"
    )


def _absolute(measurement: Measurement) -> str:
    return ", ".join(f"{name} {value}" for name, value in measurement.absolute.items()) or "–"


def _encoded(measurement: Measurement) -> str:
    return json.dumps(asdict(measurement), indent=2, ensure_ascii=False) + "\n"


def _decoded(text: str) -> Measurement:
    found: dict[str, Any] = json.loads(text)
    value, remarks = Spread(**found.pop("value")), tuple(found.pop("remarks"))
    return Measurement(value=value, remarks=remarks, **found)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    _write(FOLDER / "results.md", page())
    sys.exit(0)
