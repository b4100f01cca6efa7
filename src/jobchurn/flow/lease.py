"""Who holds a run, whether that worker still lives, and keeping a lease while work goes on.

A run belongs to one holder at a time: a lease in the ``arrivals`` table. A worker on this machine
that is known to be dead need not be waited for; any other is dead when its lease runs out.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobchurn.errors import DatabaseUnreachable, LeaseLost
from jobchurn.store import Store
from jobchurn.store.arrivals import Claim


def this_process() -> str:
    """The holder's name of this process: host, process id, and when the process began.

    The beginning tells a process from a later one that was given the same id.
    """
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}:{_began(pid) or 0}"


def is_dead(holder: str) -> bool:
    """Whether a holder is a process of this machine that has ended; unknown holders are alive."""
    host, _, rest = holder.rpartition(":")[0].rpartition(":")
    began = holder.rpartition(":")[2]
    if host != socket.gethostname() or not rest.isdecimal() or not began.isdecimal():
        return False
    if not Path("/proc/self/stat").exists():  # not Linux: a process id is all there is
        return not _exists(int(rest))
    return _began(int(rest)) != int(began)


def _began(pid: int) -> int | None:
    """When a process began, in clock ticks since the machine started; ``None`` if there is none.

    Field 22 of /proc/PID/stat (proc(5)); the second field may hold blanks, so count from its end.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in ("Z", "X") else int(fields[19])


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def kept(store: Store, claim: Claim, lease_seconds: float) -> Iterator[None]:
    """Renew the lease of ``claim`` from a second thread for as long as the block runs.

    Raises:
        LeaseLost: another worker has taken the run over, before the block or by its end. A file
            that the block misses because the other one has tidied up is told as this, too.
    """
    store.arrivals.check(claim)
    done = threading.Event()
    lost: list[LeaseLost] = []

    def renew() -> None:
        while not done.wait(lease_seconds / 3):
            try:
                store.arrivals.renew(claim, lease_seconds)
            except DatabaseUnreachable:
                continue  # it may be back for the next; every write checks the claim anyway
            except LeaseLost as error:
                lost.append(error)
                return

    thread = threading.Thread(target=renew, name=f"lease of {claim.run_id}", daemon=True)
    thread.start()
    try:
        yield
    except FileNotFoundError:
        store.arrivals.check(claim)
        raise
    finally:
        done.set()
        thread.join()
    if lost:
        raise lost[0]
