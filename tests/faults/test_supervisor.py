"""Everything that keeps the stack is killed: it comes back by itself, and nothing is left behind.

The stack is watched from outside, by its processes and by what ``jobchurn status`` says. *Its
shape* is which programs run and how many of each; PostgreSQL's own children come and go, and only
its server counts. So does who tidies up the database: it ends by itself, and is waited for.
"""

import json
import os
import random
import re
import signal
import statistics
import time
from collections import Counter, defaultdict
from itertools import pairwise

import pytest

from jobchurn import synth
from stacks import REAL, Stack, eventually, parent
from webhook import listener

ROUNDS = int(os.environ.get("TORTURE_SUPERVISOR_ROUNDS", "50"))
"""How often the long form kills something."""

RECOVERY_SECONDS = 300
PLANTED_SECONDS = 8
"""How long a stack in which a fault is planted may try to recover: it cannot."""

TIDYING = "jobchurn.cli tidy"
TOY_SERVICES = ("postgres", "api", "webapp")


@pytest.fixture
def stacks(tmp_path):
    made = []

    def make(services=TOY_SERVICES, **how):
        folder = tmp_path / f"stack-{len(made)}"
        folder.mkdir()
        made.append(Stack(folder, database=None, **how))
        made[-1].services = services
        done = made[-1].command("up", "--detach", f"--only={','.join(services)}", timeout=900)
        assert done.returncode == 0, done.stdout + done.stderr
        return made[-1]

    tmp_path.chmod(0o755)
    yield make
    for one in made:
        one.end()


def shape(stack):
    """How many processes of each program there are; titles without what differs each time."""
    names = (re.sub(r"\d+", "#", name) for name in stack.processes().values())
    return Counter(name for name in names if not name.startswith("postgres:"))


def is_well(stack, wanted):
    return shape(stack) == wanted and stack.are_up(stack.services)


def targets(stack):
    """What may be killed, by name; the guard is not among it."""
    found = {"keeper": stack.keeper(), "supervisord": stack.supervisord()}
    for name in stack.services:
        if (pid := stack.pid(name)) is not None:
            found[name] = pid
    server = found.get("postgres")
    workers = [pid for pid in stack.processes() if server and parent(pid) == server]
    if workers:
        found["a child of postgres"] = random.choice(workers)
    return found


def kill(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue  # it ended by itself, as PostgreSQL's children do


def trouble_after_killing(stack, names, wanted, seconds=RECOVERY_SECONDS):
    """What is wrong once these were killed and time has passed; and how long it was wrong."""
    found = targets(stack)
    victims = [found[name] for name in names if name in found]
    begun = time.monotonic()
    kill(victims)
    while time.monotonic() - begun < seconds:
        # Twice, as what is about to end still counts.
        gone = not {pid for pid in victims if pid in stack.processes()}
        if gone and is_well(stack, wanted) and is_well(stack, wanted):
            return "", time.monotonic() - begun
    more, fewer = shape(stack) - wanted, wanted - shape(stack)
    return f"killed {names}: left {dict(more)}, missing {dict(fewer)}, {stack.states()}", seconds


def kill_in_a_loop(stack, rounds, figures, of):
    """Kill something in each round, two things at once in each third one."""
    chance = random.Random(rounds)
    wanted = eventually(lambda: stack.are_up(stack.services) and steady_shape(stack))
    seconds, killed = defaultdict(list), Counter()
    for number in range(rounds):
        names = sorted(targets(stack))
        victims = chance.sample(names, 2 if number % 3 == 2 else 1)
        if number < len(names):
            victims[0] = names[number]  # each of them once at least
        victims = list(dict.fromkeys(victims))
        wrong, took = trouble_after_killing(stack, victims, wanted)
        assert not wrong
        killed.update(victims)
        seconds["together" if len(victims) > 1 else victims[0]].append(took)
    guard = stack.guard()
    kill([guard])
    begun = time.monotonic()
    eventually(lambda: not stack.processes(), RECOVERY_SECONDS)
    seconds["the guard (until nothing is left)"].append(time.monotonic() - begun)
    assert set(stack.states().values()) == {"stopped"}
    again = stack.command("up", "--detach", f"--only={','.join(stack.services)}", timeout=900)
    assert again.returncode == 0, again.stderr
    assert stack.command("down", timeout=400).returncode == 0
    assert not stack.processes()
    figures(
        f"{rounds} × kill -9 of {of}",
        killed=dict(killed),
        seconds={
            name: f"{statistics.median(taken):.1f} / {max(taken):.1f}"
            for name, taken in sorted(seconds.items())
        },
    )


def steady_shape(stack):
    """The stack's shape, where it stays for a moment and nobody tidies up; else nothing."""
    before = shape(stack)
    time.sleep(1)
    tidying = any(TIDYING in title for title in before)
    return before if shape(stack) == before and not tidying else None


def test_what_is_killed_of_a_small_stack_comes_back_and_nothing_is_left(stacks, figures):
    kill_in_a_loop(stacks(), 2, figures, "the stack's processes, with toys for the API and the web")


@pytest.mark.torture
def test_what_is_killed_in_a_long_loop_comes_back_and_nothing_is_left(stacks, figures, tmp_path):
    synth.write_csv(tmp_path / "some.csv", rows=1500, seed=7)
    stack = stacks(
        program=REAL, OMP_NUM_THREADS="1", JOBCHURN_CSV=str(tmp_path / "some.csv"), START_FILES="3"
    )
    kill_in_a_loop(stack, ROUNDS, figures, "the stack's processes")


@pytest.mark.parametrize(
    ("plant", "victim"),
    [
        ("what ends is not restarted", "api"),
        ("orphans are left", "webapp"),
        ("a killed supervisord stays away", "supervisord"),
        ("a killed keeper stays away", "keeper"),
    ],
)
def test_a_planted_fault_is_noticed(stacks, plant, victim):
    stack = stacks(PLANT=plant)
    wanted = eventually(lambda: steady_shape(stack))
    assert trouble_after_killing(stack, [victim], wanted, PLANTED_SECONDS)[0]
    for pid in stack.processes():  # the plant may keep `down` from ending it
        kill([pid])


def cards(hook):
    return [json.loads(content) for _, _, content in hook.received]


def test_a_crash_loop_backs_off_is_reported_everywhere_once_and_is_told_to_be_over(stacks):
    with listener() as hook:
        stack = stacks(services=("api",), TEAMS_WEBHOOK=hook.webhook, WEBHOOK_HOSTS="127.0.0.1")
        (stack.toys / "broken").touch()
        kill([stack.pid("api")])
        eventually(lambda: len(spawned(stack)) >= 6)
        row = eventually(lambda: next((r for r in stack.status() if r["failing"]), None))
        assert row["name"] == "api"
        assert row["last_words"] == "the toy is broken"
        assert row["since"].endswith("+00:00")
        eventually(lambda: cards(hook))
        (stack.toys / "broken").unlink()
        eventually(lambda: stack.are_up(["api"]))
        eventually(lambda: len(cards(hook)) == 2)
        [row] = [row for row in stack.status() if row["name"] == "api"]
        assert not row["failing"]
        assert row["restarts"] >= 1
    log = (stack.home / "logs" / "up.log").read_text()
    assert "api is failing: " in log
    assert "  the toy is broken" in log
    assert "api is well again" in log
    first, second = map(json.dumps, cards(hook))
    assert "Critical: api fails" in first
    assert "Over: api fails" in second
    assert "the toy is broken" not in first + second


def test_who_stops_what_fails_and_starts_it_anew_calls_the_alarm_off(stacks):
    with listener() as hook:
        stack = stacks(services=("api",), TEAMS_WEBHOOK=hook.webhook, WEBHOOK_HOSTS="127.0.0.1")
        (stack.toys / "broken").touch()
        kill([stack.pid("api")])
        eventually(lambda: cards(hook))
        stack.command("down")
        (stack.toys / "broken").unlink()
        assert stack.command("up", "--only=api", "--detach").returncode == 0
        eventually(lambda: len(cards(hook)) == 2)
    first, second = map(json.dumps, cards(hook))
    assert "Critical: api fails" in first
    assert "Over: api fails" in second


def spawned(stack):
    """When supervisord started the API, in seconds."""
    lines = re.findall(
        r"^(\S+ \S+),(\d+) INFO spawned: 'api'", stack.log("supervisord"), re.MULTILINE
    )
    return [
        time.mktime(time.strptime(moment, "%Y-%m-%d %H:%M:%S")) + int(thousandths) / 1000
        for moment, thousandths in lines
    ]


def test_the_pauses_of_a_crash_loop_grow(stacks):
    stack = stacks(services=("api",), PATIENT="yes")
    (stack.toys / "broken").touch()
    kill([stack.pid("api")])
    begun = len(spawned(stack))
    eventually(lambda: len(spawned(stack)) >= begun + 4)
    pauses = [later - earlier for earlier, later in pairwise(spawned(stack)[begun:])]
    # As long as supervisor promises at least; a slow machine makes them longer.
    assert all(pause > least - 0.1 for pause, least in zip(pauses, (2, 3, 4), strict=False))
