"""One column of a file, judged as its cells come in: their distinct texts, and how often each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jobchurn.coded import NO_CELL, Coded
from jobchurn.contract import Column, Kind, Role, Rule, shown
from jobchurn.quality import suite
from jobchurn.quality.identity import LONG, Identity, identity_of, size_of
from jobchurn.quality.ids import OFFSET, ids_of, key_of
from jobchurn.quality.reasoning import Reasoning, counted
from jobchurn.repeats import Recurring, Repeats
from jobchurn.verdict import Reason, RuleResult

_EXAMPLES = 5
_LISTED = 10
_COUNTED = 20_000
"""How many of the texts that do not keep their code are counted one by one."""

_UNJUDGED = 50_000
"""How many distinct texts wait to be judged together."""

_UNJUDGED_BYTES = 4 * 1024 * 1024
"""How much memory they take, at the most before the texts of one more sheet."""


class JudgedColumn:
    """A column of a file, while its cells come in.

    What the contract would refuse is set aside, row by row, until Great Expectations has judged;
    it judges every distinct text, and of the plain whole numbers the least and the greatest, as no
    rule of such a column refuses what lies between two admitted ones.

    Attributes:
        column: its promise.
        have_ids: which of the rows that were taken last have an id; ``None`` where the column is
            not that of the ids.
    """

    def __init__(
        self, column: Column, known: Collection[str] | None, folder: Path | None = None
    ) -> None:
        self.column = column
        self._known = known if column.kind is Kind.TEXT else None
        self._texts: list[str] = []
        self._lasting: set[Identity] = set()
        self._counts = np.zeros(OFFSET, np.int64)
        self._doubtful = np.zeros(OFFSET, bool)
        self._keys = np.zeros(OFFSET, np.uint64)
        self._is_doubted = False
        self._judged = 0
        self._counts_others = self._known is not None or bool(column.spellings)
        self._others: Counter[Identity] = Counter()
        self._shown: dict[Identity, str] = {}
        self._uncounted = 0
        self._rows = 0
        self._unjudged: dict[str, None] = {}
        self._unjudged_bytes = 0
        self._extremes: tuple[int, int] | None = None
        self._judged_extremes: tuple[int, int] | None = None
        self._broken: dict[Identity, Rule] = {}
        self._failed: dict[Rule, int] = defaultdict(int)
        self._failures: dict[Rule, Counter[tuple[Identity, str]]] = defaultdict(Counter)
        self._reasoning = Reasoning(column)
        self._repeats = Repeats(folder, places=True) if column.role is Role.ID else None
        self._waiting: list[tuple[int, str]] = []
        self._waiting_bytes = 0
        self.have_ids: NDArray[np.bool_] | None = None

    def close(self) -> None:
        """Give temporary files back."""
        if self._repeats is not None:
            self._repeats.close()

    @property
    def waiting(self) -> int:
        """How many doubtful cells wait to be judged."""
        return len(self._waiting)

    @property
    def waiting_bytes(self) -> int:
        """How much memory the texts of these cells take, each counted as often as it waits."""
        return self._waiting_bytes

    def take(self, cells: Coded, first_row: int) -> NDArray[np.int64]:
        """Take the cells of some rows, and return which of these may turn out to be bad.

        Args:
            cells: theirs.
            first_row: the number of the first of them.
        """
        own = cells.texts[cells.kept :]
        self._learn(cells.texts[len(self._texts) : cells.kept])
        self._lasting.update(map(identity_of, own[: cells.lasting]))
        counts = np.bincount(cells.codes + OFFSET, minlength=cells.kept + OFFSET)
        self._counts += counts[: cells.kept + OFFSET]
        self._rows += len(cells.codes) - int(counts[NO_CELL + OFFSET])
        doubtful, keys = self._doubtful, self._keys
        if own:
            more, their_keys = self._looked_at(own)
            doubtful, keys = np.append(doubtful, more), np.append(keys, their_keys)
            self._count_others(own, counts[cells.kept + OFFSET :], more)
        places = np.zeros(0, np.int64)
        if self._is_doubted or own:
            places = np.flatnonzero(doubtful[cells.codes + OFFSET])
            texts = [cells.texts[code] for code in cells.codes[places].tolist()]
            self._waiting += zip((places + first_row).tolist(), texts, strict=True)
            self._waiting_bytes += size_of(texts)
        if len(cells.numbers):
            least, greatest = int(cells.numbers.min()), int(cells.numbers.max())
            before = self._extremes or (least, greatest)
            self._extremes = min(least, before[0]), max(greatest, before[1])
        if self._repeats is not None:
            self.have_ids, found = ids_of(cells, doubtful, keys)
            rows = np.arange(first_row, first_row + len(found))
            self._repeats.add(found[self.have_ids], rows[self.have_ids])
        if len(self._unjudged) > _UNJUDGED or self._unjudged_bytes > _UNJUDGED_BYTES:
            self._judge()
        return places + first_row

    def _learn(self, texts: Iterable[str]) -> None:
        """Texts that keep their code from now on."""
        new = list(texts)
        if not new:
            return
        doubtful, keys = self._looked_at(new)
        self._texts += new
        self._doubtful = np.append(self._doubtful, doubtful)
        self._keys = np.append(self._keys, keys)
        self._counts = np.append(self._counts, np.zeros(len(new), np.int64))
        self._is_doubted |= bool(doubtful.any())

    def _looked_at(self, texts: Collection[str]) -> tuple[NDArray[np.bool_], NDArray[np.uint64]]:
        """Which texts the contract would refuse, and the number by which each is told again."""
        doubtful = np.array([not self.column.reads(text) for text in texts], bool)
        if self._repeats is None:
            return doubtful, np.zeros(len(texts), np.uint64)
        pairs = zip(texts, doubtful, strict=True)
        keys = [0 if bad else key_of(self.column, text) for text, bad in pairs]
        return doubtful, np.array(keys, np.uint64)

    def _count_others(
        self, texts: Collection[str], counts: NDArray[np.int64], doubtful: NDArray[np.bool_]
    ) -> None:
        """Texts that keep no code: the first of them are counted, the others only together."""
        for text, count, bad in zip(texts, counts.tolist(), doubtful, strict=True):
            identity = identity_of(text)
            if identity not in self._broken and text not in self._unjudged:
                self._unjudged[text] = None
                self._unjudged_bytes += size_of([text])
            if not text:
                self._others[text] += count
            elif bad or not self._counts_others:
                continue
            elif identity in self._others or len(self._others) < _COUNTED:
                self._others[identity] += count
                if len(text) > LONG:
                    self._shown[identity] = shown(text)
            else:
                self._uncounted += count

    def reasons(self) -> list[Reason]:
        """Why cells are bad that came in since the last call, in order of rows."""
        self._judge()
        found = []
        for row, text in self._waiting:
            identity = identity_of(text)
            rule = self._broken.get(identity)
            if rule is None:
                continue
            self._failed[rule] += 1
            of_rule, key = self._failures[rule], (identity, self._reasoning.kept(text))
            if key in of_rule or len(of_rule) < _COUNTED:
                of_rule[key] += 1
            found.append(Reason(row, self.column.name, *self._reasoning.why(text, rule)))
        self._waiting, self._waiting_bytes = [], 0
        return found

    def forget(self) -> None:
        """Forget the refused texts where they are many: they are judged anew where they come again.

        Those are not that keep their code, or would but for their length.
        """
        if len(self._broken) > _COUNTED:
            kept = self._lasting.union(map(identity_of, self._texts))
            self._broken = {text: rule for text, rule in self._broken.items() if text in kept}
            self._reasoning.forget(but=kept)

    def _judge(self) -> None:
        """Have Great Expectations judge all texts that it has not judged yet."""
        texts = self._texts[self._judged :] + list(self._unjudged)
        numbers: list[str] = []
        if self._extremes is not None and self._extremes != self._judged_extremes:
            numbers = [str(number) for number in dict.fromkeys(self._extremes)]
        if not texts and not numbers:
            return
        broken = suite.broken_rules(self.column, [*texts, *numbers])
        for text, rule in broken.items():
            if text in numbers or self.column.reads(text):
                self._reasoning.violation(text, rule)  # raises
        self._broken |= {identity_of(text): rule for text, rule in broken.items()}
        self._judged, self._judged_extremes = len(self._texts), self._extremes
        self._unjudged, self._unjudged_bytes = {}, 0

    def results(self) -> Iterable[RuleResult]:
        """How each rule fared, over the rows that reach it.

        A blank reaches only the rule that refuses it; a row ends at the first rule that it breaks.
        """
        rows = self._rows
        blanks = self._count_of("")
        for rule in self.column.rules:
            if rule is not Rule.REQUIRED:
                rows, blanks = rows - blanks, 0
            failed = self._failed[rule]
            yield RuleResult(
                self.column.name,
                str(rule),
                suite.names_of(self.column, rule),
                rows,
                failed,
                self._examples(self._failures[rule]),
            )
            rows -= failed
            blanks -= self._failures[rule]["", ""]

    def _examples(self, texts: Counter[tuple[Identity, str]]) -> tuple[tuple[str, int], ...]:
        kept: Counter[str] = Counter()
        for (_, text), count in texts.items():
            kept[text] += count
        return tuple(kept.most_common(_EXAMPLES))

    def notes(self) -> Iterable[str]:
        """What is admitted and worth knowing."""
        yield from self._recurring()
        for text, level in self.column.spellings.items():
            if count := self._count_of(text):
                yield (
                    f"{self.column.label}: {shown(text)} was read as {shown(level)} in "
                    f"{counted(count, 'row')}."
                )
        if self._known is not None:
            yield from self._unknown(self._known)

    def _count_of(self, text: str) -> int:
        """In how many rows a text occurs."""
        place = self._texts.index(text) if text in self._texts else -1
        kept = int(self._counts[place + OFFSET]) if place >= 0 else 0
        return kept + self._others[text]

    @cached_property
    def recurring(self) -> Recurring:
        """Which ids occur more than once, once there are no more."""
        return Recurring(0, 0, 0) if self._repeats is None else self._repeats.recurring()

    def _recurring(self) -> Iterable[str]:
        """Ids that occur more than once: told by row numbers, never shown."""
        found = self.recurring
        if found.values:
            more = found.occurrences - len(found.first)
            rows = ", ".join(map(str, found.first)) + (f" and {more:,} more" if more else "")
            values = counted(found.values, "value")
            yield f"{self.column.label}: {values} more than once, in rows {rows}."

    def _unknown(self, known: Collection[str]) -> Iterable[str]:
        passed = {*map(identity_of, ("", *known)), *self._broken}
        unknown: Counter[Identity] = Counter()
        for text, count in zip(self._texts, self._counts[OFFSET:].tolist(), strict=True):
            if (identity := identity_of(text)) not in passed:
                unknown[identity] = count
                if len(text) > LONG:
                    self._shown[identity] = shown(text)
        unknown.update({text: n for text, n in self._others.items() if text not in passed})
        if unknown:
            listed = [
                f"{self._shown.get(text) or shown(text)} ({count})"
                for text, count in unknown.most_common(_LISTED)
            ]
            more = len(unknown) - len(listed)
            values = ", ".join(listed) + (f" and {more:,} more" if more else "")
            least = "more than " if self._uncounted else ""
            yield (
                f"{self.column.label}: {least}{counted(len(unknown), 'value')} unknown to the "
                f"model, in {counted(unknown.total() + self._uncounted, 'row')}: {values}."
            )
