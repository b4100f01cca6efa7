"""Remove a person's data from every file of the home, and from the database.

What else is said of a file's rows goes before the rows themselves: reasons, reports and notes are
found by way of them, also by whoever repeats this after a kill.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from jobchurn import files, report
from jobchurn.files import Sheet
from jobchurn.flow.forget import under_way
from jobchurn.flow.forget.outcome import Forgotten, Left, Rewritten
from jobchurn.flow.forget.person import (
    Person,
    Trace,
    all_texts,
    open_texts,
    others_texts,
    trace_in,
)
from jobchurn.flow.routed import Sides, place_of, sides_of
from jobchurn.flow.services import Services
from jobchurn.flow.split import MANIFEST
from jobchurn.store.redactions import Redaction
from jobchurn.store.runs import Run

_ROUNDS = 3
_REASONS = ".reasons.jsonl"
_CAME = "it came while they were being forgotten: repeat the command"


def forget(
    services: Services,
    person: Person,
    *,
    doubtful: bool = False,
    dry_run: bool = False,
    patience: float | None = None,
) -> Forgotten:
    """Remove a person's data; a repeat removes what is left of them, and comes to nothing.

    Args:
        services: the folders and the database, the latter in its owner's name.
        person: who.
        doubtful: remove also what may be theirs: broken records that mention the id, and files
            that cannot be cut and mention it.
        dry_run: only say what there is.
        patience: for how many seconds other workers are waited for; by default for as long as one
            may be silent.
    """
    wait = services.settings.lease_seconds if patience is None else patience
    done = Forgotten()
    with (
        files.held(services.folders.data),
        nullcontext() if dry_run else _staged(services),
    ):
        for _ in range(_ROUNDS):
            removal = _Removal(services, person, doubtful=doubtful, dry_run=dry_run)
            stuck = {} if dry_run else under_way.finish(services, person, patience=wait)
            removal.from_files()
            done.files += removal.done.files
            done.left = removal.done.left + [
                Left(removal.shown(path), None, why) for path, why in stuck.items()
            ]
            # What a worker has put back meanwhile is new again, and may be claimed again.
            come = [] if dry_run or stuck else under_way.of(services, person)
            if not come:
                break
        done.left += [Left(removal.shown(path), None, _CAME) for path in come]
        removed = services.store.redactions.remove_person(
            person.value, person.absent_from, person.mentions, dry_run=dry_run
        )
    done.predictions, done.requests = removed.predictions, removed.requests
    return done


@contextmanager
def _staged(services: Services) -> Iterator[None]:
    """A place for files until they are whole; what a killed process left in it goes, too."""
    folder = _staging(services)
    files.make_folder(folder)
    try:
        yield
    finally:
        files.sweep(folder, 0)  # only who holds the home writes there
        with suppress(OSError):  # what else lies there is not ours
            folder.rmdir()


def _staging(services: Services) -> Path:
    return services.folders.data / ".forgetting"


class _Removal:
    """One way through the files of a home."""

    def __init__(
        self, services: Services, person: Person, *, doubtful: bool, dry_run: bool
    ) -> None:
        self.done = Forgotten()
        self._services = services
        self._person = person
        self._doubtful = doubtful
        self._dry_run = dry_run
        self._runs: dict[str, Run] = {}
        self._repeats: dict[str, list[Run]] = defaultdict(list)

    def from_files(self) -> None:
        folders = self._services.folders
        self._know_runs()
        if self._dry_run:
            self._expect_arriving()
        for folder in (folders.bad_data, folders.good_data):
            for path in _regular(folder):
                if not path.name.endswith(_REASONS):
                    self._from_routed(path, self._runs.get(path.name))
        for path in _regular(folders.data):
            if path.suffix == ".csv":
                self._from_data(path)
            elif path.name == MANIFEST:
                self._from_manifest(path)
        self._look_elsewhere()

    def shown(self, path: Path) -> str:
        """A path below the home, or as it is."""
        home = self._services.folders.root
        return path.relative_to(home).as_posix() if path.is_relative_to(home) else str(path)

    def _know_runs(self) -> None:
        for run in self._services.store.runs.finished(limit=None):
            for path in (run.good, run.bad):
                if path is not None:
                    self._runs[Path(path).name] = run
            if run.duplicate_of is not None:
                self._repeats[run.duplicate_of].append(run)

    def _expect_arriving(self) -> None:
        """What is under way would be finished first, and then lose its rows."""
        for path in under_way.of(self._services, self._person):
            with self._said_if_closed(path):
                _, _, rows = self._traced(path)
                self.done.files.append(Rewritten(self.shown(path), len(rows), None))

    def _traced(
        self, path: Path, *, run_together: bool = False
    ) -> tuple[Sheet, Trace, tuple[int, ...]]:
        """A file, what it holds of the person, and the rows that are to go."""
        sheet = files.cut(path, self._services.contract)
        trace = trace_in(sheet, self._person, run_together=run_together)
        if self._doubtful:
            return sheet, trace, tuple(sorted({*trace.rows, *trace.doubtful}))
        for row, why in trace.doubtful.items():
            self._leave(path, why, row)
        return sheet, trace, trace.rows

    def _from_routed(self, path: Path, run: Run | None) -> None:
        is_bad = path.parent == self._services.folders.bad_data
        sides = self._sides(run) if is_bad else None
        sheet, trace, rows = self._traced(path, run_together=is_bad and sides is None)
        if trace.unreadable:
            self._from_unreadable(path, run, trace.unreadable)
        if not rows:
            return
        of_content = [run, *self._repeats[run.run_id]] if run else []
        reasons = path.with_name(path.name + _REASONS)
        said, numbers = set[str](), frozenset[int]()
        if is_bad:
            said = all_texts(sheet, rows)
            if reasons.exists():
                numbers = _numbers_of(reasons, rows, sides)
                said |= self._from_reasons(reasons, run, numbers)
        levels = self._levels(path, sheet, rows)
        for one in of_content:
            self._from_notes(one, levels)
            self._from_report(
                one,
                lambda page: report.without(page, rows=numbers, said=said, levels=levels),
                len(rows),
            )
        self._rewrite(path, b"".join(files.emptied(sheet, rows)), len(rows), run)

    def _sides(self, run: Run | None) -> Sides | None:
        """Which rows of the raw file the bad ones were; ``None`` where that cannot be told."""
        sides = sides_of(run) if run else None
        if run is None or sides is None or not sides.bad:
            return None
        contract = self._services.contract
        return None if place_of(run, sides, sides.bad[0], contract, show=False).doubt else sides

    def _levels(self, path: Path, sheet: Sheet, rows: Sequence[int]) -> set[str]:
        """Texts of theirs that nobody else has, in the good rows or the bad ones of the file."""
        contract = self._services.contract
        levels = open_texts(sheet, rows, contract) - others_texts(sheet, rows, contract)
        folders = self._services.folders
        for folder in {folders.good_data, folders.bad_data} - {path.parent}:
            other = folder / path.name
            if levels and other.is_file():
                rest = files.cut(other, contract)
                levels -= others_texts(rest, trace_in(rest, self._person).rows, contract)
        return levels

    def _from_unreadable(self, path: Path, run: Run | None, why: str) -> None:
        """A file that was refused as a whole; it is removed as a whole, or left."""
        if not self._doubtful or not self._person.is_mentioned_in(path.read_bytes()):
            self._leave(path, why)
            return
        for one in [run, *self._repeats[run.run_id]] if run else []:
            self._from_report(one, lambda page: report.without(page, refusal=True), 1)
        reasons = path.with_name(path.name + _REASONS)
        if reasons.exists():
            self._from_reasons(reasons, run, {None})
        self._rewrite(path, b"", 1, run)

    def _from_reasons(self, path: Path, run: Run | None, numbers: Iterable[int | None]) -> set[str]:
        """The reasons lose their texts, not their number; the texts and messages that they had."""
        theirs, said, lines, count = set(numbers), set[str](), list[bytes](), 0
        for line in path.read_bytes().splitlines(keepends=True):
            reason: dict[str, Any] = json.loads(line)
            if reason["row"] not in theirs or reason["message"] == report.REMOVED:
                lines.append(line)
                continue
            said |= {reason["text"], reason["message"]}
            removed = {"text": "", "message": report.REMOVED, "repair": None}
            lines.append(json.dumps(reason | removed).encode() + b"\n")
            count += 1
        self._rewrite(path, b"".join(lines), count, run)
        return said - {""}

    def _from_notes(self, run: Run, levels: set[str]) -> None:
        notes = report.notes_without(run.notes, levels)
        if notes != list(run.notes) and not self._dry_run:
            self._services.store.redactions.replace_notes(run.run_id, notes)

    def _from_report(self, run: Run, without: Callable[[str], str], rows: int) -> None:
        path = self._services.folders.reports / f"{run.run_id}.html"
        if path.is_file():
            page = path.read_text(encoding="utf-8")
            self._rewrite(path, without(page).encode(), rows, run)

    def _from_data(self, path: Path) -> None:
        """A data set of the home, of which nobody counts rows."""
        sheet, trace, rows = self._traced(path)
        if trace.unreadable:
            self._leave(path, trace.unreadable)
        if rows:
            self._rewrite(path, b"".join(files.dropped(sheet, rows)), len(rows), None)

    def _from_manifest(self, path: Path) -> None:
        """What the splitter noted of damaged ids: both texts go."""
        manifest = json.loads(path.read_bytes())
        count = 0
        for injection in (fault for one in manifest["files"] for fault in one["faults"]):
            texts = [injection["original"] or "", injection["injected"] or ""]
            is_id = injection["column"] == self._person.column.name
            if is_id and any(map(self._person.is_named_by, texts)):
                injection.update(original=None, injected=None)
                count += 1
        if count:
            self._rewrite(path, (json.dumps(manifest, indent=2) + "\n").encode(), count, None)

    def _look_elsewhere(self) -> None:
        """Where nothing is touched: files that never arrive, and a data set outside of the home."""
        raw = self._services.folders.raw_data
        for path in sorted(set(_regular(raw)) - set(files.arriving(raw))):
            with self._said_if_closed(path):
                if self._person.is_mentioned_in(path.read_bytes()):
                    self._leave(path, "it is no arriving file, and mentions the id")
        own = self._services.settings.jobchurn_csv
        if own is not None and own.expanduser().is_file():
            trace = trace_in(files.cut(own.expanduser(), self._services.contract), self._person)
            if trace.rows or trace.doubtful or trace.unreadable:
                self._leave(own, "JOBCHURN_CSV is a file of yours, and holds them")

    @contextmanager
    def _said_if_closed(self, path: Path) -> Iterator[None]:
        """A block that reads a file which others may take away meanwhile, or may have closed."""
        try:
            yield
        except FileNotFoundError:
            pass
        except PermissionError as error:
            self._leave(path, f"it cannot be read: {error.strerror}")

    def _leave(self, path: Path, why: str, row: int | None = None) -> None:
        self.done.left.append(Left(self.shown(path), row, why))

    def _rewrite(self, path: Path, content: bytes, rows: int, run: Run | None) -> None:
        """Write down what is done, then do it; where it changes anything."""
        before, after = files.sha256_of(path), hashlib.sha256(content).hexdigest()
        if after == before:
            return
        run_id = run.run_id if run else None
        self.done.files.append(Rewritten(self.shown(path), rows, run_id))
        if self._dry_run:
            return
        self._services.store.redactions.record(
            [
                Redaction(
                    rows=rows,
                    run_id=run_id,
                    file=self.shown(path),
                    sha256_before=before,
                    sha256_after=after,
                )
            ]
        )
        files.write_atomically(path, content, _staging(self._services))


def _regular(folder: Path) -> Iterator[Path]:
    """The files of a folder, not its links."""
    return iter(sorted(p for p in folder.iterdir() if p.is_file() and not p.is_symlink()))


def _numbers_of(reasons: Path, rows: Sequence[int], sides: Sides | None) -> frozenset[int]:
    """Which rows of the raw file these of the bad one were; all, where nobody can tell."""
    if sides is not None:
        return frozenset(sides.raw_row(row, is_bad=True) for row in rows)
    found = (json.loads(line)["row"] for line in reasons.read_bytes().splitlines())
    return frozenset(row for row in found if row is not None)
