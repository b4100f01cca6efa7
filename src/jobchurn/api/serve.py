"""Serves the application until it is asked to end, and then ends in time.

On SIGTERM ``/ready`` says so first, for whoever spreads requests over several processes; then
nothing new is let in, what is under way is answered, and the process ends. What cannot be answered
in time is cut: whatever it was writing is one transaction, so nothing is left half done.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from types import FrameType

import uvicorn

from jobchurn import wiring
from jobchurn.access import is_loopback
from jobchurn.api.app import create_app
from jobchurn.api.connections import Connection, look_at, make_room
from jobchurn.api.crew import Post, lead, post_of
from jobchurn.api.door import Door
from jobchurn.errors import JobchurnError
from jobchurn.flow.services import Services
from jobchurn.settings import Settings, read_settings

log = logging.getLogger(__name__)

UNREADY_SECONDS = 0.5
"""How long ``/ready`` says that the process is about to end before nothing new is let in."""

ANSWERING_SECONDS = 7
"""How long what is under way may then take to be answered."""

COLLECT_AFTER = 50_000
"""After how many new objects, beyond those that are gone, garbage is looked for among the young."""

END_SECONDS = 9.5
"""How long after the signal the process ends at the latest, whatever hangs."""


class Server(uvicorn.Server):
    """uvicorn, which says that it is leaving before it leaves."""

    def __init__(
        self, config: uvicorn.Config, door: Door, begun: Callable[[], None] | None = None
    ) -> None:
        super().__init__(config)
        self._door = door
        self._begun = begun
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal asks to end."""
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets)
        settle()
        if self._begun is not None and not self.should_exit:
            self._begun()

    async def on_tick(self, counter: int) -> bool:
        """What the server does ten times a second."""
        if counter % 10 == 0:
            look_at(self.server_state.connections, asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Leave in steps on the first signal; on a second one at once."""
        if self._door.leaving:
            self.should_exit = self.force_exit = True
            return
        self._door.leaving = True
        last = threading.Timer(END_SECONDS, os._exit, (1,))
        last.daemon = True
        last.start()
        if sig == signal.SIGTERM and self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.call_later, UNREADY_SECONDS, self._leave)
        else:
            self._leave()

    def _leave(self) -> None:
        self.should_exit = True


def settle() -> None:
    """Spare the garbage collector what was made at the start, and most of its rounds.

    What a request makes is freed as soon as it is answered, by counting references; a round over
    everything that is loaded takes longer than a request does, and finds nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 50, 50)


def serve(services: Services, post: Post | None = None) -> None:
    """Serve the API at the address that the settings give, until a signal asks to end.

    Args:
        services: the house.
        post: what this process is given where it is one of several.
    """
    make_room()
    app = create_app(services)
    _warn_of_plain_text(services.settings)
    config = uvicorn.Config(
        app,
        host=services.settings.api_host,
        port=services.settings.api_port,
        log_config=None,
        access_log=False,
        server_header=False,
        http=Connection,
        ws="none",
        # A proxy on this machine says for whom it asks. Nothing hangs on it but under which address
        # failed attempts are counted: who must have a key is not told by addresses of clients.
        proxy_headers=True,
        timeout_graceful_shutdown=ANSWERING_SECONDS,
    )
    server = Server(config, app.state.door, post.tell_begun if post else None)
    server.run([post.listener] if post else None)


def _warn_of_plain_text(settings: Settings) -> None:
    """Say that keys can be read on their way, where others reach the API: it knows no TLS."""
    if not is_loopback(settings.api_host):
        log.warning(
            "the API listens on %s without TLS: whoever is on the way reads keys and records; "
            "let only a proxy with TLS, or a network of your own, reach it",
            settings.api_host,
        )


def main() -> int:
    """Serve with the environment's settings; the exit code of the process."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    # Each look at whether the tables are those of this version would be two lines of its log.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        settings = read_settings()
        post = post_of()
        if post is None and settings.api_workers > 1:
            return lead(settings, settings.api_workers)
        with wiring.services(settings) as services:
            serve(services, post)
    except JobchurnError as error:
        sys.stderr.write(f"jobchurn: {error}\n")
        return error.exit_code
    return 0
