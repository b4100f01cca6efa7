"""The lab's stream: rows become a raw file, the file is ingested, its good rows are predicted."""

from __future__ import annotations

import csv
import dataclasses
import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ParamSpec

from jobchurn import files
from jobchurn.errors import NotFound
from jobchurn.flow.ingest import ingest_one
from jobchurn.flow.rows import Record
from jobchurn.flow.score import score_new
from jobchurn.flow.services import Services
from jobchurn.flow.split import split
from jobchurn.flow.watch import Evaluation, Report, watch
from jobchurn.flow.watch.words import delivery_words, rule_words, unjudged_words, window_words
from jobchurn.store.runs import Run

Progress = Callable[[str], None]
P = ParamSpec("P")

_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Finding:
    """How an experiment ended.

    Attributes:
        as_expected: whether the alarms went as they should.
        words: the same in a sentence.
    """

    as_expected: bool
    words: str


class OutOfTime(Exception):
    """The experiment's time is up."""


def within_its_time(experiment: Callable[P, Finding]) -> Callable[P, Finding]:
    """Let an experiment whose time is up end as one that did not go as it should."""

    @wraps(experiment)
    def timed(*args: P.args, **kwargs: P.kwargs) -> Finding:
        try:
            return experiment(*args, **kwargs)
        except OutOfTime as late:
            return Finding(False, str(late))

    return timed


class Stream:
    """Drives rows through the real thing, and watches.

    Args:
        services: of the home in use.
        name: of the experiment; its files bear it.
        progress: is told what goes on.
        minutes: after which :class:`OutOfTime` is raised.
        ripe_seconds: for how long predictions are left before they are watched, since the store
            reads only those that no later commit can precede.
    """

    def __init__(
        self,
        services: Services,
        name: str,
        progress: Progress,
        minutes: float,
        ripe_seconds: float = 6.0,
    ) -> None:
        # The lab's files are whole when they appear, and need not be waited for.
        at_once = services.settings.model_copy(update={"settle_seconds": 0.0})
        self.services = dataclasses.replace(services, settings=at_once)
        self._name = f"lab-{name}-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}"
        self._progress = progress
        self._minutes = minutes
        self._deadline = time.monotonic() + 60 * minutes
        self._ripe_seconds = ripe_seconds
        self._files = 0
        self._said = {rule: one.state for rule, one in services.store.alert_states.all().items()}

    def announce(self, origin: str) -> None:
        """Say where the rows come from, what becomes of them, and whether anybody is told."""
        self._progress(f"The rows are {origin}. They are kept among the predictions, as all are.")
        if not self.services.notifier.channels:
            self._progress("Nobody is told: no channel is set up (TEAMS_WEBHOOK, ALERT_URLS).")

    def send(self, records: Sequence[Record], *, damaged: float = 0.0) -> Run:
        """Ingest rows as one raw file and predict the good ones.

        Args:
            records: the rows; what is known of their outcomes is left out, since what is done to
                them here may have changed it.
            damaged: the share of them that is given an error on its way.
        """
        self._in_time()
        self._files += 1
        path = self.services.folders.raw_data / f"{self._name}-{self._files:03}.csv"
        self._write(path, records, damaged)
        digest = files.sha256_of(path)
        try:
            run = ingest_one(self.services, trigger="cli", file=path)
        except NotFound:
            run = None  # a stack that runs beside was faster
        run = run or self._awaited(digest)
        list(score_new(self.services, runs=[run.run_id]))
        return run

    def watch(self) -> Report:
        """One round of watching, once what was predicted is ripe for it; what it finds is told."""
        self._in_time()
        time.sleep(self._ripe_seconds)
        return self.look()

    def look(self) -> Report:
        """One round of watching, at once."""
        report = watch(self.services)
        for window in report.drift.windows:
            self._progress(f"  {window_words(window)}.")
        for unjudged in report.drift.unjudged:
            self._progress(f"  {unjudged_words(unjudged)}")
        for said in report.rules:
            known = self._said.get(said.rule.name, "ok")
            if said.error or said.news or said.state != known:
                self._progress(f"  rule {rule_words(said)}.")
            self._said[said.rule.name] = said.state
        for delivery in report.deliveries:
            self._progress(f"  {delivery_words(delivery)}.")
        return report

    def _in_time(self) -> None:
        if time.monotonic() > self._deadline:
            raise OutOfTime(f"Not all was seen within {self._minutes:g} minutes.")

    def _write(self, path: Path, records: Sequence[Record], damaged: float) -> None:
        text = io.StringIO()
        columns = self.services.contract.columns
        hidden = self.services.contract.outcome
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([column.name for column in columns])
        for record in records:
            writer.writerow(
                ""
                if column is hidden and not column.required
                else column.write(record.get(column.name))
                for column in columns
            )
        if not damaged:
            files.write_atomically(path, text.getvalue().encode())
            return
        with TemporaryDirectory(dir=self.services.folders.data, prefix="lab-") as folder:
            whole, out = Path(folder) / "rows.csv", Path(folder) / "raw"
            whole.write_text(text.getvalue(), encoding="utf-8")
            split(
                whole,
                out,
                n_files=1,
                error_rate=damaged,
                seed=time.time_ns(),
                contract=self.services.contract,
            )
            [made] = files.arriving(out)
            files.move(made, path)

    def _awaited(self, digest: str) -> Run:
        """The run of a file that another worker has taken."""
        while True:
            self._in_time()
            for run in self.services.store.runs.finished(limit=100):
                if run.sha256 == digest:
                    return run
            time.sleep(_POLL_SECONDS)


def state_of(report: Report, rule: str) -> Evaluation:
    """What one rule said.

    Raises:
        NotFound: there is no such rule, or it could not be evaluated.
    """
    for said in report.rules:
        if said.rule.name == rule and said.error is None:
            return said
    raise NotFound(f"The rule {rule} could not be evaluated.", "See `jobchurn watch`.")
