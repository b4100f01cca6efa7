"""The steps of `.ci/run`, some of which run beside others: none is lost, and no failure of one."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

STEPS = Path(__file__).parents[2] / ".ci" / "steps.sh"

HEAD = """
set -euo pipefail
work=$1 limit=$2
. "$0"
trap end_steps EXIT
trap 'exit 143' TERM
"""


@pytest.fixture
def begin(tmp_path):
    """Begins a script of steps."""

    def begin(script, limit=300):
        return subprocess.Popen(
            ["bash", "-c", HEAD + script, STEPS, tmp_path, str(limit)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return begin


def ended(process):
    out, _ = process.communicate(timeout=120)
    return process.returncode, out


def lines_of(out):
    """The lines of the summary: outcome, name, and how a step failed."""
    rows = out.rpartition("summary, after")[2].splitlines()[1:]
    return [(row.split()[0], row.split(" s  ")[1]) for row in rows]


TWO = """
others() { aside 2 "the second" %s; aside 4 "the fourth" %s; }
begin_beside others
step 1 "the first" %s
step 3 "the third" %s
summary
"""


def test_all_steps_are_told_of_in_order_with_what_they_print(begin):
    code, out = ended(begin(TWO % ("echo two", "echo four", "echo one", "echo three")))
    assert code == 0
    assert [(name, word) for word, name in lines_of(out)] == [
        ("the first", "passed"),
        ("the second", "passed"),
        ("the third", "passed"),
        ("the fourth", "passed"),
    ]
    places = [out.index(f"\n{word}\n") for word in ("one", "three", "two", "four")]
    assert places == sorted(places)


@pytest.mark.parametrize("number", range(4))
def test_each_failure_fails_the_whole_and_the_others_are_tried(begin, number):
    commands = ["true"] * 4
    commands[number] = "sh -c 'exit 3'"
    code, out = ended(begin(TWO % tuple(commands)))
    assert code == 1
    assert sorted(word for word, _ in lines_of(out)) == ["FAILED", "passed", "passed", "passed"]
    [failed] = [name for word, name in lines_of(out) if word == "FAILED"]
    assert failed.endswith("(3)")


def test_the_first_failure_within_a_step_ends_it(begin):
    code, out = ended(begin('two() { false; echo on; }; step 1 "it" two; summary'))
    assert code == 1
    assert "\non\n" not in out


@pytest.mark.parametrize("how", ["step", "aside"])
def test_a_step_that_is_killed_has_failed(begin, how):
    script = f"others() {{ {how} 1 'it' sh -c 'kill -KILL $$'; }}; begin_beside others; summary"
    code, out = ended(begin(script))
    assert (code, lines_of(out)) == (1, [("FAILED", "it (137)")])


def test_steps_whose_shell_is_killed_have_failed(begin):
    script = """
    others() { kill -KILL "$BASHPID"; }
    begin_beside others
    step 1 "it" true
    summary
    """
    code, out = ended(begin(script))
    assert (code, lines_of(out)) == (1, [("passed", "it")])


@pytest.mark.parametrize("how", ["step", "aside"])
def test_a_step_that_hangs_is_ended_with_all_that_it_has_started(begin, how, tmp_path):
    hangs = f"sh -c 'sleep 1000 & echo $! >{tmp_path}/pid; wait'"
    code, out = ended(begin(f'{how} 1 "it" {hangs}; step 2 "next" true; summary', limit=1))
    assert "it: not ended after 1 s" in out
    assert (code, lines_of(out)) == (1, [("FAILED", "it (143)"), ("passed", "next")])
    assert has_ended(int((tmp_path / "pid").read_text()))


def test_who_asks_it_to_end_leaves_nothing_behind(begin, tmp_path):
    hangs = "sh -c 'echo $$ >{}; exec sleep 1000'"
    pids = [tmp_path / "one", tmp_path / "two"]
    process = begin(
        f'others() {{ aside 1 "one" {hangs.format(pids[0])}; }}; begin_beside others;'
        f'step 2 "two" {hangs.format(pids[1])}; summary'
    )
    deadline = time.monotonic() + 60
    while not all(path.exists() and path.read_text().strip() for path in pids):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == 143
    assert all(has_ended(int(path.read_text())) for path in pids)


def has_ended(pid):
    """Whether a process ends soon: that it was told to is all that is known at first."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False
