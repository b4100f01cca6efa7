"""What forgetting a person came to."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Rewritten:
    """A file that lost a person's data, or would.

    Attributes:
        file: its path below the home.
        rows: how many of its rows that concerned.
        run_id: the run that it belongs to, or ``None``.
    """

    file: str
    rows: int
    run_id: str | None


@dataclass(frozen=True)
class Left:
    """What a person has to look at.

    Attributes:
        file: its path.
        row: its row, or ``None`` for the whole file.
        why: why it was left as it is, in words.
    """

    file: str
    row: int | None
    why: str


@dataclass
class Forgotten:
    """What was removed of a person, or would be.

    Attributes:
        predictions: rows of the database.
        requests: kept answers that lost something.
        files: those that were rewritten.
        left: what could not be told to be theirs, or could not be changed.
    """

    predictions: int = 0
    requests: int = 0
    files: list[Rewritten] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
