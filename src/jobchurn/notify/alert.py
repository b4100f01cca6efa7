"""What people are told about a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Self

from jobchurn.notify.message import Fact, Link, Table, Tone, inert, links_of, shown_moment
from jobchurn.policy import Criticality
from jobchurn.verdict import StructureRule, Verdict

TOP_ISSUES = 8
"""How many issues an alert lists; the report lists them all."""

_NAME_LENGTH = 120
_WORD_LENGTH = 60

_TONES = {
    Criticality.NONE: Tone.GOOD,
    Criticality.LOW: Tone.NOTICE,
    Criticality.MEDIUM: Tone.WARNING,
    Criticality.HIGH: Tone.URGENT,
}


class Issue(NamedTuple):
    """One rule that rows broke.

    Attributes:
        column: the column's name, or ``None`` for a rule about the file's structure.
        rule: the rule.
        rows: how many rows broke it.
    """

    column: str | None
    rule: str
    rows: int


@dataclass(frozen=True, kw_only=True)
class Alert:
    """What people are told about one file.

    Attributes:
        run_id: the ingestion run.
        file: the raw file's name, as it came.
        criticality: of the file.
        rows_total, rows_invalid: its records, and those of them that are bad.
        started_at: when the run began.
        issues: what is wrong, most rows first.
        refused: whether the file could not be read at all.
        report: the address of the run's report, or ``None`` where it has none for these readers.
    """

    run_id: str
    file: str
    criticality: Criticality
    rows_total: int
    rows_invalid: int
    started_at: datetime
    issues: tuple[Issue, ...] = ()
    refused: bool = False
    report: str | None = None

    @property
    def headline(self) -> str:
        """The matter in one sentence, in words of our own."""
        if self.refused:
            return f"{self.criticality.capitalize()}: a file could not be read"
        verb = "is" if self.rows_invalid == 1 else "are"
        noun = "row" if self.rows_total == 1 else "rows"
        bad = f"{self.rows_invalid:,} of {self.rows_total:,} {noun} {verb} bad"
        return f"{self.criticality.capitalize()}: {bad}"

    @property
    def title(self) -> str:
        """The headline, and which file it is about."""
        return f"{self.headline} in {self.shown_file}"

    @property
    def tone(self) -> Tone:
        """As grave as the file is critical."""
        return _TONES[self.criticality]

    @property
    def explanation(self) -> str:
        """Nothing: the headline says it."""
        return ""

    @property
    def share(self) -> str:
        """The share of bad rows, in words; a refused file is bad altogether."""
        if self.refused or not self.rows_total:
            return "the whole file"
        percent = 100 * self.rows_invalid / self.rows_total
        shown = "under 0.1" if 0 < percent < 0.1 else f"{percent:.1f}"
        return f"{self.rows_invalid:,} of {self.rows_total:,} ({shown}%)"

    @property
    def shown_file(self) -> str:
        """The file's name, harmless and short enough to be read."""
        return inert(self.file, _NAME_LENGTH)

    @property
    def shown_issues(self) -> tuple[Issue, ...]:
        """The foremost issues, harmless and short enough to be read."""
        return tuple(
            Issue(
                issue.column and inert(issue.column, _WORD_LENGTH),
                inert(issue.rule, _WORD_LENGTH),
                issue.rows,
            )
            for issue in self.issues[:TOP_ISSUES]
        )

    @property
    def unlisted(self) -> str:
        """A sentence about the issues that are not listed; empty where all are."""
        more = len(self.issues) - TOP_ISSUES
        return f"and {more:,} more; the report lists them all" if more > 0 else ""

    @property
    def facts(self) -> tuple[Fact, ...]:
        """Which file, how bad it is, and the run that judged it."""
        return (
            Fact("File", self.shown_file),
            Fact("Bad rows", self.share),
            Fact("Begun", shown_moment(self.started_at)),
            Fact("Run", self.run_id),
        )

    @property
    def lines(self) -> tuple[str, ...]:
        """The foremost issues, one a line."""
        return tuple(
            f"{issue.column or 'structure'}: {issue.rule}, {rows_of(issue)}"
            for issue in self.shown_issues
        )

    @property
    def table(self) -> Table | None:
        """The foremost issues."""
        rows = tuple(
            (issue.column or "structure", issue.rule, f"{issue.rows:,}")
            for issue in self.shown_issues
        )
        return Table(("Column", "Rule", "Rows"), rows) if rows else None

    @property
    def links(self) -> tuple[Link, ...]:
        """The report, where its address is one that a reader can be given."""
        return links_of(("Report", self.report))

    def to_body(self) -> dict[str, Any]:
        """The alert in JSON's types, to be sent again later; the file's name as it is shown."""
        return {
            "run_id": self.run_id,
            "file": self.shown_file,
            "criticality": self.criticality.value,
            "rows_total": self.rows_total,
            "rows_invalid": self.rows_invalid,
            "started_at": self.started_at.isoformat(),
            "issues": [list(issue) for issue in self.issues],
            "refused": self.refused,
            "report": self.report,
        }

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Self:
        """The alert that :meth:`to_body` wrote."""
        return cls(
            **dict(body)
            | {
                "criticality": Criticality(body["criticality"]),
                "started_at": datetime.fromisoformat(body["started_at"]),
                "issues": tuple(Issue(*issue) for issue in body["issues"]),
            }
        )


def alert_of(
    verdict: Verdict,
    *,
    run_id: str,
    file: str,
    criticality: Criticality,
    started_at: datetime,
    report: str | None = None,
) -> Alert:
    """What to tell people about a file that was judged."""
    return Alert(
        run_id=run_id,
        file=file,
        criticality=criticality,
        rows_total=verdict.rows_total,
        rows_invalid=verdict.rows_invalid,
        started_at=started_at,
        issues=tuple(_issues(verdict)),
        refused=verdict.refusal is not None,
        report=report,
    )


def rows_of(issue: Issue) -> str:
    """How many rows an issue concerns, in words."""
    return "1 row" if issue.rows == 1 else f"{issue.rows:,} rows"


def _issues(verdict: Verdict) -> Sequence[Issue]:
    """Each rule that was broken, the one that most rows broke first."""
    if verdict.refusal is not None:
        return [Issue(verdict.refusal.column, verdict.refusal.rule, verdict.rows_total)]
    missing = [
        Issue(column, StructureRule.MISSING_COLUMN, verdict.rows_total)
        for column in verdict.missing
    ]
    broken = [Issue(column, rule, count) for (column, rule), count in verdict.broken.items()]
    return missing + sorted(broken, key=lambda i: (-i.rows, i.column or "", i.rule))
