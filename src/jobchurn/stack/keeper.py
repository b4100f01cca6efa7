"""The keeper: supervisord's parent, and the adopter of every orphan below it.

Whatever it is about when supervisord is killed, it starts supervisord and the services anew.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress

from jobchurn.errors import FULL, StackFailed
from jobchurn.stack import supervision, tidier
from jobchurn.stack.display import Display
from jobchurn.stack.history import Event, History, Turn
from jobchurn.stack.logs import last_lines
from jobchurn.stack.plan import Plan
from jobchurn.stack.ports import refuse_taken
from jobchurn.stack.private import write_private
from jobchurn.stack.processes import Orphans, StopSignals, become_subreaper
from jobchurn.stack.record import ALIVE, SILENT, Record, StackFolder
from jobchurn.stack.supervisor_client import ProgramState
from jobchurn.stack.supervisord import Supervisord
from jobchurn.stack.teller import Teller
from jobchurn.stack.tidier import Tidier
from jobchurn.stack.untold import read_failing, write_failing

START_SECONDS = 300.0
"""How long a service may take until it answers, a recovery of the database included."""

START_FAILURES = 3
"""A program that ended so often during the start is not waited for any longer."""

FORMER_SECONDS = 120.0
"""How long to wait for what is left of an earlier stack, or for another user of the database."""

STOP_MARGIN_SECONDS = 15.0
"""How long supervisord may take to stop, beyond what the programs may take together."""

REST_SECONDS = 60.0
"""A program that supervisor gave up is tried again after so long, then after twice as long …"""

LONGEST_REST_SECONDS = 480.0
"""… up to this."""

SILENCE_SECONDS = 60.0
"""A supervisord that lives and says nothing for so long is ended, and another one started."""

LAST_WORDS = 25
"""How many lines of a failing program's log are shown."""

ENDED = {"BACKOFF", "FATAL", "EXITED"}
"""supervisor's words for a program that has ended by itself."""

POLL_SECONDS = 0.25
WATCH_SECONDS = 3.0


def rest_after(rests: int) -> float:
    """How many seconds a program rests that was given up again after so many rests."""
    return min(REST_SECONDS * 2.0 ** min(rests, 16), LONGEST_REST_SECONDS)


class Keeper:
    """Keeps one stack.

    Args:
        plan: what is to run.
        folder: where it runs; locked by the caller.
        signals: requests to stop; the methods raise ``Stopped`` on one, but :meth:`stop` does not.
        display: where progress is shown.
    """

    def __init__(
        self, plan: Plan, folder: StackFolder, signals: StopSignals, display: Display
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._signals = signals
        self._display = display
        self._orphans = Orphans()
        self._teller = Teller(plan.settings, folder)
        owners = plan.owners_environment
        self._failing = read_failing(folder.failing)
        self._tidier = None
        if owners is not None:
            is_failing = tidier.NAME in self._failing
            self._tidier = Tidier(owners, folder.log(tidier.NAME), failing=is_failing)
        self._wanted: list[str] = []
        self._rests: dict[str, int] = {}
        self._given_up: dict[str, tuple[int, float]] = {}
        self._falls = 0
        self._cannot_write = False
        self._record: Record | None = None
        self._supervisord = Supervisord(folder)
        self._stop_seconds = STOP_MARGIN_SECONDS

    def launch(self) -> None:
        """Start supervisord, with every program declared and none started.

        Raises:
            StackFailed: a port is taken, or something of an earlier stack does not end.
        """
        become_subreaper()
        self._await_former()
        if self._plan.postgres is not None:
            self._plan.postgres.ensure_cluster()
        programs = self._plan.programs()
        everything = [program for group in programs.values() for program in group]
        self._stop_seconds += sum(program.stop_seconds for program in everything)
        supervision.write_configuration(self._folder, everything, self._plan.environment)
        self._record = Record(
            socket=str(supervision.socket_path(self._folder)),
            services=self._plan.services,
            programs={name: [one.name for one in group] for name, group in programs.items()},
            environment=self._plan.public_environment,
        )
        self._record.save(self._folder)
        self._supervisord.launch(self._recorded(), self._signals)

    def start(self, *names: str) -> None:
        """Start services and wait until each answers.

        Raises:
            StackFailed: one does not; its last words are shown.
        """
        record = self._recorded()
        self.begin(*names)
        deadline = time.monotonic() + START_SECONDS
        ends: dict[str, set[int]] = defaultdict(set)
        with self._display.coming_up():
            while True:
                known = self._known()
                states = record.states(known)
                self._display.show(states)
                waiting = [s.name for s in states if s.name in names and not s.is_up]
                if not waiting:
                    return
                for program in known.values():
                    if program.state in ENDED:
                        ends[program.name].add(program.stopped)
                    if program.state == "FATAL" or len(ends[program.name]) >= START_FAILURES:
                        raise self._ends_again_and_again(program)
                if time.monotonic() > deadline:
                    raise StackFailed(
                        f"{waiting[0]} did not answer within {START_SECONDS:.0f} s.",
                        f"See `jobchurn logs {waiting[0]}`.",
                    )
                self._signals.sleep(POLL_SECONDS)

    def begin(self, *names: str) -> None:
        """Start services; whether they answer is for :meth:`watch` to see."""
        self._wanted += [name for name in names if name not in self._wanted]
        deadline = time.monotonic() + SILENCE_SECONDS
        while True:
            known = self._known()
            try:
                return self._start_programs(known)
            except SILENT:
                # It is busy, has ended, or was sooner to start one of them.
                if time.monotonic() > deadline:
                    return self._revive()
                self._signals.sleep(POLL_SECONDS)

    def present(self) -> None:
        """Show all addresses, and the passwords that nobody was shown yet."""
        self._display.summary(self._recorded().states())
        for line in self._plan.announcements():
            self._display.say(line)

    def watch(self) -> None:
        """Restart what supervisor does not, end orphans, tell of changes; until ``Stopped``."""
        history = self._history()
        while True:
            known = self._known()
            states, processes = self._recorded().states(known), self._recorded().processes(known)
            if self._supervisord.lives:
                for event in history.see(states, processes, time.time()):
                    self._tell(event)
                self._write_down(lambda: write_private(self._folder.courses, history.to_json()))
                self._retry_failed(known)
            if self._tidier is not None:
                for event in self._tidier.step(time.monotonic()):
                    self._tell(event)
            self._teller.step(time.monotonic())
            self._orphans.end(own=self._supervisord.own | self._at_work)
            self._signals.sleep(WATCH_SECONDS)

    @property
    def _at_work(self) -> set[int]:
        """Processes of the keeper's own that come to their end by themselves."""
        tidying = set() if self._tidier is None else self._tidier.own
        return self._teller.own | tidying

    def stop(self) -> None:
        """Stop every service, the last started first, and leave no process behind."""
        deadline = time.monotonic() + self._stop_seconds
        self._supervisord.end()
        while self._supervisord.lives:
            self._orphans.end(own=self._supervisord.own)
            if time.monotonic() > deadline:
                self._supervisord.end(by_force=True)
            time.sleep(POLL_SECONDS)
        self._folder.courses.unlink(missing_ok=True)
        while self._orphans.end():
            time.sleep(POLL_SECONDS)
        if self._record is not None:
            self._record.remove(self._folder)

    def _await_former(self) -> None:
        """Wait for what a killed stack, or another command, still holds; check the ports."""
        deadline = time.monotonic() + FORMER_SECONDS
        former = self._folder.read_record()
        if former is not None:
            self._display.say("An earlier stack was killed; waiting until all of it has ended …")
            while former.shut_down():
                self._wait(deadline, "An earlier stack does not stop.")
            former.remove(self._folder)
        postgres = self._plan.postgres
        if postgres is not None and postgres.is_running():
            self._display.say("Another command uses this home's database; waiting for its end …")
            while postgres.is_running():
                self._wait(deadline, "Another command uses this home's database.")
        while True:
            try:
                return refuse_taken(self._plan.services)
            except StackFailed as taken:
                if former is None:
                    raise
                self._wait(deadline, taken.message)

    def _wait(self, deadline: float, trouble: str) -> None:
        if time.monotonic() > deadline:
            raise StackFailed(trouble, "End what holds it, then start again.")
        self._signals.sleep(POLL_SECONDS)

    def _known(self) -> dict[str, ProgramState]:
        """What supervisord says of the programs; it is started anew where it has ended."""
        deadline = time.monotonic() + SILENCE_SECONDS
        while True:
            try:
                return self._recorded().supervisor().programs()
            except SILENT:
                if self._supervisord.lives and time.monotonic() < deadline:
                    self._signals.sleep(POLL_SECONDS)  # it is busy, or about to end
                else:
                    self._revive()
                    deadline = time.monotonic() + SILENCE_SECONDS

    def _revive(self) -> None:
        """Start supervisord and the services anew, after pauses that grow while it falls again."""
        while True:
            self._display.note("supervisord has ended; starting it and the services anew")
            self._supervisord.end(by_force=True)
            while self._orphans.end(own=self._at_work):
                self._signals.sleep(POLL_SECONDS)
            self._falls = self._falls + 1 if self._supervisord.age < REST_SECONDS else 1
            self._signals.sleep(min(self._falls, REST_SECONDS))
            try:
                self._supervisord.launch(self._recorded(), self._signals)
                return self._start_programs(self._recorded().supervisor().programs())
            except (StackFailed, *SILENT) as trouble:
                self._display.note(f"that failed: {trouble}")

    def _start_programs(self, known: Mapping[str, ProgramState]) -> None:
        record = self._recorded()
        for name in self._wanted:
            for program in record.programs[name]:
                if known[program].state not in ALIVE:
                    record.supervisor().start(program)

    def _history(self) -> History:
        """How the services have fared so far; a keeper before this one may have seen more."""
        known = self._known()
        states, processes = self._recorded().states(known), self._recorded().processes(known)
        fresh = History.begin(states, processes, time.time(), self._failing)
        try:
            kept = History.from_json(self._folder.courses.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return fresh
        return kept if kept.courses.keys() == fresh.courses.keys() else fresh

    def _write_down(self, write: Callable[[], None]) -> None:
        """Keep how the services fare. On a full disk that waits: they must not fall for it."""
        try:
            write()
        except OSError as trouble:
            if trouble.errno not in FULL:
                raise
            self._cannot_write, before = True, self._cannot_write
            if not before:
                self._display.note(f"how the services fare cannot be written down: {trouble}")
        else:
            self._cannot_write = False

    def _tell(self, event: Event) -> None:
        """Show an event, with a failing service's last words; some are for people elsewhere too."""
        self._display.note(event.text)
        if event.turn is Turn.FAILING:
            for program in self._recorded().programs.get(event.service, (event.service,)):
                for line in last_lines(self._folder.log(program), LAST_WORDS):
                    self._display.say(f"  {line}")
        if event.turn is not None:
            self._teller.tell(event)
            change = self._failing.add if event.turn is Turn.FAILING else self._failing.discard
            change(event.service)
            self._write_down(lambda: write_failing(self._folder.failing, self._failing))

    def _retry_failed(self, known: Mapping[str, ProgramState]) -> None:
        """Try programs again that supervisor has given up, after rests that grow up to a limit."""
        for program in known.values():
            if program.state == "RUNNING":
                self._rests.pop(program.name, None)
            if program.state != "FATAL":
                continue
            rests, now = self._rests.get(program.name, 0), time.monotonic()
            stopped, since = self._given_up.get(program.name, (None, now))
            if stopped != program.stopped:  # by a clock that may be set; ours is not
                stopped, since = self._given_up[program.name] = program.stopped, now
            if now - since > rest_after(rests):
                # Of one that cannot even be begun, the moment of its last end stays as it is.
                self._rests[program.name] = rests + 1
                self._given_up[program.name] = program.stopped, now
                with suppress(*SILENT):  # where it is ending, the next look finds it
                    self._recorded().supervisor().start(program.name)

    def _ends_again_and_again(self, program: ProgramState) -> StackFailed:
        log = self._folder.log(program.name)
        for line in last_lines(log, LAST_WORDS):
            self._display.say(f"  {line}")
        why = f"exit code {program.exit_code}" if program.exit_code else program.trouble
        return StackFailed(
            f"{program.name} ends again and again ({why}); its last words are above.",
            f"All of them are in {log}.",
        )

    def _recorded(self) -> Record:
        if self._record is None:
            raise RuntimeError("the stack was not launched")
        return self._record
