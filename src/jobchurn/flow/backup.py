"""Back up and restore: the database and the files of a home, as they belonged together.

Neither could be copied first as a whole. The database first: a file that is taken in between is in
no ledger, and its raw file is gone. The files first: the ledger tells of good rows that the copy
has not. So there is one *moment*, at which nobody may claim or publish a file, and it is short:

1. files that are on their way (waiting, or in the work folder of a run) are opened, so that they
   can be read whatever becomes of their names;
2. the database's moment is taken, and everybody goes on;
3. the database is dumped as it was at the moment; what published runs have routed is copied, which
   never changes (what removes people's data waits); and what was opened is read.

What was stored after the moment is not in the backup. A file that was on its way is, and the first
worker after the restoration takes it up.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Self

from jobchurn import files
from jobchurn.errors import DataUnusable, PlaceRefused
from jobchurn.flow.services import Services

DATABASE, MANIFEST = "database.dump", "manifest.json"
FORMAT = 1

_ON_THEIR_WAY = ("raw_data", "work")
_ROUTED = ("good_data", "bad_data", "reports")
_KEPT = ("data", "models", "secrets")
_PASSES = 100

Dump = Callable[[str, Path], None]
"""Writes the database as the snapshot of this name shows it into a file."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a backup holds.

    Attributes:
        format: of the backup.
        at: the moment, ISO 8601 in UTC.
        home: where it was taken from.
        files: path below the home → the hash of its content, hexadecimal.
        left_out: waiting files that were still being written.
        missing: files that the ledger knows and that were not there.
        database: the hash of the dump.
    """

    format: int = FORMAT
    at: str
    home: str
    files: dict[str, str]
    left_out: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    database: str

    def to_json(self) -> bytes:
        """The manifest as JSON text."""
        return json.dumps(asdict(self), indent=1).encode()

    @classmethod
    def of(cls, folder: Path) -> Self:
        """The manifest of a backup.

        Raises:
            DataUnusable: there is none, or it is of another format.
        """
        try:
            found = json.loads((folder / MANIFEST).read_bytes())
            manifest = cls(**found)
        except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
            manifest = None
        if manifest is None or manifest.format != FORMAT:
            raise DataUnusable(
                f"{folder} holds no backup that can be read.",
                "Name the folder that `jobchurn backup` has written, whole.",
            ) from None
        if strange := [name for name in manifest.files if not _belongs(name)]:
            raise DataUnusable(
                f"The backup names {strange[0]!a}, which is no file of a home.",
                "Do not restore it: it was not written by `jobchurn backup`.",
            )
        return manifest


def backup(services: Services, target: Path, dump: Dump) -> Manifest:
    """Write a backup while everybody works on.

    Args:
        services: the database and the folders.
        target: a folder that is made; it may hold people's data and secrets, and is closed to
            others.
        dump: writes the database.

    Raises:
        DataUnusable: the folder is there already.
    """
    target = target.absolute()
    draft = target.parent / f"{target.name}.unfinished"
    for there in (target, draft):
        if there.exists():
            raise DataUnusable(f"{there} is there already.", "Name another folder, or remove it.")
    draft.mkdir(parents=True, mode=0o700)
    home = services.folders.root
    with ExitStack() as stack:
        stack.enter_context(files.held(services.folders.data))
        on_their_way = _OnTheirWay(home, stack)
        moment = stack.enter_context(services.store.backups.moment(on_their_way.gather))
        at = datetime.now(UTC).isoformat(timespec="seconds")
        dump(moment.snapshot, draft / DATABASE)
        copied, missing = {}, []
        for path in sorted({*moment.files, *map(str, _beside(services, moment.models))}):
            name = os.path.relpath(path, home)
            if not _belongs(name):  # the ledger can be written to by more than its owner
                missing.append(path)
                continue
            try:
                with files.open_regular(Path(path)) as source:
                    copied[name] = files.write_copy(source, draft / "home" / name)
            except FileNotFoundError:
                missing.append(path)
        more, left_out = on_their_way.copied(draft / "home", services.settings.settle_seconds)
    manifest = Manifest(
        at=at,
        home=str(home),
        files=copied | more,
        left_out=left_out,
        missing=missing,
        database=files.sha256_of(draft / DATABASE),
    )
    files.write_atomically(draft / MANIFEST, manifest.to_json())
    files.sync_folders(draft)
    draft.rename(target)
    files.sync_folders(target)
    return manifest


def unpack(folder: Path, home: Path) -> Manifest:
    """Bring a backup's files back into an empty home; the database is for the caller to restore.

    Raises:
        DataUnusable: it is no whole backup, or the home is not empty.
    """
    manifest = Manifest.of(folder)
    damaged = [
        name
        for name, digest in [*manifest.files.items(), (None, manifest.database)]
        if not _is_whole(folder / (f"home/{name}" if name else DATABASE), digest, folder)
    ]
    if damaged:
        raise DataUnusable(
            f"The backup is damaged: {damaged[0] or DATABASE} is not what it was"
            f"{f', and {len(damaged) - 1} more' if damaged[1:] else ''}.",
            "Restore an older one, or another copy of it.",
        )
    if occupied := [path for path in (home / "data", home / "models") if _has_files(path)]:
        raise DataUnusable(
            f"{occupied[0]} holds files already.",
            "Set JOBCHURN_HOME to an empty folder, or remove what is there (`jobchurn reset`).",
        )
    files.Folders(home).make()
    for name in manifest.files:
        with (folder / "home" / name).open("rb") as source:
            files.write_copy(source, home / name)
    if (secrets := home / "secrets").is_dir():
        secrets.chmod(0o700)  # its files have their own modes already
    files.sync_folders(home)
    return manifest


class _OnTheirWay:
    """Files that wait, or that a run works on: opened at one moment, read after it."""

    def __init__(self, home: Path, stack: ExitStack) -> None:
        self._home = home
        self._stack = stack
        self._opened: dict[int, tuple[str, IO[bytes]]] = {}

    def gather(self) -> None:
        """Open all of them. While nobody claims or publishes, each goes one step at most.

        Raises:
            PlaceRefused: they are more than a process may open.
        """
        _open_as_many_as_may_be()
        try:
            self._gather()
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            raise PlaceRefused(
                f"More files are on their way than can be open at once: {len(self._opened):,} are.",
                "Let some of them be ingested first, or allow more open files (ulimit -n).",
            ) from error

    def _gather(self) -> None:
        # A worker that had claimed before may be moving its file from the one folder to the other,
        # or back; where something went away under our hands, we look again.
        for _ in range(_PASSES):
            found = [self._opened_in(name) for name in (*_ON_THEIR_WAY, _ON_THEIR_WAY[0])]
            if all(found):
                return

    def copied(self, target: Path, settle_seconds: float) -> tuple[dict[str, str], list[str]]:
        """Copy what was opened; also the names of those that are still being written."""
        copied, left_out = {}, []
        deadline = time.time() + 3 * settle_seconds
        for name, source in self._opened.values():
            before = _seen(source)
            while time.time() - max(before[1:]) < settle_seconds and time.time() < deadline:
                time.sleep(settle_seconds / 5)
                before = _seen(source)
            digest = files.write_copy(source, target / name)
            if _seen(source) == before:
                copied[name] = digest
            else:
                left_out.append(name)
                (target / name).unlink()
        return copied, left_out

    def _opened_in(self, name: str) -> bool:
        """Open what lies there; whether nothing went away meanwhile."""
        gone: list[Path] = []
        for path in _below(self._home / "data" / name, gone):
            try:
                if not stat.S_ISREG(path.lstat().st_mode):
                    continue
                source = files.open_regular(path)
            except FileNotFoundError:
                gone.append(path)
                continue
            self._stack.enter_context(source)
            # By whichever name it was found last: a run's own comes after that of arrival.
            known = self._opened.get(_number(source))
            if known is None or name == "work":
                self._opened[_number(source)] = str(path.relative_to(self._home)), source
        return not gone


def _open_as_many_as_may_be() -> None:
    """Raise the limit of open files, which is low where nobody did, to what this user may have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _beside(services: Services, versions: Sequence[str]) -> Iterator[Path]:
    """What belongs to a home beside what is routed and what is on its way."""
    folders = services.folders
    for version in versions:
        yield from _files_below(folders.models / version)
    yield from _files_below(folders.root / "secrets")
    for path in folders.data.iterdir():
        if path.name not in (*_ON_THEIR_WAY, *_ROUTED):
            yield from _files_below(path)


def _files_below(path: Path) -> Iterator[Path]:
    found = [path] if path.is_file() else _below(path)
    yield from (one for one in found if one.is_file() and not one.is_symlink())


def _below(folder: Path, gone: list[Path] | None = None) -> Iterator[Path]:
    """What is no folder below a folder, in order.

    Args:
        folder: where.
        gone: is told of folders that went away meanwhile, as those of runs do that are over.

    Raises:
        OSError: a folder cannot be listed.
    """

    def notice(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error
        if gone is not None:
            gone.append(Path(error.filename))

    for parent, folders, names in os.walk(folder, onerror=notice):
        folders.sort()
        yield from (Path(parent) / name for name in sorted(names))


def _has_files(path: Path) -> bool:
    return any(True for _ in _files_below(path))


def _belongs(name: str) -> bool:
    """Whether a path below a home names a file of it, and nothing outside."""
    parts = name.split("/")
    return parts[0] in _KEPT and len(parts) > 1 and not {"", ".", ".."}.intersection(parts)


def _is_whole(path: Path, digest: str, folder: Path) -> bool:
    """Whether a file of a backup is what it was; one that a link leads to is none."""
    with suppress(OSError):
        return path.resolve() == folder.resolve() / path.relative_to(folder) and (
            files.sha256_of(path) == digest
        )
    return False


def _number(source: IO[bytes]) -> int:
    return os.fstat(source.fileno()).st_ino


def _seen(source: IO[bytes]) -> tuple[int, float]:
    found = os.fstat(source.fileno())
    return found.st_size, found.st_mtime
