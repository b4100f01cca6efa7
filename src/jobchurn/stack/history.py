"""How the services have fared: restarts are counted, and what fails again and again is told.

Pure: what was known, what is seen and what time it is in; what is news out. The keeper writes it
into the home after each look, for ``jobchurn status`` and for a keeper that takes over.
"""

from __future__ import annotations

import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Self

from jobchurn.stack.record import ServiceState, State

WINDOW_SECONDS = 600.0
"""So far back restarts count towards a service that fails."""

CRASHES = 3
"""A service that was restarted so often within the window fails, whether it answers or not."""

SILENT_SECONDS = 300.0
"""A service that has not answered for so long fails."""

STEADY_SECONDS = 300.0
"""A service that failed is well again once it has answered for so long without a restart."""


class Turn(StrEnum):
    """What people are told of, wherever they are."""

    FAILING = "failing"
    OVER = "over"


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    Attributes:
        service: to which.
        text: what, in a sentence.
        turn: that it fails again and again, or no longer does; ``None`` for what is less.
        at: when, in seconds of the epoch.
    """

    service: str
    text: str
    turn: Turn | None
    at: float


@dataclass(frozen=True, kw_only=True)
class Course:
    """How one service has fared.

    Attributes:
        state: how it fares.
        since: from when on, in seconds of the epoch; a restart is a new beginning.
        processes: its living processes, by program, those of its last look included that ended.
        restarts: how often one of them was seen to be another, since the stack was started.
        recent: when; those within the window.
        failing_since: from when on it fails again and again, or ``None``.
    """

    state: State
    since: float
    processes: Mapping[str, int]
    restarts: int = 0
    recent: tuple[float, ...] = ()
    failing_since: float | None = None

    @property
    def is_up(self) -> bool:
        """Whether it can be used."""
        return self.state in (State.RUNNING, State.EXTERNAL)

    def then(self, state: State, processes: Mapping[str, int], now: float) -> Self:
        """The course once this is seen.

        Where the clock was set back, what seems to lie ahead is taken to be now: nothing waits, and
        no restart counts, until the clock has come there again.
        """
        replaced = [name for name, pid in self.processes.items() if processes.get(name, pid) != pid]
        recent = tuple(min(at, now) for at in self.recent if now - at < WINDOW_SECONDS)
        course = replace(
            self,
            state=state,
            since=now if replaced or state != self.state else min(self.since, now),
            processes={**self.processes, **processes},
            restarts=self.restarts + len(replaced),
            recent=recent + (now,) * len(replaced),
        )
        return replace(course, failing_since=course._failing_since(now))

    def _failing_since(self, now: float) -> float | None:
        lasts = now - self.since
        if (
            self.state is State.FAILED
            or len(self.recent) >= CRASHES
            or (not self.is_up and lasts > SILENT_SECONDS)
        ):
            return now if self.failing_since is None else self.failing_since
        return None if self.is_up and lasts > STEADY_SECONDS else self.failing_since


class History:
    """The courses of all services of a stack.

    Attributes:
        courses: by the service's name.
    """

    def __init__(self, courses: Mapping[str, Course]) -> None:
        self.courses = dict(courses)
        self._told = {name: course.state for name, course in courses.items()}

    @classmethod
    def begin(
        cls,
        states: Sequence[ServiceState],
        processes: Mapping[str, Mapping[str, int]],
        now: float,
        failing: Container[str] = (),
    ) -> Self:
        """The history of services that are seen for the first time.

        Those that are ``failing`` did so when they were last seen, and people know it: once they
        are well, that is news.
        """
        return cls(
            {
                one.name: Course(
                    state=one.state,
                    since=now,
                    processes=processes.get(one.name, {}),
                    failing_since=now if one.name in failing else None,
                )
                for one in states
            }
        )

    def see(
        self,
        states: Sequence[ServiceState],
        processes: Mapping[str, Mapping[str, int]],
        now: float,
    ) -> list[Event]:
        """Take down how the services fare now; what is news of it.

        A restart and a failure are news at once, other states once they have lasted: whether a
        service answers flickers on a busy machine, that its program was given up does not.
        """
        events: list[Event] = []
        for one in states:
            before = self.courses[one.name]
            found = processes.get(one.name, {})
            after = before.then(one.state, found, now)
            self.courses[one.name] = after
            events += [Event(one.name, text, None, now) for text in self._news(one, before, found)]
            if (after.failing_since is None) is not (before.failing_since is None):
                events.append(_turned(one.name, after, now))
        return events

    def to_json(self) -> str:
        """The courses as JSON text."""
        return json.dumps({name: asdict(course) for name, course in self.courses.items()})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The history that :meth:`to_json` wrote."""
        return cls(
            {
                name: Course(
                    **kept | {"state": State(kept["state"]), "recent": tuple(kept["recent"])}
                )
                for name, kept in json.loads(text).items()
            }
        )

    def _news(
        self, one: ServiceState, before: Course, processes: Mapping[str, int]
    ) -> Sequence[str]:
        restarted = [
            f"{program} was restarted (pid {pid})"
            for program, pid in processes.items()
            if before.processes.get(program, pid) != pid
        ]
        told = self._told[one.name]
        if not restarted and one.state != told and one.state in (before.state, State.FAILED):
            self._told[one.name] = one.state
            return [f"{one.name} is {one.state}"]
        if restarted:
            self._told[one.name] = one.state
        return restarted


def _turned(service: str, course: Course, now: float) -> Event:
    if course.failing_since is None:
        return Event(service, f"{service} is well again", Turn.OVER, now)
    if course.state is State.FAILED:
        why = "it ends as soon as it is started"
    elif len(course.recent) >= CRASHES:
        minutes = f"{WINDOW_SECONDS / 60:.0f} minutes"
        why = f"it was restarted {len(course.recent)} times within {minutes}"
    else:
        why = f"it has not answered for {now - course.since:.0f} s"
    return Event(service, f"{service} is failing: {why}", Turn.FAILING, now)
