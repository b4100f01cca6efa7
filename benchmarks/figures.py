"""The figures that are to be reached: what each compares, its goal, and the command behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Figure:
    """One thing that is measured, and what it should come to.

    Attributes:
        number: by which it is known; ``1b`` is a second question to the same measurement as ``1``.
        compares: what is divided by what, or what is counted.
        bound: on which side of ``goal`` the measured value has to be.
        goal: in ``unit``, or a ratio where that is empty.
        command: the module that measures it.
    """

    number: str
    compares: str
    bound: Literal["at least", "at most"]
    goal: float
    command: str
    unit: str = ""

    @property
    def target(self) -> str:
        """The goal as it is printed."""
        return f"{'≥' if self.bound == 'at least' else '≤'} {self.with_unit(self.goal)}"

    @property
    def file_name(self) -> str:
        """Under which its results and notes are kept: they sort as the numbers do."""
        return self.number if len(self.number.rstrip("bc")) > 1 else f"0{self.number}"

    def passed(self, value: float) -> bool:
        """Whether ``value`` reaches the goal."""
        return value >= self.goal if self.bound == "at least" else value <= self.goal

    def verdict(self, value: float) -> str:
        """``reached``, or by how much not: a share of the goal."""
        if self.passed(value):
            return "reached"
        missing = abs(value - self.goal) / self.goal
        return f"missed by {missing:.0%}" if missing >= 0.01 else "missed by less than 1%"

    def with_unit(self, value: float) -> str:
        """``value`` in three digits, more where they stand before the point."""
        digits = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
        return f"{digits} {self.unit}".strip()


_ALL = (
    Figure(
        "1",
        "durable predictions of one record a second, 64 connections ÷ a route of the same process "
        "that validates the same body in the same way and answers as many constant bytes",
        "at least",
        0.90,
        "serving",
    ),
    Figure(
        "1b",
        "durable predictions a second ÷ a plain FastAPI route with a pydantic body that answers "
        "a constant",
        "at least",
        1.3,
        "serving",
    ),
    Figure(
        "2",
        "durable predictions a second ÷ the fastest of MLflow, BentoML, LitServe and MLServer, "
        "which store nothing",
        "at least",
        10,
        "serving",
    ),
    Figure("3", "durable predictions a second ÷ the original's path", "at least", 2_500, "serving"),
    Figure(
        "4",
        "99th percentile of the time to answer at half of the maximum load ÷ that of the constant "
        "route at the same load",
        "at most",
        3,
        "serving",
    ),
    Figure(
        "5",
        "one request of 100,000 records in the best format, committed, rows a second ÷ the slower "
        "of predicting alone and of a bare COPY of the same rows",
        "at least",
        0.8,
        "bulk_requests",
    ),
    Figure(
        "5b",
        "the same as JSON ÷ the slower of predicting alone and of a bare COPY",
        "at least",
        0.6,
        "bulk_requests",
    ),
    Figure(
        "6",
        "one request of 100,000 records as JSON, rows a second ÷ the original's path",
        "at least",
        50,
        "bulk_requests",
    ),
    Figure(
        "7",
        "time to ingest a file of 1,000,000 rows, 1% of them bad, routed bytes fsynced, process "
        "warm ÷ time for polars to read and write it",
        "at most",
        2,
        "ingestion",
    ),
    Figure(
        "8",
        "time of plain Great Expectations on pandas with the same suite ÷ time to ingest the file",
        "at least",
        5,
        "ingestion",
    ),
    Figure(
        "9",
        "peak memory of ingesting 10,000,000 rows ÷ of 1,000,000 rows",
        "at most",
        1.2,
        "ingestion",
    ),
    Figure("9b", "peak memory of ingesting 10,000,000 rows", "at most", 1, "ingestion", "GB"),
    Figure(
        "10",
        "time of the first page of /past-predictions over 10 million rows ÷ over 10 thousand",
        "at most",
        2,
        "history",
    ),
    Figure(
        "11",
        "exporting 1 million past predictions, rows a second ÷ psql's COPY of the same query",
        "at least",
        0.3,
        "history",
    ),
    Figure(
        "11b",
        "peak memory of the API while it exports 1 million predictions ÷ 100 thousand",
        "at most",
        1.2,
        "history",
    ),
    Figure("12", "resident memory of the whole stack at rest (PSS)", "at most", 1.3, "start", "GB"),
    Figure("12b", "CPU of the whole stack at rest", "at most", 15, "start", "% of a core"),
    Figure(
        "13",
        "most that the time a row grows when files grow tenfold, from 10,000 to 10,000,000 rows",
        "at most",
        1.1,
        "ingestion",
    ),
)

FIGURES: Mapping[str, Figure] = {figure.number: figure for figure in _ALL}
"""All of them by their numbers, in order."""
