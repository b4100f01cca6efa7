"""Where files lie, which of them have arrived, and whether they can be taken."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from jobchurn.errors import DataUnusable

_UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".swp", "~")
_COMPRESSED = (
    ".7z",
    ".br",
    ".bz2",
    ".gz",
    ".lz4",
    ".lzma",
    ".rar",
    ".tar",
    ".tbz2",
    ".tgz",
    ".txz",
    ".xz",
    ".z",
    ".zip",
    ".zst",
)

_CLOSED = 0o750
"""The mode of a new folder that holds people's records; whoever opens it to others, has to."""


@dataclass(frozen=True)
class Folders:
    """The folders of a home.

    Attributes:
        root: the home itself.
    """

    root: Path

    @property
    def data(self) -> Path:
        """All data; one file system, so that files are renamed from folder to folder."""
        return self.root / "data"

    @property
    def raw_data(self) -> Path:
        """Arriving files, and nothing else."""
        return self.data / "raw_data"

    @property
    def good_data(self) -> Path:
        """Good rows, under the raw file's name."""
        return self.data / "good_data"

    @property
    def bad_data(self) -> Path:
        """Bad rows under the raw file's name, and their reasons beside them."""
        return self.data / "bad_data"

    @property
    def reports(self) -> Path:
        """One HTML report for each run."""
        return self.data / "reports"

    @property
    def work(self) -> Path:
        """One folder for each run that is under way."""
        return self.data / "work"

    @property
    def models(self) -> Path:
        """The model versions' files."""
        return self.root / "models"

    def make(self) -> None:
        """Make those folders that do not exist: what holds people's records, closed to others."""
        for folder in (self.data, self.models):
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=_CLOSED, exist_ok=True)
        for folder in (
            self.raw_data,
            self.good_data,
            self.bad_data,
            self.reports,
            self.work,
        ):
            folder.mkdir(exist_ok=True)


def arriving(folder: Path) -> list[Path]:
    """The files in a folder that may be taken, by name.

    Regular files only: no links, pipes or folders; none that is hidden, or by its name unfinished
    or compressed.
    """
    with os.scandir(folder) as entries:
        return sorted(
            folder / entry.name
            for entry in entries
            if not entry.name.startswith(".")
            and not entry.name.lower().endswith((*_UNFINISHED, *_COMPRESSED))
            and entry.is_file(follow_symlinks=False)
        )


def settled(path: Path, seconds: float, now: float | None = None) -> bool:
    """Whether nothing has changed in a file for so long; never, where it is gone.

    The last change of content (mtime) can be set by anyone, that of the entry (ctime) cannot; both
    count. A time in the future says that the clock was set back since: it is as old as it is far.

    Args:
        path: the file.
        seconds: for how long.
        now: seconds since the epoch; by default the clock's.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    now = time.time() if now is None else now
    return min(abs(now - found.st_mtime), abs(now - found.st_ctime)) >= seconds


def open_regular(path: Path, *, links: bool = True) -> BufferedReader:
    """Open a regular file to read its bytes; a pipe or a device would keep its reader waiting.

    Args:
        path: the file.
        links: whether the name may be a symbolic link. Where others than its reader can make names,
            they would have anything read that the reader may read.

    Raises:
        OSError: it cannot be opened.
        DataUnusable: it is no regular file.
    """
    try:
        followed = 0 if links else os.O_NOFOLLOW
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | followed)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise DataUnusable(f"{path} is a symbolic link.", "Give the path of a CSV file.") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise DataUnusable(f"{path} is no regular file.", "Give the path of a CSV file.")
    return os.fdopen(descriptor, "rb")


def sha256_of(path: Path, *, links: bool = True) -> str:
    """The hash of a file's content, in hexadecimal; ``links`` as for :func:`open_regular`.

    Raises:
        OSError: the file cannot be read.
        DataUnusable: it is no regular file.
    """
    with open_regular(path, links=links) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
