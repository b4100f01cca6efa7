"""The keeper: supervisord's parent, and the adopter of every orphan below it."""

from __future__ import annotations

import subprocess
import time
from collections import defaultdict
from pathlib import Path

from jobchurn.errors import StackFailed
from jobchurn.stack import supervision
from jobchurn.stack.display import Changes, Display
from jobchurn.stack.logs import last_lines
from jobchurn.stack.plan import Plan
from jobchurn.stack.ports import refuse_taken
from jobchurn.stack.processes import Orphans, StopSignals, become_subreaper
from jobchurn.stack.record import ALIVE, SILENT, Record, StackFolder
from jobchurn.stack.supervisor_client import ProgramState

START_SECONDS = 300.0
"""How long a service may take until it answers, a recovery of the database included."""

START_FAILURES = 3
"""A program that ended so often during the start is not waited for any longer."""

FORMER_SECONDS = 120.0
"""How long to wait for what is left of an earlier stack, or for another user of the database."""

SUPERVISOR_SECONDS = 30.0
"""How long supervisord may take until it answers."""

STOP_MARGIN_SECONDS = 15.0
"""How long supervisord may take to stop, beyond what the programs may take together."""

REST_SECONDS = 60.0
"""A program that supervisor gave up is tried again after so long."""

LAST_WORDS = 25
"""How many lines of a failing program's log are shown."""

ENDED = {"BACKOFF", "FATAL", "EXITED"}
"""supervisor's words for a program that has ended by itself."""

POLL_SECONDS = 0.25
WATCH_SECONDS = 3.0


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
        self._record: Record | None = None
        self._supervisord: subprocess.Popen[bytes] | None = None
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
        self._launch_supervisord()

    def start(self, *names: str) -> None:
        """Start services and wait until each answers.

        Raises:
            StackFailed: one does not; its last words are shown.
        """
        record = self._recorded()
        self._start_programs(*names)
        deadline = time.monotonic() + START_SECONDS
        ends: dict[str, set[int]] = defaultdict(set)
        with self._display.coming_up():
            while True:
                known = record.supervisor().programs()
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

    def present(self) -> None:
        """Show all addresses, and the passwords that nobody was shown yet."""
        self._display.summary(self._recorded().states())
        for line in self._plan.announcements():
            self._display.say(line)

    def watch(self) -> None:
        """Restart what supervisor does not, end orphans, tell of changes; until ``Stopped``."""
        changes = Changes(self._recorded().states())
        launches = 0
        while True:
            launched = time.monotonic()
            while self._lives():
                self._signals.sleep(WATCH_SECONDS)
                self._orphans.end(own=self._own())
                self._look(changes)
            launches = launches + 1 if time.monotonic() - launched < REST_SECONDS else 1
            self._display.note("supervisord has ended; starting it and the services anew")
            while self._orphans.end():
                self._signals.sleep(POLL_SECONDS)
            self._signals.sleep(min(launches, REST_SECONDS))
            self._launch_supervisord()
            self._start_programs(*self._plan.names)

    def stop(self) -> None:
        """Stop every service, the last started first, and leave no process behind."""
        deadline = time.monotonic() + self._stop_seconds
        if self._supervisord is not None:
            self._supervisord.terminate()
            while self._lives():
                self._orphans.end(own=self._own())
                if time.monotonic() > deadline:
                    self._supervisord.kill()
                time.sleep(POLL_SECONDS)
        while self._orphans.end(own=self._own()):
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

    def _launch_supervisord(self) -> None:
        listening = Path(self._recorded().socket)
        listening.unlink(missing_ok=True)
        # A session of its own: Ctrl-C is for the keeper alone to act on.
        self._supervisord = subprocess.Popen(  # noqa: S603 (our own command)
            supervision.command(self._folder),
            env=supervision.environment(self._folder, listening),
            cwd=self._folder.logs,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + SUPERVISOR_SECONDS
        while not self._recorded().answers():
            if not self._lives() or time.monotonic() > deadline:
                raise StackFailed(
                    "supervisord did not start.", f"See {self._folder.log('supervisord')}."
                )
            self._signals.sleep(0.05)

    def _start_programs(self, *names: str) -> None:
        record = self._recorded()
        known = record.supervisor().programs()
        for name in names:
            for program in record.programs[name]:
                if known[program].state not in ALIVE:
                    record.supervisor().start(program)

    def _look(self, changes: Changes) -> None:
        """Tell what has changed, then try programs again that supervisor has given up."""
        supervisor = self._recorded().supervisor()
        try:
            known = supervisor.programs()
            for news in changes.among(self._recorded().states(known)):
                self._display.note(news)
            for program in known.values():
                if program.state == "FATAL" and time.time() - program.stopped > REST_SECONDS:
                    supervisor.start(program.name)
        except SILENT:
            return  # it is ending; the watch goes on from there

    def _ends_again_and_again(self, program: ProgramState) -> StackFailed:
        log = self._folder.log(program.name)
        for line in last_lines(log, LAST_WORDS):
            self._display.say(f"  {line}")
        why = f"exit code {program.exit_code}" if program.exit_code else program.trouble
        return StackFailed(
            f"{program.name} ends again and again ({why}); its last words are above.",
            f"All of them are in {log}.",
        )

    def _lives(self) -> bool:
        return self._supervisord is not None and self._supervisord.poll() is None

    def _own(self) -> set[int]:
        return set() if self._supervisord is None else {self._supervisord.pid}

    def _recorded(self) -> Record:
        if self._record is None:
            raise RuntimeError("the stack was not launched")
        return self._record
