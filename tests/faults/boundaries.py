"""The durable boundaries of a process: where it can die so that it makes a difference.

A boundary is a call that changes what the next process finds: an entry of a folder made, renamed,
linked or removed, an fsync, a COMMIT. :func:`watch` puts itself in front of all of them, in this
process alone, and lets the process die at one of them. Nothing of this is in ``src``.

Death comes in two kinds. By SIGKILL the kernel keeps what was written. When the *power fails*,
whatever was not synced is lost: contents are torn, and entries are undone whose folder was not
synced after them. That is POSIX at its strictest; the usual file systems keep more.
"""

from __future__ import annotations

import os
import shutil
import signal
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg


@dataclass(frozen=True)
class Death:
    """Where a process dies.

    Attributes:
        number: at which boundary, from 1.
        after: once it has happened; else just before.
        power: what was not synced is lost too.
        asleep: it does not die, but sleeps (SIGSTOP) until somebody wakes it.
    """

    number: int
    after: bool = False
    power: bool = False
    asleep: bool = False


@dataclass
class _Change:
    """A change of a folder's entries that is lost unless the folder is synced."""

    folder: Path
    undo: Callable[[], None]
    made: Path | None = None


@dataclass
class Disk:
    """What of the files under a folder would survive a failure of the power, and how to lose it."""

    root: Path
    stash: Path
    synced: set[int] = field(default_factory=set)
    changes: list[_Change] = field(default_factory=list)
    kept: int = 0

    def __post_init__(self) -> None:
        self.stash.mkdir(exist_ok=True)
        for path in _files_below(self.root):
            with suppress(FileNotFoundError):  # another worker has moved it meanwhile
                self.synced.add(path.stat().st_ino)
        self.link, self.rename, self.unlink = os.link, os.rename, os.unlink
        self.make, self.remove = os.mkdir, os.rmdir

    def keep(self, path: Path) -> Path | None:
        """Another name for what lies at a path, by which it can be brought back."""
        if not path.is_file() or path.is_symlink():
            return None
        self.kept += 1
        stashed = self.stash / str(self.kept)
        self.link(path, stashed)
        return stashed

    def opened(self, path: Path) -> None:
        self._changed(path, lambda: path.unlink(missing_ok=True), made=path)

    def renamed(self, source: Path, target: Path, replaced: Path | None) -> None:
        def undo() -> None:
            self.rename(target, source)
            if replaced is not None:
                self.rename(replaced, target)

        self._changed(target, undo, made=target)

    def linked(self, target: Path) -> None:
        self._changed(target, lambda: target.unlink(missing_ok=True), made=target)

    def unlinked(self, path: Path, stashed: Path | None) -> None:
        if stashed is not None:
            self._changed(path, lambda: self.rename(stashed, path))

    def made(self, path: Path) -> None:
        self._changed(path, lambda: shutil.rmtree(path), made=path)

    def removed(self, path: Path) -> None:
        self._changed(path, lambda: self.make(path))

    def sync(self, descriptor: int) -> None:
        """What an fsync makes safe."""
        found = os.fstat(descriptor)
        if stat.S_ISREG(found.st_mode):
            self.synced.add(found.st_ino)
            return
        folder = _of(descriptor)
        self.changes = [change for change in self.changes if change.folder != folder]

    def lose(self) -> None:
        """Lose all that was not synced: the last change first, then half of each content."""
        for change in reversed(self.changes):
            # What has gone since cannot be undone: its own going was synced.
            try:
                change.undo()
            except FileNotFoundError:
                continue
        for path in _files_below(self.root):
            if path.stat().st_ino not in self.synced:
                os.truncate(path, path.stat().st_size // 2)

    def _changed(self, path: Path, undo: Callable[[], None], made: Path | None = None) -> None:
        self.changes.append(_Change(path.parent, undo, made))


class Watch:
    """Counts boundaries, writes them down, and dies where it was told to.

    Attributes:
        trace: the boundaries that were met, in order, each in words.
    """

    def __init__(self, root: Path, stash: Path, death: Death | None) -> None:
        self.trace: list[str] = []
        self.disk = Disk(root, stash)
        self._death = death

    def meet(self, what: str) -> Callable[[], None]:
        """A boundary is about to be crossed; what is returned is called once it is."""
        self.trace.append(what)
        death = self._death
        if death is None or death.number != len(self.trace):
            return _live_on
        if death.after:
            return self.die
        self.die()
        return _live_on  # it was a sleep

    def die(self) -> None:
        """Die, at once, or fall asleep."""
        if self._death is not None and self._death.power:
            self.disk.lose()
        is_sleep = self._death is not None and self._death.asleep
        os.kill(os.getpid(), signal.SIGSTOP if is_sleep else signal.SIGKILL)

    def is_inside(self, path: Path) -> bool:
        """Whether a path is under the folder that is watched."""
        return path.is_relative_to(self.disk.root)

    def shown(self, path: Path) -> str:
        """A path in the trace: below the folder, with what is random taken out."""
        parts = path.relative_to(self.disk.root).parts
        return "/".join("*" if _is_random(part) else part for part in parts) or "."


def watch(root: Path, stash: Path, death: Death | None = None) -> Watch:
    """Stand in front of every boundary of this process, for the rest of its life.

    Args:
        root: the folder whose files count.
        stash: a folder on the same file system, outside of ``root``, for what may be brought back.
        death: where to die; nowhere by default.
    """
    seen = Watch(root, stash, death)
    _watch_renames(seen)
    _watch_entries(seen)
    _watch_opens_and_syncs(seen)
    _watch_commits(seen)
    return seen


def _watch_renames(seen: Watch) -> None:
    disk = seen.disk

    def moved(name: str) -> None:
        real = getattr(os, name)

        def hooked(source, target, **options):
            there, here = _absolute(target), _absolute(source)
            if not seen.is_inside(there):
                return real(source, target, **options)
            done = seen.meet(f"{name} {seen.shown(here)} to {seen.shown(there)}")
            replaced = disk.keep(there)
            real(source, target, **options)
            disk.renamed(here, there, replaced)
            done()
            return None

        setattr(os, name, hooked)

    moved("rename")
    moved("replace")
    link = os.link

    def linked(source, target, **options):
        there = _absolute(target)
        if not seen.is_inside(there):
            return link(source, target, **options)
        done = seen.meet(f"link {seen.shown(there)}")
        link(source, target, **options)
        disk.linked(there)
        done()
        return None

    os.link = linked


def _watch_entries(seen: Watch) -> None:
    disk = seen.disk

    def watched(name: str, note: Callable[[Path, Path | None], None]) -> None:
        real = getattr(os, name)

        def hooked(path, *arguments, dir_fd=None, **options):
            there = _absolute(path, dir_fd)
            if not seen.is_inside(there) or (name == "mkdir") is there.exists():
                return real(path, *arguments, dir_fd=dir_fd, **options)
            done = seen.meet(f"{name} {seen.shown(there)}")
            stashed = disk.keep(there)
            real(path, *arguments, dir_fd=dir_fd, **options)
            note(there, stashed)
            done()
            return None

        setattr(os, name, hooked)

    watched("unlink", disk.unlinked)
    watched("remove", disk.unlinked)
    watched("mkdir", lambda path, _: disk.made(path))
    watched("rmdir", lambda path, _: disk.removed(path))


def _watch_opens_and_syncs(seen: Watch) -> None:
    disk, real_open, real_sync = seen.disk, os.open, os.fsync

    def opened(path, flags, mode=0o777, *, dir_fd=None):
        there = _absolute(path, dir_fd) if flags & os.O_CREAT else None
        if there is None or not seen.is_inside(there) or there.exists():
            return real_open(path, flags, mode, dir_fd=dir_fd)
        done = seen.meet(f"create {seen.shown(there)}")
        descriptor = real_open(path, flags, mode, dir_fd=dir_fd)
        disk.opened(there)
        done()
        return descriptor

    def synced(descriptor):
        there = _of(descriptor)
        if not seen.is_inside(there):
            return real_sync(descriptor)
        done = seen.meet(f"fsync {seen.shown(there)}")
        real_sync(descriptor)
        disk.sync(descriptor)
        done()
        return None

    os.open, os.fsync = opened, synced


def _watch_commits(seen: Watch) -> None:
    real = psycopg.Connection.commit

    def commit(connection):
        wrote = connection.execute("SELECT pg_current_xact_id_if_assigned()").fetchone()[0]
        # The end of a transaction that only read changes nothing for anybody.
        done = seen.meet("commit") if wrote else _live_on
        real(connection)
        done()

    psycopg.Connection.commit = commit


def _live_on() -> None:
    """Nothing happens."""


def _absolute(path: object, dir_fd: int | None = None) -> Path:
    found = Path(os.fsdecode(path))
    return found.absolute() if dir_fd is None else _of(dir_fd) / found


def _of(descriptor: int) -> Path:
    """Where what a descriptor stands for lies."""
    return Path(f"/proc/self/fd/{descriptor}").readlink()


def _is_random(part: str) -> bool:
    """Whether a part of a path is a run's id, a temporary file's name, or a report's."""
    return part.endswith(".tmp") or (part[:8].isdecimal() and part[8:9] == "T")


def _files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
