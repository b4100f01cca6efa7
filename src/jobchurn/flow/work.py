"""Work folders: where the file of a run lies from its claim to its publication.

A claimed file is moved out of the folder of arriving files into that of its run, so that nobody
else finds it, and stays there until the run is published. Whatever lies in such a folder is either
removed because its rows lie elsewhere, or put back as an arriving file.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from jobchurn import files
from jobchurn.errors import LeaseLost
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


def places_of(services: Services, run_id: str, name: str) -> tuple[Path, ...]:
    """Where the file of a run that is under way may be, the likeliest first."""
    folder = services.folders.work / run_id
    return folder / _RAW, folder / _MOVING, services.folders.raw_data / name


@blameless
def secure(services: Services, claim: Claim) -> bool:
    """Have a claimed file in the run's work folder; whether this worker has it, and as claimed."""
    try:
        try:
            return _moved(services, claim)
        except FileNotFoundError:
            services.store.arrivals.check(claim)  # what is missing may have been tidied up
            raise
    except LeaseLost:
        return False  # another worker was faster


def _moved(services: Services, claim: Claim) -> bool:
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
    if files.sha256_of(moving) != claim.sha256:
        withdraw(services, claim)
        return False
    files.move(moving, staged)
    return True


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
                if path.name in (_RAW, _MOVING) and files.sha256_of(path) != routed:
                    files.put_back(path, services.folders.raw_data / name)
                else:
                    path.unlink()
        with suppress(OSError):  # where something has come since, it is not empty
            folder.rmdir()
