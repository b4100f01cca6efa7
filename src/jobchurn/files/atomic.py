"""Files written, moved and removed so that nobody ever sees half of one, whatever fails when."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from errno import EXDEV
from pathlib import Path
from typing import IO

from jobchurn.files.folders import open_regular
from jobchurn.files.names import free_name, shortened

_PIECE = 1024 * 1024

_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.tmp")
"""Our own temporary files; other people's may end in the same way."""


@contextmanager
def written_atomically(path: Path, staging: Path | None = None) -> Iterator[IO[bytes]]:
    """A file to be written whole or not at all: temporary, fsync, rename, fsync of the folder.

    It replaces what lies there. Once the block has ended, the file survives a crash of the machine.
    The temporary file lies in ``staging``, a folder of the same file system that is removed with
    whatever a killed writer left in it; by default beside the file.

    Raises:
        OSError: the file cannot be written. Then, as where the block fails, nothing is left behind,
            and what lay there lies there still.
    """
    temporary = (staging or path.parent) / f".{secrets.token_hex(8)}.tmp"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        with os.fdopen(descriptor, "wb", _PIECE) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):  # the failure itself is what the caller should hear of
            temporary.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def write_atomically(
    path: Path, content: bytes | Iterable[bytes], staging: Path | None = None
) -> None:
    """Write content to a file as :func:`written_atomically` does.

    Raises:
        OSError: as there.
    """
    with written_atomically(path, staging) as file:
        for piece in (content,) if isinstance(content, bytes) else content:
            file.write(piece)


def copy(source: Path, destination: Path, staging: Path | None = None) -> None:
    """Copy a regular file's bytes, atomically; ``staging`` as for :func:`write_atomically`.

    Raises:
        OSError: one of them cannot be read or written.
        DataUnusable: the source is no regular file.
    """
    write_atomically(destination, pieces(source), staging)


def copy_beside(source: Path, destination: Path) -> Path:
    """Copy a regular file's bytes, atomically, beside whatever lies there or comes meanwhile.

    Returns:
        Where the copy lies: ``destination``, or there under a name that was free.

    Raises:
        OSError: one of them cannot be read or written.
        DataUnusable: the source is no regular file.
    """
    draft = destination.with_name(f".{secrets.token_hex(8)}.tmp")
    copy(source, draft)
    return put_back(draft, destination)


def move(source: Path, destination: Path) -> None:
    """Move a file, onto another file system too; it replaces what lies there.

    Raises:
        FileNotFoundError: there is no such file (any more).
    """
    try:
        source.replace(destination)
    except OSError as error:
        if error.errno != EXDEV:
            raise
        copy(source, destination)
        try:
            source.unlink()
        except OSError:
            destination.unlink()  # it is not to lie in both places
            raise
    _sync(destination.parent)
    _sync(source.parent)


def remove(path: Path) -> None:
    """Remove a file where there is one, so that it does not come back with a crash."""
    path.unlink(missing_ok=True)
    _sync(path.parent)


def make_folder(path: Path) -> None:
    """Make a folder where there is none, so that it survives a crash, and what is put in with it.

    Raises:
        OSError: it cannot be made.
    """
    path.mkdir(exist_ok=True)
    _sync(path.parent)  # also where it was there: whoever made it may have been killed before this


def put_back(source: Path, destination: Path) -> Path:
    """Move a file back to where it came from, beside whatever has come there since.

    Returns:
        Where it lies: ``destination``, or there under a name that was free.

    Raises:
        FileNotFoundError: there is no such file (any more).
        OSError: none can be put there.
    """
    while True:
        name = free_name(
            destination.name, lambda name: os.path.lexists(destination.with_name(name))
        )
        place = destination.with_name(name)
        try:
            place.hardlink_to(source)  # unlike a rename, this replaces nothing
        except FileExistsError:
            continue
        except FileNotFoundError:
            raise
        except OSError:
            # Linux links nobody to another user's file, and not every file system knows links. A
            # name that nobody else thinks of has nothing to replace, either.
            place = destination.with_name(shortened(destination.name, f"-{secrets.token_hex(8)}"))
            move(source, place)
            return place
        source.unlink()
        _sync(place.parent)
        _sync(source.parent)
        return place


def sweep(folder: Path, seconds: float = 3600.0) -> int:
    """Remove temporary files that killed writers of ours left in a folder; return how many.

    Args:
        folder: where files are written.
        seconds: for how long a file must not have been written to, to be taken for abandoned.
    """
    removed = 0
    for path in filter(lambda path: _TEMPORARY.fullmatch(path.name), folder.glob(".*.tmp")):
        with suppress(FileNotFoundError):  # its writer lives, or another sweeper was faster
            if time.time() - path.lstat().st_mtime >= seconds:
                path.unlink()
                removed += 1
    return removed


def pieces(source: Path) -> Iterator[bytes]:
    """A regular file's bytes, piece by piece.

    Raises:
        OSError: it cannot be read.
        DataUnusable: it is no regular file.
    """
    with open_regular(source) as file:
        while piece := file.read(_PIECE):
            yield piece


def write_copy(source: IO[bytes], destination: Path) -> str:
    """Copy an open file into a folder that nobody reads yet, made where absent; its content's hash.

    Its bytes survive a crash; :func:`sync_folders` sees to its name.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    descriptor = os.open(destination, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    with os.fdopen(descriptor, "wb") as file:
        while piece := source.read(_PIECE):
            digest.update(piece)
            file.write(piece)
        file.flush()
        found = os.fstat(source.fileno())
        os.fchmod(file.fileno(), found.st_mode & 0o777)  # no right to become somebody else
        os.utime(file.fileno(), ns=(found.st_atime_ns, found.st_mtime_ns))
        os.fsync(file.fileno())
    return digest.hexdigest()


def sync_folders(root: Path) -> None:
    """Make the entries of a folder and of all folders below it survive a crash of the machine."""
    for folder, _, _ in os.walk(root):
        _sync(Path(folder))
    _sync(root.parent)


def _sync(folder: Path) -> None:
    """Make a folder's entries survive a crash of the machine."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
