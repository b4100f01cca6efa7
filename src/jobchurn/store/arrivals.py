"""Arrivals: which file is being worked on, by whom, and until when.

An arrival is one file as it came: a name and the hash of its content. One arrival is one run. A
worker holds an arrival by a lease; every take-over raises the arrival's fencing token, and a
writer whose token has been overtaken is refused (:class:`~jobchurn.errors.LeaseLost`), so that a
paused worker that wakes up does no harm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to work on one arrival.

    Attributes:
        run_id: the run's id; sorts by time of arrival.
        name: the raw file's name, as :func:`os.fsdecode` gives it.
        sha256: of the raw bytes, hexadecimal.
        size: of the raw file, in bytes.
        token: the fencing token; it rises with each take-over.
        attempts: how many workers have held the arrival, this one included.
        trigger: what started the run: ``start``, ``cli`` or ``dag``.
        started_at: when the arrival was first claimed.
        duplicate_of: the run that had this content first, or ``None``.
        finished: the run is published already, and only its raw file is left to be removed.
    """

    run_id: str
    name: str
    sha256: str
    size: int
    token: int
    attempts: int
    trigger: str
    started_at: datetime
    duplicate_of: str | None = None
    finished: bool = False


class Arrivals:
    """The named queries about arrivals."""

    def claim(
        self,
        name: str,
        sha256: str,
        size: int,
        inode: int,
        trigger: str,
        holder: str,
        lease_seconds: float,
        *,
        changed_ns: int = 0,
    ) -> Claim | None:
        """Claim a file that has arrived; ``None`` while its content is in progress elsewhere.

        A run may be killed after it was published and before its raw file was removed. The file
        that is left is known by its name, content, inode and time of change, and answered with
        the finished run's claim (``finished`` is true): remove the file, and nothing else.

        Args:
            name: the file's name.
            sha256: of its content, hexadecimal.
            size: in bytes.
            inode: the file's inode number.
            trigger: what started the run.
            holder: names the worker, so that others can tell whether it lives.
            lease_seconds: how long the worker may be silent.
            changed_ns: the file's ``st_ctime_ns``.
        """
        raise NotImplementedError

    def take_up(
        self,
        holder: str,
        lease_seconds: float,
        is_dead: Callable[[str], bool],
        trigger: str | None = None,
    ) -> Claim | None:
        """Take over the oldest open arrival that nobody works on; ``None`` where there is none.

        Nobody works on it where its lease has run out, where it was released, or where
        ``is_dead(its holder)``.
        """
        raise NotImplementedError

    def find(self, run_id: str, holder: str, lease_seconds: float) -> Claim:
        """Resume a run by its id, as the tasks of one workflow do: they share one holder's name.

        Raises:
            NotFound: there is no such run.
            LeaseLost: another holder works on it.
        """
        raise NotImplementedError

    def renew(self, claim: Claim, lease_seconds: float) -> None:
        """Extend the lease.

        Raises:
            LeaseLost: another worker has taken the arrival over.
        """
        raise NotImplementedError

    def check(self, claim: Claim) -> None:
        """Make sure that the claim still holds.

        Raises:
            LeaseLost: another worker has taken the arrival over.
        """
        raise NotImplementedError

    def release(self, claim: Claim) -> None:
        """Give the arrival back, so that the next worker may take it up at once.

        Raises:
            LeaseLost: another worker has taken the arrival over.
        """
        raise NotImplementedError

    def abandon(self, claim: Claim) -> None:
        """Close the arrival without a run: its file has gone or is another one by now.

        Raises:
            LeaseLost: another worker has taken the arrival over.
        """
        raise NotImplementedError
