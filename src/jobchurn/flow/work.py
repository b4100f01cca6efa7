"""Work folders: where the file of a run lies from its claim to its publication.

A claimed file is moved out of the folder of arriving files into that of its run, so that nobody
else finds it, and stays there until the run is published. Whatever lies in such a folder is either
removed because its rows lie elsewhere, or put back as an arriving file.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from jobchurn import files
from jobchurn.errors import DataUnusable, LeaseLost
from jobchurn.flow.attempts import blameless
from jobchurn.flow.services import Services
from jobchurn.store.arrivals import Claim

_RAW, _MOVING = "raw", "raw.moving"


def folder_of(services: Services, claim: Claim) -> Path:
    """The run's work folder."""
    return services.folders.work / claim.run_id


def raw_of(services: Services, claim: Claim) -> Path:
    """The claimed file, once it is secured."""
    return folder_of(services, claim) / _RAW


def claimed_files(services: Services) -> list[Path]:
    """Where the files of runs under way may be: no file that is claimed by now is anywhere else.

    In the order in which each goes from one to the other: whoever looks into them one by one misses
    none.
    """
    folders = sorted(filter(Path.is_dir, services.folders.work.iterdir()))
    return [folder / name for folder in folders for name in (_MOVING, _RAW)]


def places_of(services: Services, run_id: str, name: str) -> tuple[Path, ...]:
    """Where the file of a run that is under way may be, the likeliest first."""
    folder = services.folders.work / run_id
    return folder / _RAW, folder / _MOVING, services.folders.raw_data / name


@blameless
def secure(services: Services, claim: Claim, hashed: os.stat_result | None = None) -> bool:
    """Have a claimed file in the run's work folder; whether this worker has it, and as claimed.

    Args:
        services: over which it is claimed.
        claim: the claim.
        hashed: what was known of the file before this worker took its hash. Where it is the same
            still, the hash is not taken again; whoever reads the file and routes it takes it.
    """
    try:
        try:
            return _moved(services, claim, hashed)
        except FileNotFoundError:
            services.store.arrivals.check(claim)  # what is missing may have been tidied up
            raise
    except LeaseLost:
        return False  # another worker was faster


def _moved(services: Services, claim: Claim, hashed: os.stat_result | None) -> bool:
    """Move a claimed file into the run's work folder; whether its content is the claimed one.

    A file that was changed or taken away between its hash and the move is not what was claimed:
    the claim is withdrawn, and what lies there is put back as a new arrival.

    Raises:
        LeaseLost: another worker has taken the run over.
    """
    folder = folder_of(services, claim)
    staged = folder / _RAW
    if staged.exists():
        return True
    source = services.folders.raw_data / claim.name
    files.make_folder(folder)
    moving = folder / _MOVING
    if not moving.exists():
        try:
            files.move(source, moving)
        except FileNotFoundError:
            withdraw(services, claim)
            return False
    if not _is_still(moving, hashed) and _content_of(moving) != claim.sha256:
        withdraw(services, claim)
        return False
    files.move(moving, staged)
    return True


def _is_still(path: Path, known: os.stat_result | None) -> bool:
    """Whether a file is the one of which this is known, and was not written to since."""
    found = path.lstat()
    return known is not None and all(
        getattr(found, field) == getattr(known, field)
        for field in ("st_dev", "st_ino", "st_size", "st_mtime_ns")  # a move changes st_ctime_ns
    )


def withdraw(services: Services, claim: Claim) -> None:
    """Give the claim up, once what lies in its folder is an arriving file again."""
    services.store.arrivals.check(claim)
    tidy(services, claim.run_id, claim.name, None)
    services.store.arrivals.withdraw(claim)


def sweep(services: Services) -> None:
    """Remove what killed workers left: of runs that are over, and of files copied in."""
    files.sweep(services.folders.raw_data)
    for folder in filter(Path.is_dir, services.folders.work.iterdir()):
        arrival = services.store.arrivals.get(folder.name)
        if arrival is None:  # of another database, or of a time that this one was set back to
            tidy(services, folder.name, f"{folder.name}.csv", None)
        elif not arrival.is_open:
            routed = arrival.sha256 if arrival.is_published else None
            tidy(services, folder.name, arrival.name, routed)


def tidy(services: Services, run_id: str, name: str, routed: str | None) -> None:
    """Remove a run's work folder, and nothing that lies nowhere else.

    A raw file is removed only where its content, of the hash ``routed``, was routed. Any other is
    put back: it was written to since, or a worker that slept too long has moved it here.
    """
    folder = services.folders.work / run_id
    # Another worker may be tidying up, too; what is left here is left to the next sweep.
    with suppress(FileNotFoundError):
        for path in [path for path in folder.iterdir() if not path.is_dir()]:
            with suppress(FileNotFoundError):
                if path.name in (_RAW, _MOVING) and (_content_of(path) or "") != routed:
                    files.put_back(path, services.folders.raw_data / name)
                else:
                    path.unlink()
        with suppress(OSError):  # where something has come since, it is not empty
            folder.rmdir()


def _content_of(path: Path) -> str | None:
    """The hash of what a sender has sent; ``None`` where that has become no file, a link say."""
    try:
        return files.sha256_of(path, links=False)
    except DataUnusable:
        return None
