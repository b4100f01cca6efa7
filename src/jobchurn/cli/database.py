"""``jobchurn db …``: bring the database to this version, and see who may do what in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from jobchurn.cli.show import note, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobchurn.store import Standing

group = typer.Typer(no_args_is_help=True, help="Look after the database.")


def add_to(app: typer.Typer) -> None:
    """Add the group to the command line."""
    app.add_typer(group, name="db")


@group.command("migrate")
def migrate() -> None:
    """Bring the database's tables, roles and rights to this version."""
    from jobchurn import wiring
    from jobchurn.settings import read_settings

    wiring.bring_up(read_settings())
    note("The tables are those of this version.")


@group.command("roles")
def roles(
    as_sql: Annotated[
        bool,
        typer.Option("--sql", help="Print what an administrator of the database is to run."),
    ] = False,
) -> None:
    """Show the roles that the services have in the database, and what they lack."""
    from jobchurn import wiring
    from jobchurn.roles import ROLES

    with wiring.services() as services:
        found = services.store.roles()
    if as_sql:
        for line in script_of(found):
            typer.echo(line)
        return
    table(
        "Roles",
        ("role", "state", "who works in its name"),
        ((role.name, _state(role.name, found), role.purpose) for role in ROLES),
    )
    if found.lacking:
        note(f"{len(found.lacking)} statements are to be run: see `jobchurn db roles --sql`.")


def script_of(found: Standing) -> Iterator[str]:
    """What an administrator is to run, for psql; what is theirs to decide is a comment."""
    from jobchurn.roles import ROLES

    if found.lacking:
        yield f"-- In the database {found.database}: roles, and what each may do."
        yield f"SET search_path TO {found.schema};"
        yield from found.lacking
    strangers = [role.name for role in ROLES if role.name not in found.log_in]
    if strangers:
        yield "-- Let those log in that you want to; \\password asks for the password."
        for name in strangers:
            yield f"-- ALTER ROLE {name} LOGIN;"
            yield f"-- \\password {name}"
    if found.open_to_all:
        yield "-- Where nobody else shares this database:"
        yield from (f"-- {statement}" for statement in found.open_to_all)


def _state(role: str, found: Standing) -> str:
    if role not in found.present:
        return "absent"
    return "may log in" if role in found.log_in else "may not log in"
