"""Ingest: a raw file arrives, is judged, and its rows are routed to good or bad.

The steps are those of the ingestion DAG, and each can be repeated by anyone at any time::

    read_data ─► validate_data ─► save_statistics ─┐
                               ├► send_alerts ─────┼► finish
                               └► split_and_save ──┘

``read_data`` claims an arrival (a lease in the database) and moves the file into the run's work
folder; ``validate_data`` leaves verdict and report there; the three steps after it write under the
run's name; ``finish`` publishes all in one transaction and removes the work folder. Whatever is
killed in between, the next caller of ``read_data`` takes the run up where it stands.
"""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jobchurn import files, report
from jobchurn.errors import DataUnusable, LeaseLost, NotFound
from jobchurn.flow import alert, attempts, judging, lease, staged, work
from jobchurn.flow.services import Services
from jobchurn.policy import Criticality, criticality_of
from jobchurn.store.arrivals import Claim
from jobchurn.store.runs import Run
from jobchurn.verdict import Reason, Verdict

log = logging.getLogger(__name__)

_REASONS = ".reasons.jsonl"


@dataclass(frozen=True)
class Routes:
    """Where a run's files belong; ``None`` where there is nothing to write."""

    good: Path | None
    bad: Path | None
    reasons: Path | None
    report: Path


def read_data(
    services: Services, *, trigger: str, file: Path | None = None, holder: str | None = None
) -> Claim | None:
    """Claim one arrival: one left by a dead worker, else ``file``, else any raw file at random.

    Returns:
        The claim, its file safe in the run's work folder; ``None`` where nothing can be claimed.

    Raises:
        NotFound: ``file`` does not exist.
        DataUnusable: ``file`` is no regular file, or of a name that is never opened.
    """
    holder = holder or lease.this_process()
    if claim := left_behind(services, holder):
        return claim
    candidates = [_delivered(services, file)] if file else _settled(services)
    random.shuffle(candidates)
    for path in candidates:
        try:
            if claim := _taken(services, path, trigger, holder):
                return claim
        except PermissionError:
            if file:
                raise
            _tell_of_waiting(path.name)
    alert.retry_alerts(services)  # in a quiet moment, so that one comes to those not reached
    return None


def left_behind(services: Services, holder: str | None = None) -> Claim | None:
    """Claim a run that a worker left unfinished; ``None`` where there is none.

    What killed workers left of runs that are over is removed first.
    """
    holder = holder or lease.this_process()
    work.sweep(services)

    def is_left(other: str) -> bool:
        # What this holder has of an earlier try is its own to go on with.
        return other == holder or lease.is_dead(other)

    waiting: list[str] = []
    while claim := services.store.arrivals.take_up(
        holder, services.settings.lease_seconds, is_left, besides=waiting
    ):
        try:
            if work.secure(services, claim):
                return claim
        except PermissionError:
            waiting.append(claim.run_id)
            _tell_of_waiting(claim.name)
    return None


def _tell_of_waiting(name: str) -> None:
    """A file waits until somebody gives us the right; the others need not wait for that."""
    log.warning(
        "%s waits: this user has no right to read it or to move it (see chmod).",
        files.printable(name),
    )


def resume(services: Services, run_id: str, holder: str) -> Claim:
    """The claim of a run that an earlier step began, for the step after it.

    Raises:
        NotFound: no such run is open.
        LeaseLost: another living worker holds it.
    """
    return services.store.arrivals.find(
        run_id, holder, services.settings.lease_seconds, lease.is_dead
    )


@attempts.blameless
def validate_data(services: Services, claim: Claim) -> Verdict:
    """Judge the file; leave verdict and report in the work folder."""
    folder = work.folder_of(services, claim)
    with lease.kept(services.store, claim, services.settings.lease_seconds):
        if attempts.are_used_up(services, claim):
            verdict = _refused(folder, attempts.refusal_of(claim))
        else:
            verdict = _judged(services, claim)
        page = report.render(
            verdict,
            services.contract,
            file=claim.name,
            sha256=claim.sha256,
            criticality=_criticality(services, verdict),
            started_at=claim.started_at,
            duplicate_of=claim.duplicate_of,
        )
        staged.leave(folder, verdict, page)
    return verdict


def _refused(folder: Path, reason: Reason) -> Verdict:
    with staged.findings(folder) as found:
        found.refuse(reason)
    return Verdict(rows_total=0, refusal=reason)


def _judged(services: Services, claim: Claim) -> Verdict:
    """What the contract makes of the claimed file; reasons and bad rows are left in the folder.

    Raises:
        LeaseLost: it is no longer what was claimed.
    """
    folder = work.folder_of(services, claim)
    with files.reading(work.raw_of(services, claim), services.contract) as reading:
        verdict = judging.judged(
            reading, services.contract, folder, known_levels=services.registry.known_levels()
        )
        if reading.sha256 != claim.sha256:
            raise _written_to(services, claim)
    return verdict


@attempts.blameless
def save_statistics(services: Services, claim: Claim) -> None:
    """Keep the verdict's figures in the database, not yet published."""
    verdict = staged_verdict(services, claim)
    services.store.runs.save_statistics(claim, verdict, _criticality(services, verdict))


@attempts.blameless
def send_alerts(services: Services, claim: Claim) -> None:
    """Tell people, where the file has problems that are worth it; a repeat was told already."""
    alert.retry_alerts(services)
    if claim.duplicate_of is None:
        verdict = staged_verdict(services, claim)
        alert.send_alerts(services, claim, verdict, _criticality(services, verdict))


@attempts.blameless
def split_and_save(services: Services, claim: Claim) -> None:
    """Write good rows, bad rows, their reasons and the report; a repeat routes nothing."""
    verdict = staged_verdict(services, claim)
    routes = routes_of(services, claim, verdict)
    folder = work.folder_of(services, claim)
    with lease.kept(services.store, claim, services.settings.lease_seconds):
        if verdict.refusal is not None and routes.bad:
            if not files.refuse(work.raw_of(services, claim), claim.sha256, routes.bad, folder):
                raise _written_to(services, claim)
            if attempts.are_used_up(services, claim):  # one of the earlier ones may have routed
                files.remove(services.folders.good_data / routes.bad.name)
        elif routes.good or routes.bad:
            split = staged.split_in(folder, claim.sha256)
            raw = work.raw_of(services, claim)
            if not files.route(raw, split, routes.good, routes.bad, folder):
                raise _written_to(services, claim)
        if routes.reasons:
            files.copy(staged.reasons_in(folder), routes.reasons, folder)
        files.copy(staged.report_in(folder), routes.report, folder)
        services.store.arrivals.check(claim)


@attempts.blameless
def finish(services: Services, claim: Claim) -> Run:
    """Publish the run in one transaction; then nothing of it is left to do.

    Whoever was killed in between may repeat it: what is published stays as it was.

    Raises:
        DataUnusable: an earlier step has not written what it should have.
    """
    run = _published(services, claim) or _publish(services, claim)
    work.tidy(services, claim.run_id, claim.name, claim.sha256)
    return run


def _published(services: Services, claim: Claim) -> Run | None:
    try:
        run = services.store.runs.get(claim.run_id)
    except NotFound:
        return None
    return run if run.finished_at else None


def _publish(services: Services, claim: Claim) -> Run:
    services.store.arrivals.check(claim)  # what another worker is about to write is not missing
    verdict = staged_verdict(services, claim)
    routes = routes_of(services, claim, verdict)
    written = [routes.good, routes.bad, routes.reasons, routes.report]
    if missing := [path.name for path in written if path and not path.is_file()]:
        raise DataUnusable(
            f"Run {claim.run_id} cannot be published: {', '.join(missing)} was not written.",
            "Repeat the step split_and_save of this run.",
        )
    return services.store.runs.finish(
        claim,
        good=str(routes.good) if routes.good else None,
        bad=str(routes.bad) if routes.bad else None,
        reasons=str(routes.reasons) if routes.reasons else None,
        report=str(routes.report),
    )


def ingest(services: Services, claim: Claim) -> Run:
    """Take a claimed arrival through all steps; those that are done already cost little."""
    is_judged = staged.is_judged(work.folder_of(services, claim))
    if not is_judged or attempts.are_used_up(services, claim):
        validate_data(services, claim)
    save_statistics(services, claim)
    send_alerts(services, claim)
    split_and_save(services, claim)
    return finish(services, claim)


def ingest_one(services: Services, *, trigger: str, file: Path | None = None) -> Run | None:
    """One run as the DAG does it: ``file``, or one raw file at random; ``None`` if there is none.

    A file that has just been written is waited for until it has settled. Runs that dead workers
    left are finished first.
    """
    _await_settling(services, file)
    wanted = files.sha256_of(file) if file and file.is_file() else None
    while claim := read_data(services, trigger=trigger, file=file):
        run = ingest(services, claim)
        if file is None or claim.sha256 == wanted:
            return run
    return None


def ingest_all(services: Services, *, trigger: str) -> Iterator[Run]:
    """Run after run until no raw file is left that this worker may claim."""
    while True:
        _await_settling(services)
        claim = read_data(services, trigger=trigger)
        if claim is None:
            return
        try:
            yield ingest(services, claim)
        except LeaseLost:
            continue  # another worker has it: nothing is lost, and nothing is left to do here


def staged_verdict(services: Services, claim: Claim) -> Verdict:
    """The verdict that ``validate_data`` left.

    Raises:
        DataUnusable: it left none.
        LeaseLost: another worker has taken the run over, and may have tidied up.
    """
    try:
        return staged.verdict_in(work.folder_of(services, claim))
    except FileNotFoundError:
        services.store.arrivals.check(claim)
        raise DataUnusable(
            f"Run {claim.run_id} has not been validated.", "Repeat its step validate_data."
        ) from None


def routes_of(services: Services, claim: Claim, verdict: Verdict) -> Routes:
    """Where the run's files belong: the same answer whenever it is asked."""
    folders = services.folders
    page = folders.reports / f"{claim.run_id}.html"
    if claim.duplicate_of is not None:
        return Routes(None, None, None, page)

    def is_taken(name: str) -> bool:
        beside = folders.bad_data / name, folders.bad_data / f"{name}{_REASONS}"
        return any(map(os.path.lexists, (folders.good_data / name, *beside)))

    name = services.store.runs.reserve_name(claim, files.shortened(claim.name), is_taken)
    bad = bool(verdict.rows_invalid) or verdict.refusal is not None
    return Routes(
        good=folders.good_data / name if verdict.rows_valid else None,
        bad=folders.bad_data / name if bad else None,
        reasons=folders.bad_data / f"{name}{_REASONS}" if bad else None,
        report=page,
    )


def _criticality(services: Services, verdict: Verdict) -> Criticality:
    settings = services.settings
    return criticality_of(verdict, medium=settings.bad_ratio_medium, high=settings.bad_ratio_high)


def _settled(services: Services) -> list[Path]:
    wait = services.settings.settle_seconds
    return [p for p in files.arriving(services.folders.raw_data) if files.settled(p, wait)]


def _await_settling(services: Services, file: Path | None = None) -> None:
    """Give files that have just been written the time to settle; one that grows on is left."""
    wait = services.settings.settle_seconds
    deadline = time.monotonic() + 3 * wait
    while time.monotonic() < deadline:
        named = [file] if file else files.arriving(services.folders.raw_data)
        if all(files.settled(path, wait) for path in named if path.exists()):
            return
        time.sleep(wait / 5)


def _delivered(services: Services, file: Path) -> Path:
    """A file that a person names, as an arriving one: copied in unless it lies there already."""
    folder = services.folders.raw_data
    if not file.exists():
        raise NotFound(f"There is no file {file}.", "Give the path of a CSV file.")
    if not file.is_file():
        raise DataUnusable(f"{file} is no regular file.", "Give the path of a CSV file.")
    if not files.settled(file, services.settings.settle_seconds):
        raise DataUnusable(f"{file} is still being written.", "Ingest it once it is complete.")
    place = folder / file.name
    if file.absolute().parent.resolve() == folder.resolve():
        if place.is_symlink():  # whoever can make names here would have anything read
            raise DataUnusable(f"{file} is a symbolic link.", "Give the path that it leads to.")
        return place
    if not place.exists():
        return files.copy_beside(file, place)
    if files.sha256_of(place) != files.sha256_of(file):
        raise DataUnusable(
            f"Another file of the name {file.name} waits in {folder}.",
            "Ingest that one first, or give the file another name.",
        )
    return place


def _taken(services: Services, path: Path, trigger: str, holder: str) -> Claim | None:
    """The claim of an arriving file that is now in the run's work folder, if this worker got it."""
    try:
        status = path.lstat()
        claim = _claim(services, path, status, trigger, holder)
    except FileNotFoundError:  # another worker was faster
        return None
    return claim if claim is not None and work.secure(services, claim, status) else None


def _claim(
    services: Services, path: Path, status: os.stat_result, trigger: str, holder: str
) -> Claim | None:
    try:
        digest = files.sha256_of(path, links=False)
    except DataUnusable:  # it is no file by now
        return None
    return services.store.arrivals.claim(
        name=path.name,
        sha256=digest,
        size=status.st_size,
        inode=status.st_ino,
        trigger=trigger,
        holder=holder,
        lease_seconds=services.settings.lease_seconds,
        # When it was put there; when its content was written may be long ago.
        arrived_at=datetime.fromtimestamp(status.st_ctime, UTC),
    )


def _written_to(services: Services, claim: Claim) -> LeaseLost:
    """What to raise where a file is no longer what was claimed, once it is a new arrival.

    Whoever had it open when it was claimed may be writing to it still.
    """
    work.withdraw(services, claim)
    return LeaseLost(
        f"{files.printable(claim.name)} was written to while it was worked on; it waits as a new "
        "arrival.",
        "Nothing is lost. Deliver files whole: under another name first, then renamed; or set "
        "SETTLE_SECONDS to more than the longest pause while they are written.",
    )
