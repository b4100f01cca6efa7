"""A crew: several processes that serve at one address, on a machine with several processors.

One process, the lead, binds the address, and starts the others, which take connections from it as
they are free. The lead serves nobody: it starts again who died, and ends all when it is asked to.
They share the metrics' folder, and nothing else but the database.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from types import FrameType
from typing import NamedTuple

from prometheus_client.multiprocess import mark_process_dead

from jobchurn.api.metrics import SHARED_FOLDER
from jobchurn.errors import StackFailed
from jobchurn.settings import Settings

log = logging.getLogger(__name__)

LISTENER = "JOBCHURN_API_LISTENER"
"""The variable that tells a process of a crew by which descriptor it reaches the address."""

LEAD = "JOBCHURN_API_LEAD"
"""The variable that tells it by which descriptor it learns that the lead is gone."""

NEWS = "JOBCHURN_API_NEWS"
"""The variable that tells it by which descriptor it says that it has begun to serve."""

BACKLOG = 2_048
"""How many connections may wait to be taken."""

END_SECONDS = 9.8
"""How long those that are asked to end may take: a little longer than one gives itself."""

_LOOK_SECONDS = 0.2


class _Member:
    """One process of the crew.

    Args:
        listener: the descriptor of the address.
        lead: the descriptor of a pipe that ends with the lead.
    """

    def __init__(self, listener: int, lead: int) -> None:
        self._news, news = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jobchurn.api"],
            env={**os.environ, LISTENER: str(listener), LEAD: str(lead), NEWS: str(news)},
            pass_fds=(listener, lead, news),
        )
        os.close(news)

    def has_served(self) -> bool:
        """Whether a process that has ended had begun to serve."""
        try:
            return os.read(self._news, 1) != b""
        finally:
            os.close(self._news)


def lead(settings: Settings, size: int) -> int:
    """Keep so many processes serving until a signal asks to end; the exit code.

    Raises:
        StackFailed: the address cannot be had.
    """
    ending = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        ending.set()

    family = socket.AF_INET6 if ":" in settings.api_host else socket.AF_INET
    address = settings.api_host, settings.api_port
    with ExitStack() as stack:
        try:
            listener = socket.create_server(address, family=family, backlog=BACKLOG)
        except OSError as error:
            raise StackFailed(
                f"The address {settings.api_host}:{settings.api_port} cannot be had: "
                f"{error.strerror or error}.",
                "Stop what listens there, or set API_HOST and API_PORT to another one.",
            ) from None
        stack.enter_context(listener)
        if SHARED_FOLDER not in os.environ:
            folder = tempfile.TemporaryDirectory(prefix="jobchurn-metrics-")
            os.environ[SHARED_FOLDER] = stack.enter_context(folder)
        # The reading end goes to the crew: it is at its end when the lead is, however that ends.
        reading, writing = os.pipe()
        stack.callback(os.close, reading)
        stack.callback(os.close, writing)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        crew = [_Member(listener.fileno(), reading) for _ in range(size)]
        try:
            return _keep(crew, ending, listener.fileno(), reading)
        finally:
            _end(crew)


def _keep(crew: list[_Member], ending: threading.Event, listener: int, reading: int) -> int:
    """Start again who died, until all are to end; the exit code."""
    while not ending.wait(_LOOK_SECONDS):
        for place, member in enumerate(crew):
            code = member.process.poll()
            if code is None:
                continue
            mark_process_dead(member.process.pid)  # type: ignore[no-untyped-call]
            if not member.has_served():
                # The next one would fare no better; whoever started us hears of it.
                log.error("a process ended with %d before it served", code)
                return code if code > 0 else 1
            log.error("a process that serves ended with %d; another takes its place", code)
            crew[place] = _Member(listener, reading)
    return 0


def _end(crew: list[_Member]) -> None:
    """End all: in good order, and who takes too long at once."""
    for member in crew:
        member.process.terminate()
    end = time.monotonic() + END_SECONDS
    for member in crew:
        try:
            member.process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            member.process.kill()
            member.process.wait()


class Post(NamedTuple):
    """What a process of a crew is given.

    Attributes:
        listener: the crew's address.
        news: a descriptor by which it says that it has begun to serve.
    """

    listener: socket.socket
    news: int

    def tell_begun(self) -> None:
        """Say that this process has begun to serve."""
        os.write(self.news, b"!")


def post_of() -> Post | None:
    """What this process is given by its crew; ``None`` where it serves alone.

    A process of a crew ends when its lead does, however that ended.
    """
    given = os.environ.pop(LISTENER, None)
    if given is None:
        return None
    lead, news = int(os.environ.pop(LEAD)), int(os.environ.pop(NEWS))
    threading.Thread(target=_follow, args=(lead,), name="lead", daemon=True).start()
    return Post(socket.socket(fileno=int(given)), news)


def _follow(lead: int) -> None:
    """Wait for the end of the lead, and end as it would have asked to."""
    os.read(lead, 1)
    os.kill(os.getpid(), signal.SIGTERM)
