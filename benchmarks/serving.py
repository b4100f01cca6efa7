"""How many predictions of one record are made durable a second, and how soon they are answered.

Figures 1 to 4. The API runs as a process of its own over an embedded PostgreSQL, with a model that
was trained on the built-in data; request log, metrics and history are on, and each request has an
idempotency key of its own. By turns with it run: a constant route of the same process, which
validates the same body in the same way; FastAPI with a pydantic body and a constant answer; other
servers of models; and the original's path. All are asked by the same wrk with the same records.

Every answer is looked at, also under load: it has to be the one that the same record was given
alone, by another process. What was acknowledged has to be in the database, and nothing that was not
asked for; otherwise this ends with 1 and keeps nothing.

The other servers work also where nobody asks them anything: some look for work without end. So each
runs only while it is asked, and none while ours is held against its own constant route.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import median
from subprocess import CalledProcessError

import httpx

from benchmarks import constant_route, machine, options, plain_route
from benchmarks.house import House, new_house, records
from benchmarks.ledger import Ledger
from benchmarks.load import Latencies, Load, Target, latencies, most, require_tools
from benchmarks.measuring import by_turns, ratio
from benchmarks.peers.environments import InstallFailed
from benchmarks.peers.original_path import CONNECTIONS as FEW
from benchmarks.peers.original_path import running_original, train_original
from benchmarks.peers.servers import PEERS, Peer, Trees
from benchmarks.processes import cpu_seconds
from benchmarks.results import Measurement, report
from jobchurn.contract import Value
from jobchurn.model.encode import Encoder

OURS, CONSTANT, PLAIN, ORIGINAL = "jobchurn", "constant route", "plain FastAPI", "the original"

RECORDS = 200
"""How many different records are asked for."""

QUICK_PEER = "LitServe"
"""The fastest of them: the only one that is measured where it is to be quick."""

_HEADERS = {"content-type": "application/json"}


@dataclass
class Serving:
    """What is measured, and what was found.

    Attributes:
        house: over which the API runs.
        seconds: how long each load lasts.
        ledger: what was acknowledged, against what is kept.
        targets: by name, what is asked all the time.
        loads: by name, what came of each load.
        cpu: by name, how many microseconds of its process each answer of a load took.
        remarks: what a reader has to know.
        versions: of the peers that ran.
    """

    house: House
    seconds: float
    ledger: Ledger
    targets: dict[str, Target] = field(default_factory=dict)
    loads: dict[str, list[Load]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)

    def rate(self, name: str) -> float:
        """Right answers a second of one load on a target."""
        process = self.house.processes.get(self.targets[name].address.rpartition("/")[0])
        before = cpu_seconds(process) if process else 0
        found = most(self.targets[name], self.seconds)
        if process and found.right:
            took = (cpu_seconds(process) - before) / found.right
            self.cpu.setdefault(name, []).append(1e6 * took)
        if name == OURS:
            self.ledger.acknowledge(found)
        return self._noted(name, found)

    def rate_of_peer(self, peer: Peer, trees: Trees, bodies: Sequence[str]) -> float:
        """The same of another server, begun and ended with it."""
        with peer.running(trees) as address:
            # It has answered every record before it is measured.
            target = Target(address, bodies, _answers(address, bodies))
            return self._noted(peer.name, most(target, self.seconds))

    def rate_of_original(self, bodies: Sequence[str]) -> float:
        """The same of the original, begun and ended with it: it works on long after the load."""
        with running_original(self.house) as address:
            expected = _answers(address, bodies[: 2 * FEW])
            target = Target(address, bodies[: 2 * FEW], expected)
            return self._noted(ORIGINAL, most(target, 2 * self.seconds, connections=FEW))

    def _noted(self, name: str, found: Load) -> float:
        self.loads.setdefault(name, []).append(found)
        if found.wrong or found.failed:
            said = f"{name}: {found.wrong} wrong answers, {found.failed} failures {found.example}"
            if name in (OURS, CONSTANT, PLAIN):
                raise SystemExit(said)
            self.remarks.append(said)
        return found.rate

    def milliseconds(self, name: str, share: int) -> str:
        """A percentile of the time to answer under full load, in the median of the loads."""
        return f"{median(load.milliseconds[share] for load in self.loads[name]):.1f} ms"


def main() -> None:
    """Measure, check, and report."""
    asked = options.read(options.parser_of(__doc__, rounds=5, quick=2))
    require_tools()
    with new_house() as house, ExitStack() as stack:
        serving = Serving(house, 2 if asked.quick else 5, Ledger(house))
        given = records(house, RECORDS)
        bodies = [json.dumps({"records": [record]}) for record in given]
        _ours(serving, bodies, stack)
        own = by_turns(
            {name: partial(serving.rate, name) for name in serving.targets}, rounds=asked.rounds
        )
        late = _latencies(serving, bodies[0], median(own[OURS]) / 2, asked.rounds)
        sides = _peers(serving, given, quick=asked.quick)
        train_original(house)
        sides[ORIGINAL] = partial(serving.rate_of_original, bodies)
        sides = {OURS: partial(serving.rate, OURS), **sides}
        # All are warm: ours has been asked, and the others are each time that they are begun.
        others = by_turns(sides, rounds=asked.rounds, warm_up=0)
        kept = serving.ledger.check()
        versions = machine.versions("fastapi", "uvicorn", "pydantic", "lightgbm")
        versions["PostgreSQL"] = house.postgres_version
    for measurement in _measurements(serving, own, others, late, versions, kept):
        report(measurement, keep=asked.keep)


def _ours(serving: Serving, bodies: Sequence[str], stack: ExitStack) -> None:
    """Ask a process of the API for every record alone; then start those that are to be measured."""
    with serving.house.api() as address:
        answers = _answers(f"{address}/predict", bodies)
    serving.ledger.add(len(answers))
    answer = serving.house.home / "benchmark-answer"
    answer.write_text(answers[0], encoding="utf-8")
    told = {"BENCHMARK_ANSWER": str(answer)}
    address = stack.enter_context(serving.house.api(constant_route.__name__, **told))
    plain = stack.enter_context(serving.house.api(plain_route.__name__, **told))
    expected = [known(text) for text in answers]
    targets = serving.targets
    targets[OURS] = Target(f"{address}/predict", bodies, expected, "prediction", keyed=True)
    targets[CONSTANT] = Target(f"{address}{constant_route.PATH}", bodies, answers[:1], keyed=True)
    targets[PLAIN] = Target(f"{plain}{plain_route.PATH}", bodies, answers[:1], keyed=True)


def known(answer: str) -> str:
    """What describes the record, a tab, and its probability: as they stand in the answer."""
    features = re.search(r'"features":(\[.*?\])', answer)
    probability = re.search(r'"probability":([^,}]+)', answer)
    if not features or not probability:
        raise SystemExit(f"The API answered with something else: {answer}")
    return f"{features[1]}\t{probability[1]}"


def _answers(address: str, bodies: Sequence[str]) -> list[str]:
    """What each is answered when it is asked alone."""
    with httpx.Client(timeout=60, headers=_HEADERS) as client:
        found = [client.post(address, content=body) for body in bodies]
    for answer in found:
        if answer.status_code != 200:
            raise SystemExit(f"{address} answered with {answer.status_code}: {answer.text}")
    return [answer.text for answer in found]


def _peers(
    serving: Serving, given: Sequence[Mapping[str, Value]], *, quick: bool
) -> dict[str, Callable[[], float]]:
    """The others over the same trees, each asked for the same records as numbers.

    Each is begun once, to see that it runs here.
    """
    services = serving.house.services
    model = services.registry.champion()
    trees = Trees(serving.house.home / "peers" / "trees.txt")
    trees.path.parent.mkdir()
    trees.path.write_text(model.text, encoding="utf-8")
    rows = Encoder(services.contract, model.levels).matrix(given).tolist()
    found: dict[str, Callable[[], float]] = {}
    for peer in PEERS:
        if quick and peer.name != QUICK_PEER:
            continue
        bodies = peer.bodies(trees, rows)
        try:
            with peer.running(trees) as address:
                _answers(address, bodies)
        except (InstallFailed, CalledProcessError, SystemExit) as error:
            serving.remarks.append(
                f"{peer.name} {peer.version} does not run here: {str(error)[:300]}"
            )
            continue
        serving.versions[peer.name] = peer.version
        found[peer.name] = partial(serving.rate_of_peer, peer, trees, bodies)
    return found


def _latencies(
    serving: Serving, body: str, rate: float, rounds: int
) -> dict[str, dict[int, Sequence[float]]]:
    """By name and percentile, how long answers take at a fixed rate: one number a round."""
    found: dict[str, list[Latencies]] = {OURS: [], CONSTANT: []}

    def side(name: str) -> Callable[[], float]:
        def measure() -> float:
            took = latencies(
                serving.targets[name].address, body, rate=rate, seconds=serving.seconds
            )
            if name == OURS:
                serving.ledger.add(took.requests)
            found[name].append(took)
            return took.milliseconds[99]

        return measure

    by_turns({name: side(name) for name in found}, rounds=rounds)
    return {
        name: {share: [took.milliseconds[share] for took in all_[-rounds:]] for share in (50, 99)}
        for name, all_ in found.items()
    }


def _measurements(
    serving: Serving,
    own: Mapping[str, Sequence[float]],
    others: Mapping[str, Sequence[float]],
    late: Mapping[str, Mapping[int, Sequence[float]]],
    versions: Mapping[str, str],
    kept: str,
) -> Iterator[Measurement]:
    """The figures of what was found beside our own routes, and beside others."""

    def against(number: str, other: str, *remarks: str, **more: str) -> Measurement:
        rates = own if other in own else others
        told = {name: _a_second(rates[name]) for name in (OURS, other)} | more
        compared = ratio(rates[OURS], rates[other])
        return Measurement(number, compared, len(rates[OURS]), told, versions, remarks)

    yield against(
        "1",
        CONSTANT,
        kept,
        "Under full load half of the answers of jobchurn took at most "
        f"{serving.milliseconds(OURS, 50)}, and 99% {serving.milliseconds(OURS, 99)}; of the "
        f"constant route {serving.milliseconds(CONSTANT, 50)} and "
        f"{serving.milliseconds(CONSTANT, 99)}.",
        "An answer took the API's process "
        + ", ".join(f"{median(took):.0f} µs ({name})" for name, took in serving.cpu.items())
        + " of processor time, which depends little on what else the machine does.",
    )
    yield against("1b", PLAIN)
    peers = [peer.name for peer in PEERS if peer.name in others]
    if peers:
        best = max(peers, key=lambda name: median(others[name]))
        told = {name: _a_second(others[name]) for name in peers}
        yield replace(
            against("2", best, *serving.remarks, **told),
            versions={**versions, **serving.versions},
        )
    yield against("3", ORIGINAL, f"The original is asked over {FEW} connections, its best.")
    half = median(own[OURS]) / 2
    yield Measurement(
        "4",
        ratio(late[OURS][99], late[CONSTANT][99]),
        len(own[OURS]),
        absolute={
            f"{name} {share}%": f"{median(times):.1f} ms"
            for name, shares in late.items()
            for share, times in shares.items()
        }
        | {"at": f"{half:,.0f}/s"},
        versions=versions,
    )


def _a_second(rates: Sequence[float]) -> str:
    """Their median, with two digits at least."""
    rate = median(rates)
    return f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s"


if __name__ == "__main__":
    main()
