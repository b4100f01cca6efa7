"""What was acknowledged, held against what the database kept."""

from __future__ import annotations

from typing import LiteralString

from benchmarks.house import House
from benchmarks.load import CONNECTIONS, Load


class Ledger:
    """Counts what clients were told, from now on.

    A load ends while requests are under way: they are kept, and nobody hears of it. There are at
    most as many as connections, so that is how many more rows a load may leave than answers.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        self._before = self._count("SELECT count(*) FROM predictions")
        self._answers = 0
        self._loads = 0
        self._numbers: list[str] = []

    def add(self, answers: int) -> None:
        """So many predictions were acknowledged, and every request was waited for."""
        self._answers += answers

    def acknowledge(self, load: Load, connections: int = CONNECTIONS) -> None:
        """A load of one-record predictions has come to its end."""
        self._answers += load.right
        self._loads += connections
        self._numbers += load.acknowledged

    def check(self) -> str:
        """Hold everything against the database, once no request is under way.

        Returns:
            What was found, in a sentence.

        Raises:
            SystemExit: an acknowledged prediction is missing, or one is kept that nobody asked for.
        """
        kept = self._count("SELECT count(*) FROM predictions") - self._before
        if not self._answers <= kept <= self._answers + self._loads:
            raise SystemExit(
                f"{self._answers:,} predictions were acknowledged, and {kept:,} are kept; at most "
                f"{self._loads:,} more than acknowledged could be."
            )
        if len(set(self._numbers)) != len(self._numbers):
            raise SystemExit("Two predictions were acknowledged under one number.")
        missing = self._missing()
        if missing:
            raise SystemExit(f"{missing:,} acknowledged predictions are not in the database.")
        return (
            f"All {self._answers:,} acknowledged predictions are in the database, beside "
            f"{kept - self._answers:,} that were under way when a load ended."
        )

    def _missing(self) -> int:
        with self._house.database() as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE acknowledged (number text)")
            with cursor.copy("COPY acknowledged FROM STDIN") as copy:
                copy.write("".join(f"{number}\n" for number in self._numbers))
            cursor.execute(
                "SELECT count(*) FROM acknowledged WHERE NOT EXISTS "
                "(SELECT FROM predictions WHERE id::text = number)"
            )
            row = cursor.fetchone()
        return int(str(row[0])) if row else 0

    def _count(self, query: LiteralString) -> int:
        with self._house.database() as connection:
            row = connection.execute(query).fetchone()
        return int(str(row[0])) if row else 0
