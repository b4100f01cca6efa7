"""Runs: what checking each arrived file found, and where its rows went."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jobchurn.store.arrivals import Claim
from jobchurn.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of ingestion.

    Attributes:
        run_id: sorts by time of arrival.
        file: the raw file's name.
        sha256: of the raw bytes, hexadecimal.
        trigger: ``start``, ``cli`` or ``dag``.
        contract: the fingerprint of the contract that it was judged by.
        rows_total, rows_valid, rows_invalid: records of the file.
        invalid_ratio: the share of bad records, 0 to 1.
        criticality: of its faults, in words.
        duplicate_of: the run that had this content first, or ``None``.
        started_at: when it was claimed.
        finished_at: when it was published; ``None`` while it is under way.
        good, bad, reasons, report: absolute paths, or ``None``.
        notes: what was noticed and accepted.
    """

    run_id: str
    file: str
    sha256: str
    trigger: str
    contract: str
    rows_total: int
    rows_valid: int
    rows_invalid: int
    invalid_ratio: float
    criticality: str
    duplicate_of: str | None
    started_at: datetime
    finished_at: datetime | None
    good: str | None
    bad: str | None
    reasons: str | None
    report: str | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Issue:
    """How many rows of a run broke one rule; ``column`` is ``None`` for a rule about structure."""

    rule: str
    column: str | None
    rows: int


class Runs:
    """The named queries about runs."""

    def save_statistics(self, claim: Claim, verdict: Verdict, criticality: str) -> None:
        """Keep what checking found; a repeat replaces what was kept.

        Raises:
            LeaseLost: another worker has taken the arrival over.
        """
        raise NotImplementedError

    def reserve_name(self, claim: Claim, name: str) -> str:
        """The name for the run's routed files: ``name``, or with a suffix where it is taken.

        No two runs are given one name, and a repeat is given the same.

        Raises:
            LeaseLost: another worker has taken the arrival over.
        """
        raise NotImplementedError

    def finish(
        self,
        claim: Claim,
        good: str | None,
        bad: str | None,
        reasons: str | None,
        report: str | None,
    ) -> Run:
        """Publish the run and close its arrival, in one transaction; a repeat changes nothing.

        A duplicate whose statistics were not saved takes those of the run that it repeats.

        Raises:
            LeaseLost: another worker has taken the arrival over.
        """
        raise NotImplementedError

    def finished(self, limit: int = 100, before: str | None = None) -> list[Run]:
        """The latest published runs, newest first; ``before`` a run's id, for the next page."""
        raise NotImplementedError

    def get(self, run_id: str) -> Run:
        """One run, published or not.

        Raises:
            NotFound: there is no such run, or nothing is known of it yet.
        """
        raise NotImplementedError

    def issues(self, run_id: str) -> list[Issue]:
        """What was wrong in a run, the most frequent first."""
        raise NotImplementedError
