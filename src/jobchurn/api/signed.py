"""Signed links at the door: what they open is asked for without a key."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from jobchurn.api.problems import answer_foreseen
from jobchurn.errors import LinkRefused
from jobchurn.links import Links, is_signed

SIGNED = "signed"
"""The request's state has this, and true, where a signed link is admitted: no key is asked for."""


class SignedLinks:
    """Wraps the application, and whatever asks for keys; pure ASGI.

    A request to read that carries a signature is admitted by it or refused for it, also where no
    key is needed: a link that has expired should not seem to be one that holds. What the link adds
    to the query is taken out, so that endpoints see what was asked. A link admits reading alone.

    Args:
        app: what is wrapped. HEAD has become GET further out.
        links: admits those that it signed.
    """

    def __init__(self, app: ASGIApp, links: Links) -> None:
        self._app = app
        self._links = links

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request pass."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        # The path that is routed, not the bytes that came: these two must not be told apart.
        target = f"{quote(scope['path'])}?{scope['query_string'].decode('latin-1')}"
        if not is_signed(target):
            await self._app(scope, receive, send)
            return
        opened = self._links.opens(target, datetime.now(UTC))
        if opened is None:
            refusal = LinkRefused(
                "The link has expired, or was changed on the way.",
                "Open the link of a newer alert, or ask with a key.",
            )
            await answer_foreseen(Request(scope), refusal)(scope, receive, send)
            return
        scope["query_string"] = opened.query.encode()
        scope["state"][SIGNED] = True
        await self._app(scope, receive, send)
