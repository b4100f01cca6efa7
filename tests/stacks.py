"""A stack on a home of its own, as it is used from a terminal; toys may stand for its services."""

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path

from ports import free_port

DRIVER = Path(__file__).with_name("integration") / "stack_driver.py"
TOYS = (sys.executable, str(DRIVER))
"""The command line over toys."""

REAL = (sys.executable, "-m", "jobchurn.cli")
"""The command line itself."""

ELSEWHERE = "postgresql://someone:s3cr3t-w0rd@127.0.0.1:1/nothing"
"""A database that is not ours to start, and that nothing here connects to."""


def eventually(condition, seconds=180.0):
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return result


class Stack:
    """One home with ports of its own, and the commands on it."""

    def __init__(self, folder, *, database=ELSEWHERE, home=None, program=TOYS, **environment):
        self.toys = folder / "toys"
        (self.toys / "webapp").mkdir(parents=True)
        (self.toys / "webapp" / "Home.py").touch()
        self.home = home or folder / "home"
        self.environment = os.environ | {
            "TOYS": str(self.toys),
            "JOBCHURN_HOME": str(self.home),
            "POSTGRES_PORT": str(free_port()),
            "API_PORT": str(free_port()),
            "WEBAPP_PORT": str(free_port()),
            "PYTHONPATH": os.pathsep.join(map(str, sys.path)),
            **environment,
        }
        self._program = program
        for name in ("API_URL", "DATABASE_URL"):
            self.environment.pop(name, None)
        if database is not None:
            self.environment["DATABASE_URL"] = database
        self.started = []

    def command(self, *arguments, timeout=180):
        return subprocess.run(
            [*self._program, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def up(self, *arguments):
        """``up`` in the foreground, once everything answers."""
        only = [one[7:].split(",") for one in arguments if one.startswith("--only=")]
        wanted = only[0] if only else ["postgres", "api", "webapp"]
        process = self.start(*arguments)
        eventually(lambda: self.are_up(wanted))
        return process

    def are_up(self, names):
        states = self.states()
        return all(states[name] in ("running", "external") for name in names)

    def start(self, *arguments):
        """``up`` in the foreground, without waiting."""
        process = subprocess.Popen(
            [*self._program, "up", *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def status(self):
        return json.loads(self.command("status", "--json").stdout)

    def states(self):
        return {row["name"]: row["state"] for row in self.status()}

    def pid(self, name):
        return next(row["pid"] for row in self.status() if row["name"] == name)

    def log(self, name):
        return (self.home / "logs" / f"{name}.log").read_text()

    def processes(self):
        """The processes of this home, by their ids; not the commands that ask how it fares."""
        found = processes_of(self.home)
        return {pid: command for pid, command in found.items() if "status" not in command}

    def grandchildren(self):
        """The processes that the toy web app starts; the deeper one in a session of its own."""
        return [
            pid
            for pid, name in self.processes().items()
            if "time.sleep" in name and "http.server" not in name
        ]

    def guard(self):
        """The process that was started by hand."""
        return int((self.home / "run" / "keeper.lock").read_text())

    def keeper(self):
        """The keeper: a fork of the guard, so it looks the same."""
        return next(pid for pid in self.processes() if parent(pid) == self.guard())

    def supervisord(self):
        return next(
            pid for pid, name in self.processes().items() if "supervisor.supervisord" in name
        )

    def end(self):
        self.command("down", timeout=300)
        for process in self.started:
            process.kill()
            process.communicate()


def processes_of(home):
    """Every process that has to do with a home, by argument, environment or folder: id, command."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            traces = command + (process / "environ").read_bytes()
            folder = str((process / "cwd").readlink())
        except OSError:
            continue
        if os.fsencode(home) in traces or folder.startswith(str(home)):
            found[int(process.name)] = command.replace(b"\0", b" ").decode()
    return found


def parent(pid):
    """The parent of a process; ``None`` where it has ended."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def until_said(process, words, heard=""):
    """What a stack in the foreground says, up to these words at least; after what it had said."""
    while words not in heard:
        assert select.select([process.stdout], [], [], 180)[0], f"it said only: {heard}"
        heard += os.read(process.stdout.fileno(), 65536).decode()
        assert process.poll() is None, heard
    return heard


def ended(process, seconds=180):
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out, err
