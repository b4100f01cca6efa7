"""supervisor: its configuration, derived from the programs, and its ear, a socket in the home."""

from __future__ import annotations

import os
import resource
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from jobchurn.stack.airflow import CONNECTION_VARIABLES
from jobchurn.stack.gate import Spec
from jobchurn.stack.private import write_private
from jobchurn.stack.processes import STOP_SECONDS
from jobchurn.stack.programs import Program, secret_variables
from jobchurn.stack.record import StackFolder

SOCKET_PATH_BYTES = 107
"""The longest path of a Unix socket on Linux, in bytes."""

TEMPORARY_SUFFIX_BYTES = len(".4194304")
"""supervisor binds a name with its process id appended first; ids end at 2^22."""

RETRIES = 8
"""How often a program that ends at once is started again, with pauses of 1, 2, … seconds."""

SECONDS_TO_BE_STARTED = 60
"""A program that ends sooner than this did not start: the next try has a pause before it."""

LONGEST_STOP = 300
"""Seconds that supervisord may take to end: more than all of its programs together."""

TIED = ("setpriv", "--pdeathsig", "TERM", "--")
"""Before a command that the kernel is to end when its parent dies."""

_ONLY_BELOW = 'test "$PPID" -eq "$0" && exec "$@"'
"""A script that becomes a command where its parent is still the process that is named."""


def socket_path(folder: StackFolder) -> Path:
    """Where supervisord listens: in the home, or, where its path is too long, in a short one."""
    path = folder.run / "supervisor.sock"
    if len(os.fsencode(path)) + TEMPORARY_SUFFIX_BYTES <= SOCKET_PATH_BYTES:
        return path
    return Path(tempfile.mkdtemp(prefix="jobchurn-", dir="/tmp")) / path.name


def write_configuration(
    folder: StackFolder, programs: Iterable[Program], shared: Mapping[str, str]
) -> None:
    """Write supervisor's configuration and each program's spec.

    Paths come in through the environment (:func:`environment`): in supervisor's configuration a
    percent sign, a blank, a semicolon or a hash of a path would be syntax. Logs are named without
    their folder, which is the one that supervisord is started in: their names are expanded twice.

    Args:
        folder: where they go.
        programs: in the order of start.
        shared: the environment of all programs.
    """
    lines = [
        "[supervisord]",
        "nodaemon = true",
        "silent = true",
        "nocleanup = true",
        "logfile = supervisord.log",
        "logfile_maxbytes = 5MB",
        "logfile_backups = 2",
        "pidfile = %(ENV_STACK_RUN)s/supervisord.pid",
        f"minfds = {_limit(resource.RLIMIT_NOFILE, 1024)}",
        f"minprocs = {_limit(resource.RLIMIT_NPROC, 200)}",
        *(["user = root"] if os.geteuid() == 0 else []),
        "",
        "[unix_http_server]",
        "file = %(ENV_STACK_SOCKET)s",
        "chmod = 0700",
        "",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
    ]
    for priority, program in enumerate(programs, start=1):
        spec = Spec(
            command=list(program.command),
            environment={
                **shared,
                **program.environment,
                STOP_SECONDS: str(program.stop_seconds),
            },
            waits=list(program.waits),
            first=[[*TIED, *command] for command in program.first],
            folder=str(program.folder),
        )
        write_private(folder.run / f"{program.name}.json", spec.to_json())
        lines += ["", *_section(program, priority)]
    write_private(_configuration(folder), "\n".join(lines) + "\n")


def _section(program: Program, priority: int) -> list[str]:
    gate = f'{" ".join(TIED)} "%(ENV_STACK_PYTHON)s" -m jobchurn.stack.gate'
    return [
        f"[program:{program.name}]",
        f"command = {gate} {program.name}.json",
        "directory = %(ENV_STACK_RUN)s",
        f"priority = {priority}",
        "autostart = false",
        "autorestart = true",
        f"startsecs = {SECONDS_TO_BE_STARTED}",
        f"startretries = {RETRIES}",
        f"stopsignal = {program.stop_signal}",
        f"stopwaitsecs = {program.stop_seconds}",
        f"stopasgroup = {str(program.signal_group).lower()}",
        "killasgroup = true",
        "redirect_stderr = true",
        f"stdout_logfile = {program.name}.log",
        "stdout_logfile_maxbytes = 10MB",
        "stdout_logfile_backups = 3",
    ]


def command(folder: StackFolder) -> list[str]:
    """The command that runs supervisord until this process dies or it is told to stop."""
    # A parent that died before the kernel was asked to tell of it is found by its number.
    return [
        *(*TIED, "sh", "-c", _ONLY_BELOW, str(os.getpid())),
        *(sys.executable, "-m", "supervisor.supervisord", "-c", str(_configuration(folder))),
    ]


def environment(folder: StackFolder, listening: Path) -> dict[str, str]:
    """The environment in which :func:`command` finds its paths.

    It holds no secrets, in whatever case their variables are written, which settings do not tell
    apart: each program is told its own by its spec, and would inherit all others.
    """
    secret = {*secret_variables(), *CONNECTION_VARIABLES}
    told = {name: value for name, value in os.environ.items() if name.upper() not in secret}
    return told | {
        # Asked to end, it stops its programs one after the other.
        STOP_SECONDS: str(LONGEST_STOP),
        "STACK_RUN": str(folder.run),
        "STACK_SOCKET": str(listening),
        "STACK_PYTHON": sys.executable,
    }


def _configuration(folder: StackFolder) -> Path:
    return folder.run / "supervisor.conf"


def _limit(kind: int, wanted: int) -> int:
    """What supervisord may ask for: it refuses to start where the system's limit is lower."""
    hard = resource.getrlimit(kind)[1]
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
