"""What ``up`` shows: a live table on a terminal, plain lines anywhere else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from jobchurn.errors import FULL
from jobchurn.stack.record import ServiceState, State

COLOURS = {
    State.RUNNING: "green",
    State.STARTING: "yellow",
    State.STOPPED: "dim",
    State.FAILED: "bold red",
    State.EXTERNAL: "cyan",
}


class Display:
    """Shows how the services fare, on stdout."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._live: Live | None = None
        self._shown: dict[str, State] = {}

    def say(self, text: str) -> None:
        """Print a sentence. On a full disk it may be lost: nothing that it tells of waits for it.

        Raises:
            OSError: stdout is gone.
        """
        try:
            self._console.print(Text(text))
        except OSError as trouble:
            if trouble.errno not in FULL:
                raise

    def note(self, text: str) -> None:
        """Print a sentence with the time, for those who read it later."""
        self.say(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%SZ} {text}")

    @contextmanager
    def coming_up(self) -> Iterator[None]:
        """While entered, :meth:`show` redraws one table where stdout is a terminal."""
        if not self._console.is_terminal:
            yield
            return
        # Redrawn by us alone: rich's own refreshing would be a thread, and we fork.
        with Live(console=self._console, auto_refresh=False, transient=True) as live:
            self._live = live
            try:
                yield
            finally:
                self._live = None

    def show(self, states: Sequence[ServiceState]) -> None:
        """Show the states: all in the table, or those that changed as lines."""
        if self._live is not None:
            self._live.update(table(states), refresh=True)
            return
        for state in states:
            if self._shown.get(state.name) != state.state:
                self._shown[state.name] = state.state
                self.say(f"{state.name:<9} {state.state:<9} {state.address}")

    def summary(self, states: Sequence[ServiceState]) -> None:
        """Show every service once more, with its address."""
        if self._console.is_terminal:
            self._console.print(table(states))


def table(states: Sequence[ServiceState]) -> Table:
    """The services as a table."""
    drawn = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("service", "state", "pid", "address"):
        drawn.add_column(heading, justify="right" if heading == "pid" else "left")
    for state in states:
        drawn.add_row(
            state.name,
            Text(state.state, style=COLOURS[state.state]),
            "" if state.pid is None else str(state.pid),
            state.address,
        )
    return drawn
