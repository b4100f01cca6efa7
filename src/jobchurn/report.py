"""A verdict as a page: one self-contained HTML file that a person can read anywhere.

Nothing is loaded from elsewhere and nothing runs. Every value is escaped, isolated from the
direction of the text around it, and cut to a length, so that the page's size has a bound whatever
the file holds. It shows row numbers and offending cells, never ids.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import resources

from jinja2 import Environment, StrictUndefined, Template

from jobchurn.contract import Column, Contract, Role, Rule, shown
from jobchurn.verdict import Reason, RuleResult, StructureRule, Verdict

SAMPLE = 100
"""The most reasons that a page shows, spread over the kinds of fault."""

REMOVED = "removed on request"
"""What a page says in the place of what it showed of a person."""

_CELL = 80
_INSTANCE = 180
_NOTES = 20
_CAUSES = 20

# As the template writes them. Every value is escaped, so that no ``<`` is any value's.
_REFUSAL = re.compile(
    r'(?<=<h2 id="refused">The whole file is refused</h2>\n).*?(?=</section>)', re.DOTALL
)
_SAMPLE_ROW = re.compile(
    r'(<tr><th scope="row" class="number">([\d,]+)</th>\n'
    r'<td><div class="fault"><div>.*?</div>\n<div>).*?(</div></div></td></tr>)',
    re.DOTALL,
)
_FOR_INSTANCE = re.compile(r"(For instance: <bdi>)(.*?)(</bdi>)", re.DOTALL)
_NOTE = re.compile(r"(<li><bdi>)(.*?)(</bdi></li>)", re.DOTALL)

_BADGES = {
    "none": "No problems found",
    "low": "Low criticality",
    "medium": "Medium criticality",
    "high": "High criticality",
}


@dataclass(frozen=True)
class _Group:
    """A column with its results, as the tables show it; ``column`` is ``None`` for structure."""

    column: Column | None
    label: str
    results: tuple[RuleResult, ...]

    @property
    def failed(self) -> int:
        return sum(result.failed for result in self.results)

    def failures(self, rule: str) -> int | None:
        """How many rows broke a rule of this column, ``None`` where it has no such rule."""
        found = [result.failed for result in self.results if result.rule == rule]
        return found[0] if found else None


@dataclass(frozen=True)
class _Cause:
    """A kind of fault: how many rows have it, and the words for one of them."""

    label: str
    rule: str
    rows: int
    example: str


def render(
    verdict: Verdict,
    contract: Contract,
    *,
    file: str,
    sha256: str,
    criticality: str,
    started_at: datetime,
    duplicate_of: str | None = None,
) -> str:
    """The page on one file.

    Args:
        verdict: what checking the file found.
        contract: what the file was checked against.
        file: the file's name, of whatever bytes.
        sha256: the hexadecimal digest of its bytes.
        criticality: one of ``policy.Criticality``.
        started_at: when its run began; aware of its time zone.
        duplicate_of: the run in which the same content was ingested before, if it was.
    """
    groups = _groups(verdict, contract)
    return _template().render(
        verdict=verdict,
        contract=contract,
        file=file,
        sha256=sha256,
        criticality=criticality,
        badge=_BADGES[criticality],
        started_at=started_at.astimezone(UTC),
        duplicate_of=duplicate_of,
        missing=[(name, contract.by_name.get(name)) for name in verdict.missing],
        groups=groups,
        rules=[rule for rule in Rule if any(g.failures(rule) is not None for g in groups)],
        causes=_causes(verdict, contract),
        sample=_sample(verdict),
        reasons=sum(verdict.broken.values()),
        labels={column.name: column.label for column in contract.columns},
        notes=verdict.notes[:_NOTES],
    )


def without(
    page: str,
    *,
    rows: Collection[int] = (),
    said: Collection[str] = (),
    levels: Collection[str] = (),
    refusal: bool = False,
) -> str:
    """A page without what it shows of some rows; what it counts stays as it is.

    Args:
        page: as :func:`render` wrote it.
        rows: whose cells and reasons are to go, by number.
        said: texts and messages of theirs, which may stand as an example of a kind of fault.
        levels: texts of theirs that may be noted as seen nowhere before.
        refusal: whether what is shown of a refused file is to go.
    """
    removed = f'<span class="muted">{REMOVED}</span>'
    instances = {visible(text, _INSTANCE) for text in said}
    instances |= {visible(shown(text, _CELL), _INSTANCE) for text in said}

    def row(found: re.Match[str]) -> str:
        theirs = int(found[2].replace(",", "")) in rows
        return f"{found[1]}{removed}{found[3]}" if theirs else found[0]

    def instance(found: re.Match[str]) -> str:
        theirs = html.unescape(found[2]) in instances
        return f"{found[1]}{REMOVED}{found[3]}" if theirs else found[0]

    def note(found: re.Match[str]) -> str:
        before = html.unescape(found[2])
        [text] = notes_without([before], levels)
        if text.endswith("…"):
            text = _without_beginnings(text, levels)
        return found[0] if text == before else f"{found[1]}{html.escape(text)}{found[3]}"

    page = _SAMPLE_ROW.sub(row, page)
    page = _FOR_INSTANCE.sub(instance, page)
    if levels:
        page = _NOTE.sub(note, page)
    return _REFUSAL.sub(f"<p>{removed}</p>\n", page) if refusal else page


def notes_without(notes: Iterable[str], levels: Collection[str]) -> list[str]:
    """Notes without these levels; behind each ``quality`` has written how often it was seen."""
    kept = list(notes)
    for level in levels:
        kept = [re.sub(rf"{re.escape(shown(level))}(?= \(\d)", REMOVED, note) for note in kept]
    return kept


def _without_beginnings(note: str, levels: Collection[str]) -> str:
    """A note that was cut off, without the beginning of one of these levels at its end."""
    text = note.removesuffix("…")
    for level in map(shown, levels):
        for length in range(len(level), 1, -1):
            if text.endswith(level[:length]):
                return f"{text[:-length]}{REMOVED}"
    return note


def _groups(verdict: Verdict, contract: Contract) -> list[_Group]:
    """The results by column: structure first, then as the contract orders them."""
    by_name: dict[str | None, list[RuleResult]] = {None: []}
    by_name |= {column.name: [] for column in contract.columns}
    for result in verdict.results:
        by_name.setdefault(result.column, []).append(result)
    return [
        _Group(contract.by_name.get(name or ""), _label(contract, name), tuple(results))
        for name, results in by_name.items()
        if results
    ]


def _causes(verdict: Verdict, contract: Contract) -> list[_Cause]:
    """What made rows bad, the most frequent first."""
    messages: dict[tuple[str | None, str], str] = {}
    for reasons in verdict.bad.values():
        for reason in reasons:
            messages.setdefault((reason.column, reason.rule), reason.message)
    causes = [
        _Cause(
            _label(contract, result.column),
            result.rule,
            result.failed,
            messages.get((result.column, result.rule), _example(result, contract)),
        )
        for result in verdict.results
        if result.failed
    ]
    return sorted(causes, key=lambda cause: -cause.rows)[:_CAUSES]


def _example(result: RuleResult, contract: Contract) -> str:
    """A text that broke a rule, or nothing."""
    for text, _ in result.examples if result.column is not None else ():
        return _cell(Reason(None, result.column, result.rule, text, ""), contract)
    return ""


def _label(contract: Contract, name: str | None) -> str:
    if name is None:
        return "Structure"
    column = contract.by_name.get(name)
    return column.label if column else name


def _sample(verdict: Verdict) -> list[Reason]:
    """Reasons in order of rows, so many of each kind that every kind is seen."""
    reasons = [reason for found in verdict.bad.values() for reason in found]
    kinds = {(reason.column, reason.rule) for reason in reasons}
    left = dict.fromkeys(kinds, max(1, SAMPLE // max(1, len(kinds))))
    sample: list[Reason] = []
    for reason in reasons:
        kind = reason.column, reason.rule
        if left[kind] and len(sample) < SAMPLE:
            left[kind] -= 1
            sample.append(reason)
    return sample


def visible(text: str, limit: int) -> str:
    """The text so that it shows all it holds, cut to a length.

    What has no shape of its own (controls, bytes that are no UTF-8, marks that turn the direction
    of writing) is written as an escape.
    """
    plain = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[: limit + 1]
    )
    return plain if len(plain) <= limit else f"{plain[: limit - 1]}…"


def _cell(reason: Reason, contract: Contract) -> str:
    """The offending text: between quotes where it came so, described where it is not shown."""
    is_record = reason.row is not None or reason.rule == StructureRule.NO_HEADER
    if reason.column is None and is_record and contract.id is not None:
        return "not shown: a whole record bears its id"
    column = contract.by_name.get(reason.column or "")
    if column is None or column.role is Role.ID:
        return visible(reason.text, _CELL)
    return shown(reason.text, _CELL)


def _said(reason: Reason) -> str:
    """What is wrong, without the column and the text where they stand beside it."""
    for text in (shown(reason.text), reason.text):
        said = reason.message.removeprefix(f"{reason.column} is {text}: ")
        if said != reason.message:
            return said
    return reason.message


def _share(part: int, whole: int) -> str:
    """A percentage that is 0 or 100 only where it is so exactly."""
    if not whole or part in (0, whole):
        return "100%" if part and whole else "0%"
    percent = 100 * part / whole
    if percent < 0.1:
        return "< 0.1%"
    return "> 99.9%" if percent > 99.9 else f"{percent:.1f}%"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "cell": _cell,
        "counted": _counted,
        "said": _said,
        "share": _share,
        "shown": shown,
        "visible": visible,
    }
    source = resources.files("jobchurn").joinpath("report.html.j2")
    return environment.from_string(source.read_text(encoding="utf-8"))
