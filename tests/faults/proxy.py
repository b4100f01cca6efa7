"""A TCP proxy between a client and a server that cuts, mutes and delays connections at random."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import sys
import threading
from collections import Counter
from enum import StrEnum

_AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER: what was not sent is thrown away, and the other side hears a reset."""

DELAY = 0.3
"""The most seconds by which a message is delayed."""


class Harm(StrEnum):
    """What befalls a connection."""

    CUT = "cut"
    """Closed, in the midst of a message."""
    RESET = "reset"
    """Torn down, in the midst of a message."""
    MUTED = "muted"
    """Open on both sides, and nothing gets through any more: the way between them is gone."""
    UNANSWERED = "unanswered"
    """Open; what the client says still comes to the server, and no answer comes back."""
    DELAYED = "delayed"
    """A message comes late; then all goes on."""


WEIGHTS = {
    Harm.CUT: 6,
    Harm.RESET: 6,
    Harm.MUTED: 1,
    Harm.UNANSWERED: 1,
    Harm.DELAYED: 6,
}
"""How often each harm is done, in relation to the others."""


class Proxy:
    """Listens on a port of its own for as long as the block runs.

    Args:
        target: the server's port.
        every: after how many messages a connection is harmed, in the mean; a message is what comes
            in one piece.
        silent: for how many seconds a connection stays open that is muted or unanswered, unless
            one of its sides gives up.
        seed: of what is drawn.

    Attributes:
        port: where it listens.
        harms: how often each harm was done.
        calm: whether all passes, for now.
    """

    def __init__(self, target: int, *, every: float, silent: float, seed: int = 0) -> None:
        self.harms: Counter[str] = Counter()
        self.calm = False
        self._target = target
        self._every = every
        self.silent = silent
        self._chance = random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._runs = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Proxy:
        self._thread.start()
        self._runs.wait()
        return self

    def __exit__(self, *_) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    async def _run(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connect, sock=self._listener)
        self._runs.set()
        await self._end.wait()
        server.close()

    async def _connect(
        self, of_client: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        try:
            of_server, to_server = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            to_client.close()
            return
        try:
            await _Link(self, to_client, to_server).carry(of_client, of_server)
        finally:
            to_client.close()
            to_server.close()

    def draw(self) -> tuple[Harm, int]:
        """A harm, and after how many messages it is done."""
        [harm] = self._chance.choices(list(WEIGHTS), list(WEIGHTS.values()))
        return harm, int(self._chance.expovariate(1 / self._every))

    def part(self, message: bytes) -> bytes:
        """The beginning of a message; all of it, or nothing, now and then."""
        return message[: self._chance.randint(0, len(message))]

    def delay(self) -> float:
        return self._chance.uniform(0, DELAY)


class _Link:
    """One connection through the proxy, which ends when either side or a harm ends it."""

    def __init__(
        self, proxy: Proxy, to_client: asyncio.StreamWriter, to_server: asyncio.StreamWriter
    ) -> None:
        self._proxy = proxy
        self._to_client, self._to_server = to_client, to_server
        self._harm, self._left = proxy.draw()
        self._unheard: set[asyncio.StreamWriter] = set()
        self._over = asyncio.Event()

    async def carry(self, of_client: asyncio.StreamReader, of_server: asyncio.StreamReader) -> None:
        """Pass on what either side says until the connection is over."""
        ways = [
            asyncio.create_task(self._pass_on(of_client, self._to_server)),
            asyncio.create_task(self._pass_on(of_server, self._to_client)),
        ]
        try:
            await self._over.wait()
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while message := await reader.read(65_536):
                if writer in self._unheard:
                    continue
                self._left -= not self._proxy.calm
                if self._left >= 0:
                    await _send(writer, message)
                else:
                    await self._do_harm(writer, message)
        except OSError:
            pass  # a side that has gone; so goes the other
        finally:
            self._over.set()

    async def _do_harm(self, writer: asyncio.StreamWriter, message: bytes) -> None:
        harm, self._left = self._harm, sys.maxsize
        self._proxy.harms[harm] += 1
        if harm is Harm.DELAYED:
            await asyncio.sleep(self._proxy.delay())
            self._harm, self._left = self._proxy.draw()
            await _send(writer, message)
            return
        whole = harm is Harm.UNANSWERED and writer is self._to_server
        await _send(writer, message if whole else self._proxy.part(message))
        if harm is Harm.CUT:
            self._over.set()
        elif harm is Harm.RESET:
            for end in (self._to_client, self._to_server):
                of_end = end.get_extra_info("socket")
                of_end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
                end.transport.abort()
            self._over.set()
        else:
            self._unheard.add(self._to_client)
            if harm is Harm.MUTED:
                self._unheard.add(self._to_server)
            asyncio.get_running_loop().call_later(self._proxy.silent, self._over.set)


async def _send(writer: asyncio.StreamWriter, message: bytes) -> None:
    writer.write(message)
    await writer.drain()
