"""``jobchurn up``: bring the services up in order, keep them, and leave nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jobchurn.errors import StackFailed
from jobchurn.settings import Settings
from jobchurn.stack.display import Display
from jobchurn.stack.keeper import Keeper
from jobchurn.stack.plan import Plan
from jobchurn.stack.processes import Stopped, StopSignals, run_apart, run_in_background
from jobchurn.stack.record import StackFolder
from jobchurn.stack.services import chosen, services_of

Prepare = Callable[[Settings, bool], None]
"""Makes what the services need from a database that runs: tables, data, a champion. Told whether
the first files are to be ingested and scored too. Run in a process of its own."""


def up(
    settings: Settings,
    *,
    prepare: Prepare,
    only: Sequence[str] | None = None,
    detach: bool = False,
    demo: bool = False,
) -> int:
    """Bring the services up and keep them until a signal or ``down`` asks to stop.

    Args:
        settings: the environment's.
        prepare: see :data:`Prepare`.
        only: the services to start, with what they need; all by default.
        detach: return once the services are up, and keep them from the background.
        demo: use the well-known passwords of a demonstration.

    Returns:
        0 once the services were stopped, or, detached, once they are up.

    Raises:
        NotFound: ``only`` names a service that does not exist.
        StackFailed: a stack runs here already, a port is taken, a service did not come up.
        JobchurnError: what ``prepare`` raised.
    """
    plan = Plan(settings, chosen(services_of(settings), only), demo=demo)
    folder = StackFolder(settings.home)

    def keep(started: Callable[[], None]) -> int:
        return _keep(plan, folder, prepare, full=only is None, started=started)

    if detach:
        return run_in_background(keep, folder.make().log("up"))
    return keep(lambda: Display().say("Ctrl-C stops it."))


def _keep(
    plan: Plan,
    folder: StackFolder,
    prepare: Prepare,
    *,
    full: bool,
    started: Callable[[], None],
) -> int:
    display = Display()
    with folder.make().locked() as mine, StopSignals() as signals:
        if not mine:
            raise StackFailed(
                f"A stack runs in {folder.home} already (pid {folder.keeper()}).",
                "See `jobchurn status`; `jobchurn down` stops it.",
            )
        keeper = Keeper(plan, folder, signals, display)
        try:
            keeper.launch()
            if "postgres" in plan.names:
                keeper.start("postgres")
                run_apart(lambda: prepare(plan.settings, full), signals)
            keeper.start(*plan.names)
            keeper.present()
            started()
            keeper.watch()
        except Stopped:
            display.say("Stopping …")
        finally:
            keeper.stop()
        display.say("Stopped.")
    return 0
