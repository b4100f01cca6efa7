"""Speaking of a stack from any terminal: status, stop, logs, environment, reset."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from jobchurn.errors import InvalidSettings, NotFound, StackFailed
from jobchurn.settings import Settings
from jobchurn.stack import logs as log_files
from jobchurn.stack import tidier
from jobchurn.stack.history import History
from jobchurn.stack.logs import last_lines
from jobchurn.stack.processes import lives
from jobchurn.stack.record import Record, ServiceState, StackFolder, State
from jobchurn.stack.services import services_of

OURS = re.compile(r"airflow|data|logs|models|postgres(\.[a-z]+)?|run|secrets")
"""What a home may hold, and what ``reset`` removes."""

STOP_SECONDS = 240.0
"""How long ``down`` waits: more than all services together may take to stop."""


def status(settings: Settings) -> list[ServiceState]:
    """How every service of this home fares; those that were not started are stopped."""
    record = _running(settings)
    known = {state.name: state for state in told(record, settings)} if record else {}
    rows = []
    for service in services_of(settings):
        idle = State.EXTERNAL if service.external else State.STOPPED
        absent = ServiceState(service.name, idle, None, service.address)
        rows.append(known.get(service.name, absent))
    return rows


def told(record: Record, settings: Settings) -> list[ServiceState]:
    """How the services of a running stack fare, with what its keeper has seen of them so far."""
    folder = StackFolder(settings.home)
    try:
        courses = History.from_json(folder.courses.read_text(encoding="utf-8")).courses
    except FileNotFoundError:  # it is still coming up
        courses = {}
    found = []
    for seen in record.states():
        state, course = seen, courses.get(seen.name)
        if course is not None:
            state = replace(
                state,
                since=datetime.fromtimestamp(course.since, UTC).isoformat(timespec="seconds"),
                restarts=course.restarts,
                failing=course.failing_since is not None,
            )
        if state.failing or state.state is State.FAILED:
            programs = record.programs.get(state.name, ())
            lines = [line for name in programs for line in last_lines(folder.log(name), 20)]
            words = [line.strip() for line in lines if line.strip()]
            state = replace(state, last_words=words[-1] if words else None)
        found.append(state)
    return found


def down(settings: Settings) -> bool:
    """Stop the stack of this home; return whether one was running.

    Raises:
        StackFailed: it did not stop in time, or belongs to another user.
    """
    folder = StackFolder(settings.home)
    keeper = folder.keeper()
    record = folder.read_record()
    if keeper is not None:
        _ask_to_stop(keeper, folder)
    elif record is None or not record.shut_down():  # True where its keeper was killed
        return False
    deadline = time.monotonic() + STOP_SECONDS
    # The keeper lets go of its lock a moment before it ends, and whoever asked wants it gone.
    while (
        folder.keeper() is not None
        or (record is not None and record.answers())
        or (keeper is not None and lives(keeper))
    ):
        if time.monotonic() > deadline:
            raise StackFailed(
                f"The stack in {settings.home} did not stop within {STOP_SECONDS:.0f} s.",
                f"Look at {folder.logs / 'supervisord.log'}.",
            )
        time.sleep(0.1)
    return True


def logs(
    settings: Settings, service: str | None = None, *, lines: int = 50, follow: bool = False
) -> Iterator[str]:
    """The last lines of a service's logs (by default of all), and those that are added to them.

    Raises:
        NotFound: there is no service, or no log, of that name.
    """
    folder = StackFolder(settings.home)
    names = [*(known.name for known in services_of(settings)), tidier.NAME]
    if service is not None and service not in names:
        raise NotFound(f"There is no service {service}.", f"Choose among {', '.join(names)}.")
    found = {
        path.stem: path
        for path in sorted(folder.logs.glob("*.log"))
        if service is None or path.stem == service or path.stem.startswith(f"{service}-")
    }
    if not found:
        raise NotFound(f"There are no logs in {folder.logs} yet.", "Start it by `jobchurn up`.")
    yield from log_files.told(found, lines)
    if follow:
        yield from log_files.followed(found)


def environment(settings: Settings) -> dict[str, str]:
    """The variables by which other programs find what runs here.

    A running stack's own where there is one, so that they hold whatever its ports are.
    """
    record = _running(settings)
    if record is not None:
        return dict(record.environment)
    found = {"JOBCHURN_HOME": str(settings.home), "API_URL": settings.api_address}
    if settings.database_url is not None:
        found["DATABASE_URL"] = settings.database_url.get_secret_value()
    return found


def removable(settings: Settings) -> list[Path]:
    """What ``reset`` would remove: all run-time state of this home.

    Raises:
        StackFailed: a stack runs here.
        InvalidSettings: the folder holds what is not ours, so that it may be no home at all.
    """
    home = settings.home
    folder = StackFolder(home)
    if folder.keeper() is not None or _running(settings) is not None:
        raise StackFailed(f"A stack is running in {home}.", "Stop it first, by `jobchurn down`.")
    if not home.exists():
        return []
    if home.is_symlink() or not home.is_dir():
        raise InvalidSettings(f"{home} is not a folder.", "Set JOBCHURN_HOME to the home.")
    entries = sorted(home.iterdir())
    strange = [entry.name for entry in entries if not OURS.fullmatch(entry.name)]
    if strange:
        raise InvalidSettings(
            f"{home} does not look like a home of jobchurn: it holds {', '.join(strange[:5])}.",
            "Set JOBCHURN_HOME to the home, or move what is not ours out of it.",
        )
    return entries


def reset(settings: Settings) -> list[Path]:
    """Remove all run-time state of this home: database, data, models, logs, secrets.

    Ask before: it cannot be undone. Raises what :func:`removable` raises.
    """
    removed = removable(settings)
    for entry in removed:
        if entry.is_symlink() or not entry.is_dir():
            entry.unlink()
        else:
            shutil.rmtree(entry)
    if removed:
        settings.home.rmdir()
    return removed


def _running(settings: Settings) -> Record | None:
    record = StackFolder(settings.home).read_record()
    return record if record is not None and record.answers() else None


def _ask_to_stop(keeper: int, folder: StackFolder) -> None:
    try:
        os.kill(keeper, signal.SIGTERM)
    except ProcessLookupError:
        pass  # it has ended in between
    except PermissionError:
        raise StackFailed(
            f"The stack in {folder.home} belongs to another user.", "Stop it as that user."
        ) from None
