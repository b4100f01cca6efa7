"""``jobchurn keys …``: who may ask the API for what."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from jobchurn.access import MOST_PER_MINUTE, NAME_PATTERN, Key, Scope
from jobchurn.cli.show import note, table

if TYPE_CHECKING:
    from jobchurn.access import KnownKey

group = typer.Typer(no_args_is_help=True, help="Make, list and revoke the API's keys.")


def add_to(app: typer.Typer) -> None:
    """Add the group to the command line."""
    app.add_typer(group, name="keys")


def _name(text: str) -> str:
    if not re.fullmatch(NAME_PATTERN, text):
        raise typer.BadParameter("up to 64 letters, digits, dots, hyphens and underscores")
    return text


@group.command("create")
def create(
    name: Annotated[str, typer.Argument(callback=_name, help="What people call it.")],
    scope: Annotated[
        list[Scope], typer.Option(help="What it is for; give it again for several things.")
    ],
    days: Annotated[
        int | None,
        typer.Option(min=1, max=36_500, help="After how many days it expires; else it does not."),
    ] = None,
    rate: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MOST_PER_MINUTE,
            help="How many requests a minute it may make; by default as many as API_RATE says.",
        ),
    ] = None,
) -> None:
    """Make a key and print it: it is shown this once, alone on stdout."""
    from jobchurn import wiring

    key = Key.make()
    with wiring.services() as services:
        services.store.api_keys.add(
            key,
            name,
            set(scope),
            requests_per_minute=rate,
            lasts=timedelta(days=days) if days else None,
        )
    note(f"The key {name} has the id {key.id}. It counts within a second, and is not shown again:")
    typer.echo(key.text)


@group.command("list")
def list_(
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that were revoked or have expired.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As a JSON array.")] = False,
) -> None:
    """List the keys, the newest first; their secrets are known to nobody but their holders."""
    from jobchurn import wiring

    now = datetime.now(UTC)
    with wiring.services() as services:
        known = [key for key in services.store.api_keys.list() if everything or key.is_alive(now)]
    if as_json:
        typer.echo(json.dumps([_plain(key) for key in known], indent=2))
        return
    table(
        "Keys of the API",
        ("id", "name", "for", "a minute", "made", "expires", "last used", "revoked"),
        (
            (
                key.id,
                key.name,
                ", ".join(sorted(key.scopes)),
                key.requests_per_minute,
                _day(key.created_at),
                _day(key.expires_at),
                _day(key.last_used_at),
                _day(key.revoked_at),
            )
            for key in known
        ),
    )


@group.command("revoke")
def revoke(key: Annotated[str, typer.Argument(help="The key's id or name.")]) -> None:
    """Let a key be worth nothing any more; the API refuses it within a second."""
    from jobchurn import wiring

    with wiring.services() as services:
        revoked = services.store.api_keys.revoke(key)
    note(f"The key {revoked.name} ({revoked.id}) is revoked.")


def _plain(key: KnownKey) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "requests_per_minute": key.requests_per_minute,
        "created_at": _moment(key.created_at),
        "expires_at": _moment(key.expires_at),
        "revoked_at": _moment(key.revoked_at),
        "last_used_at": _moment(key.last_used_at),
    }


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""
