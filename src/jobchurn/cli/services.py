"""``jobchurn up``, ``down``, ``status``, ``logs``, ``env``, ``doctor`` and ``reset``."""

from __future__ import annotations

import dataclasses
import json
import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from jobchurn.cli.show import note, table

if TYPE_CHECKING:
    from collections.abc import Collection

    from jobchurn.flow.services import Services
    from jobchurn.settings import Settings
    from jobchurn.stack.keys import ServiceKey
    from jobchurn.stack.record import ServiceState


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (up, down, status, logs, env, doctor, reset):
        app.command(command.__name__)(command)


def up(
    only: Annotated[
        str, typer.Option(help="The services to start, with commas between; by default all.")
    ] = "",
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return once they are up.")
    ] = False,
    demo: Annotated[
        bool,
        typer.Option(
            "--demo", help="Well-known passwords (admin/admin), and raw files without end."
        ),
    ] = False,
) -> None:
    """Start everything on this machine and keep it running until Ctrl-C."""
    from jobchurn.settings import read_settings
    from jobchurn.stack.up import up as start

    names = [name.strip() for name in only.split(",") if name.strip()]
    raise typer.Exit(
        start(read_settings(), prepare=prepare, only=names or None, detach=detach, demo=demo)
    )


def prepare(settings: Settings, full: bool, keys: Collection[ServiceKey]) -> None:
    """Make what the services need; with ``full``, also something to see.

    Args:
        settings: the environment's.
        full: whether the first files are to be ingested and scored.
        keys: those with which services ask the API; any of the same names are revoked.
    """
    from jobchurn import wiring
    from jobchurn.flow.start import prepare as make

    wiring.bring_up(settings)
    with wiring.services(settings) as services:
        make(services, note)
        for one in keys:
            services.store.api_keys.replace(one.key, one.name, one.scopes)
        if full:
            from jobchurn.flow.feed import feed_first

            note("Ingesting and predicting the first files …")
            feed_first(services, note)
            _show_first_results(services)


def _show_first_results(services: Services) -> None:
    """The latest runs and predictions: a first look at what the house does."""
    from jobchurn.cli.work import runs_table

    runs_table(services.store.runs.finished(limit=5))
    latest, _ = services.store.predictions.page(limit=5)
    contract = services.contract
    words = {1: contract.positive, 0: contract.negative}
    table(
        "Latest predictions",
        (contract.subject, "answer", "probability", "model"),
        (
            (
                p.record[contract.id.name] if contract.id else p.id,
                words[p.prediction],
                round(p.probability, 3),
                p.model_version,
            )
            for p in latest
        ),
    )


def down() -> None:
    """Stop what runs here."""
    from jobchurn.settings import read_settings
    from jobchurn.stack.control import down as stop

    note("Stopped." if stop(read_settings()) else "Nothing was running.")


def status(
    as_json: Annotated[bool, typer.Option("--json", help="As a JSON array.")] = False,
) -> None:
    """Show how every service fares, what was predicted last, and when it was tidied up."""
    from jobchurn.settings import read_settings
    from jobchurn.stack.control import status as states

    found = states(read_settings())
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(state) for state in found], indent=2))
        return
    table(
        "Services",
        ("service", "state", "pid", "address", "since", "restarts"),
        ((s.name, _fares(s), s.pid, s.address, s.since, s.restarts) for s in found),
    )
    for state in found:
        if state.last_words:
            note(f"{state.name} fails again and again; its last words: {state.last_words}")
    if any(s.name == "postgres" and s.state in ("running", "external") for s in found):
        _tell_what_was_done()


def _fares(state: ServiceState) -> str:
    return f"{state.state}, failing" if state.failing and state.state != "failed" else state.state


def _tell_what_was_done() -> None:
    from jobchurn import wiring
    from jobchurn.flow.upkeep import JOB

    with wiring.services(migrate=False) as services:
        if services.store.missing():
            return
        last = services.store.predictions.last_predicted()
        tidied = services.store.job_runs.last(JOB)
    if tidied is None:
        note("Nobody has tidied up the database yet.")
    else:
        outcome = "failed" if tidied[0] == "failed" else "done"
        note(f"Last tidied up: {outcome} at {tidied[1]:%Y-%m-%d %H:%M:%S} UTC.")
    if last is None:
        note("No good file is predicted yet.")
    else:
        note(f"Last predicted: {last.name} at {last.predicted_at:%Y-%m-%d %H:%M:%S} UTC.")


def logs(
    service: Annotated[str | None, typer.Argument(help="By default all.")] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many lines.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as they grow.")] = False,
) -> None:
    """Show the last lines of the services' logs."""
    from jobchurn.settings import read_settings
    from jobchurn.stack.control import logs as told

    try:
        for line in told(read_settings(), service, lines=lines, follow=follow):
            typer.echo(line)
    except KeyboardInterrupt:
        raise typer.Exit from None


def env() -> None:
    """Print the variables by which other programs find what runs here: eval "$(jobchurn env)"."""
    from jobchurn.settings import read_settings
    from jobchurn.stack.control import environment

    for name, value in environment(read_settings()).items():
        typer.echo(f"export {name}={shlex.quote(value)}")


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="As a JSON array.")] = False,
) -> None:
    """Say what is wrong on this machine, and how to cure it; ends with 1 where anything fails."""
    from jobchurn.settings import read_settings
    from jobchurn.stack.doctor import doctor as examine

    findings = examine(read_settings())
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
    else:
        table(
            "Doctor",
            ("", "what", "found", "cure"),
            ((f.state, f.name, f.found, f.cure) for f in findings),
        )
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(1)


def reset(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove all run-time state of this home: database, data, models, logs, secrets."""
    from jobchurn.settings import read_settings
    from jobchurn.stack.control import removable
    from jobchurn.stack.control import reset as remove

    settings = read_settings()
    found = removable(settings)
    if not found:
        note("There is nothing to remove.")
        return
    note(f"In {settings.home}: {', '.join(path.name for path in found)}.")
    if not yes:
        typer.confirm("Remove all of it? It cannot be undone.", abort=True, err=True)
    remove(settings)
    note("Removed.")
