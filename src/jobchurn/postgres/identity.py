"""As whom the server runs: PostgreSQL refuses to run as root."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from jobchurn.errors import StackFailed

_NOBODY = 65534
"""The user and group that own nothing."""


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom PostgreSQL's programs run.

    Attributes:
        prefix: the arguments before a program's own.
        owner: the user whom the cluster's files belong to, as the disk has it.
        changes_user: whether ``prefix`` is setpriv's and changes the user.
    """

    prefix: tuple[str, ...]
    owner: int
    changes_user: bool = False

    def command(self, program: list[str], parent_death_signal: str | None = None) -> list[str]:
        """The arguments that run a program under this identity.

        Args:
            program: the program and its arguments.
            parent_death_signal: what it is sent when its parent dies, if anything. Left out where
                there is no setpriv.
        """
        setpriv = shutil.which("setpriv")
        if parent_death_signal is None or setpriv is None:
            return [*self.prefix, *program]
        signal = f"--pdeathsig={parent_death_signal}"
        # The kernel forgets the signal when the user changes, so one setpriv does both.
        if self.changes_user:
            return [*self.prefix, signal, *program]
        return [*self.prefix, setpriv, signal, *program]


def identity_for(home: Path, binaries: Path, data: Path) -> Identity:
    """As whom the programs in ``binaries`` can work on ``data``, which lies under ``home``.

    An ordinary user runs them as themselves. Root runs them as the cluster's owner, which is
    ``nobody`` for a new cluster; where that user cannot reach the programs or the home (a folder
    above is closed to others), in a user namespace in which root bears that name.

    Raises:
        StackFailed: root can do neither on this machine.
    """
    if os.getuid() != 0:
        return Identity((), os.getuid())
    reachable = ["test", "-x", str(home), "-a", "-x", str(binaries / "postgres")]
    if (setpriv := shutil.which("setpriv")) is not None:
        owner = (data.stat().st_uid if data.exists() else 0) or _NOBODY
        user = (f"--reuid={owner}", f"--regid={_NOBODY}", "--clear-groups")
        if _succeeds([setpriv, *user, *reachable]):
            return Identity((setpriv, *user), owner, changes_user=True)
    if (unshare := shutil.which("unshare")) is not None:
        renamed = (unshare, "--user", f"--map-user={_NOBODY}", f"--map-group={_NOBODY}")
        if _succeeds([*renamed, *reachable]):
            return Identity(renamed, 0)
    raise StackFailed(
        "PostgreSQL does not run as root, and no other user can reach its programs "
        f"({binaries}) and the home ({home}).",
        "Work as an ordinary user, or open the folders above them to others (chmod o+x), or set "
        "DATABASE_URL to a PostgreSQL of your own.",
    )


def give(folder: Path, owner: int) -> None:
    """Make a folder and all in it belong to ``owner``, where it does not."""
    if folder.stat().st_uid == owner:
        return
    for path in [*folder.rglob("*"), folder]:
        os.chown(path, owner, -1, follow_symlinks=False)


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0  # noqa: S603
