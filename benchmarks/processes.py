"""Processes that are measured: started, waited for, and ended with all that they have started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

START_SECONDS = 180
END_SECONDS = 15


def free_port() -> int:
    """A port on which nobody listens at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(
    command: Sequence[str | Path],
    *,
    ready: str,
    log: Path,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Iterator[int]:
    """Run ``command`` in a session of its own; yield its process id once it is ready.

    Args:
        command: the program and its arguments.
        ready: an address that answers with 200 as soon as it is.
        log: a file that takes what it prints.
        environment: what is added to ours.
        folder: where it runs.

    Raises:
        SystemExit: it ended, or was not ready in time; its log says more.
    """
    with log.open("ab") as printed:
        process = subprocess.Popen(
            [str(part) for part in command],
            env={**os.environ, **(environment or {})},
            cwd=folder,
            stdout=printed,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        _wait(process, ready, log)
        yield process.pid
    finally:
        _end(process)


def cpu_seconds(pid: int) -> float:
    """The processor time that a process has taken so far, all its threads together.

    Unlike the time that passes, it hardly depends on what else the machine does.
    """
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    # utime and stime of proc(5), whose 14th and 15th they are; the name before held two.
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _wait(process: subprocess.Popen[bytes], ready: str, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while not _answers(ready):
        ended = process.poll() is not None
        if ended or time.monotonic() > end:
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            said = "\n".join(lines[-20:])
            what = "ended" if ended else f"was not ready in {START_SECONDS} s"
            raise SystemExit(f"{process.args!r} {what}:\n{said}")
        time.sleep(0.1)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310 (our own)
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it and what it started: all of its session, which is named by its process id."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)
