"""``jobchurn up``: bring the services up in order, keep them, and leave nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass

from jobchurn.errors import StackFailed
from jobchurn.settings import Settings
from jobchurn.stack.apart import run_apart, run_in_background
from jobchurn.stack.display import Display
from jobchurn.stack.guard import Guard
from jobchurn.stack.keeper import FORMER_SECONDS, Keeper
from jobchurn.stack.keys import ServiceKey, service_keys
from jobchurn.stack.plan import Plan
from jobchurn.stack.processes import Stopped, StopSignals
from jobchurn.stack.record import StackFolder
from jobchurn.stack.services import chosen, services_of

Prepare = Callable[[Settings, bool, Collection[ServiceKey]], None]
"""Makes what the services need from a database that runs: tables, data, a champion. Told whether
the first files are to be ingested and scored too, and which keys the services have. Run in a
process of its own."""


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
    services = chosen(services_of(settings), only)
    keys = service_keys(settings, [service.name for service in services])
    plan = Plan(settings, services, demo=demo, keys=keys)
    folder = StackFolder(settings.home)

    def start(started: Callable[[], None], noticed: Callable[[], None]) -> int:
        return _Start(plan, folder, prepare, only is None, started, noticed).guard()

    if detach:
        log = folder.make().log("up")
        return run_in_background(lambda let_go: start(let_go, let_go), log)
    return start(lambda: Display().say("Ctrl-C stops it."), lambda: None)


@dataclass(frozen=True)
class _Start:
    """One start, and all that follows until a stop is asked for.

    Attributes:
        plan, prepare: as of :func:`up`.
        folder: where the stack keeps what it needs.
        full: whether something to see is to be made.
        started: called in the keeper once everything is up.
        noticed: called in the guard then.
    """

    plan: Plan
    folder: StackFolder
    prepare: Prepare
    full: bool
    started: Callable[[], None]
    noticed: Callable[[], None]

    def guard(self) -> int:
        """Be the guard."""
        display = Display()
        with self.folder.make().locked(FORMER_SECONDS) as mine, StopSignals() as signals:
            if not mine:
                raise StackFailed(
                    f"A stack runs in {self.folder.home} already (pid {self.folder.keeper()}).",
                    "See `jobchurn status`; `jobchurn down` stops it.",
                )
            for former in (self.folder.courses, self.folder.untold, self.folder.told):
                former.unlink(missing_ok=True)
            with suppress(Stopped):
                Guard(signals, display, self.noticed).keep(self._keep)
            display.say("Stopped.")
        return 0

    def _keep(self, tell: Callable[[], None], again: bool) -> None:
        """Be the keeper; what was prepared for a keeper before is not prepared again."""
        display = Display()
        with StopSignals() as signals:
            keeper = Keeper(self.plan, self.folder, signals, display)
            try:
                keeper.launch()
                if again:
                    keeper.begin(*self.plan.names)
                else:
                    self._bring_up(keeper, signals)
                    self.started()
                    tell()
                keeper.watch()
            except Stopped:
                display.say("Stopping …")
            finally:
                keeper.stop()

    def _bring_up(self, keeper: Keeper, signals: StopSignals) -> None:
        if "postgres" in self.plan.names:
            keeper.start("postgres")
            keys = self.plan.keys.values()
            run_apart(lambda: self.prepare(self.plan.settings, self.full, keys), signals)
        keeper.start(*self.plan.names)
        keeper.present()
