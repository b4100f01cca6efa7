"""Runs the stack's commands with toys in place of the API and the web app; used by test_stack.py.

The toys are a web server that answers ``/ready``, and a program that leaves grandchildren behind in
sessions of their own. Behaviour is steered by files in ``$TOYS``: ``broken`` makes the API fail.
Pauses are short unless ``PATIENT`` is in the environment, and silence is not borne for long where
``IMPATIENT`` is; ``PLANT`` names a fault of the stack's, and ``SWEEP`` the script that tidies up:
without it nobody does.
"""

import errno
import json
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

from jobchurn import postgres
from jobchurn.errors import DataUnusable, JobchurnError
from jobchurn.settings import read_settings
from jobchurn.stack import (
    airflow,
    control,
    guard,
    history,
    keeper,
    plan,
    processes,
    programs,
    services,
    supervision,
    tidier,
)
from jobchurn.stack.programs import Program
from jobchurn.stack.up import up

TOYS = Path(os.environ["TOYS"])

API = """
import http.server, pathlib, sys
if pathlib.Path("broken").exists():
    sys.exit("the toy is broken")
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/ready" else 404)
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""

BREEDER = """
import http.server, os, signal, subprocess, sys, time
child = [sys.executable, "-c", "import signal, time; time.sleep(600)"]
subprocess.Popen(child, start_new_session=True)
subprocess.Popen([sys.executable, "-c", f"import subprocess; subprocess.run({child})"])
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""


def _nothing_restarts():
    section = supervision._section

    def planted(program, priority):
        changed = {"autorestart = true": "autorestart = false", "startsecs = 60": "startsecs = 0"}
        return [changed.get(line, line) for line in section(program, priority)]

    supervision._section = planted


def _orphans_are_left():
    processes.Orphans.end = lambda *_, **__: set()


def _nobody_looks_after_supervisord():
    keeper.Keeper._revive = lambda self: self._signals.sleep(3600)


def _nobody_looks_after_the_keeper():
    real = guard.Guard._end_orphans

    def planted(self):
        real(self)
        self._signals.sleep(3600)

    guard.Guard._end_orphans = planted


def _full_disk():
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    keeper.write_private = full


PLANTS = {
    "what ends is not restarted": _nothing_restarts,
    "orphans are left": _orphans_are_left,
    "a killed supervisord stays away": _nobody_looks_after_supervisord,
    "a killed keeper stays away": _nobody_looks_after_the_keeper,
    "the disk is full": _full_disk,
}


def install_toys():
    services.CHECKOUT = airflow.CHECKOUT = TOYS
    keeper.WATCH_SECONDS = 0.3
    if "IMPATIENT" in os.environ:
        keeper.SILENCE_SECONDS = 2.0
    if "PATIENT" not in os.environ:
        supervision.RETRIES = 1
        keeper.REST_SECONDS = 1.0
        history.WINDOW_SECONDS = history.STEADY_SECONDS = 3.0
    sweep = os.environ.get("SWEEP")
    if sweep is None:
        plan.Plan.owners_environment = None
    keeper.Tidier = partial(tidier.Tidier, command=("sh", "-c", sweep or ""))
    if "PLANT" in os.environ:
        PLANTS[os.environ["PLANT"]]()
    settings = read_settings()
    programs.api_program = lambda *_: Program(
        name="api",
        command=(sys.executable, "-c", API, str(settings.api_port)),
        folder=TOYS,
    )
    programs.webapp_program = lambda *_: Program(
        name="webapp",
        command=(sys.executable, "-c", BREEDER, str(settings.webapp_port)),
        folder=TOYS,
        stop_seconds=2,
    )
    return settings


def prepare(settings, full, keys):
    with (TOYS / "prepared").open("a") as log:
        log.write(f"{full}\n")
    if (TOYS / "unusable").exists():
        raise DataUnusable("The toy data cannot be used.", "Make other data.")
    if (TOYS / "slow").exists():
        time.sleep(600)
    with postgres.serving(settings) as url:
        assert url == os.environ.get("DATABASE_URL", url)


def main(command, *rest):
    settings = install_toys()
    match command:
        case "up":
            only = next((one[7:].split(",") for one in rest if one.startswith("--only=")), None)
            return up(settings, prepare=prepare, only=only, detach="--detach" in rest)
        case "down":
            sys.stdout.write(f"{control.down(settings)}\n")
        case "status":
            states = [state.to_dict() for state in control.status(settings)]
            sys.stdout.write(json.dumps(states))
        case "env":
            sys.stdout.write(json.dumps(control.environment(settings)))
        case "reset":
            sys.stdout.write(json.dumps([str(path) for path in control.reset(settings)]))
    return 0


if __name__ == "__main__":
    # Where the tests run under nohup, a hang-up is ignored, and the stack would leave it so.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        sys.exit(main(*sys.argv[1:]))
    except JobchurnError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        sys.exit(error.exit_code)
