"""Load on an HTTP door: the most that it answers by ``wrk``, and its latencies by ``h2load``."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Literal

CONNECTIONS = 64

_SCRIPT = Path(__file__).with_name("load.lua")
_PACKAGES = {"wrk": "wrk", "h2load": "nghttp2-client"}
_TIMEOUT_SECONDS = 120
"""The original takes 20 s for an answer under this load."""


def require_tools() -> None:
    """End with 1, naming the packages, where what makes load is missing."""
    missing = [package for tool, package in _PACKAGES.items() if shutil.which(tool) is None]
    if missing:
        sys.stderr.write(
            f"What makes load is missing. On Debian: apt install {' '.join(missing)}\n"
        )
        raise SystemExit(1)


@dataclass(frozen=True)
class Target:
    """A route, what is posted to it, and what it may answer.

    Attributes:
        address: of the route.
        bodies: JSON, of one line each, posted one after the other.
        expected: the answers; for ``prediction`` lines of features, tab and probability.
        check: how answers are looked at: a prediction by its record and probability, anything
            else as a whole.
        keyed: whether each request has an idempotency key of its own.
    """

    address: str
    bodies: Sequence[str]
    expected: Sequence[str]
    check: Literal["prediction", "whole"] = "whole"
    keyed: bool = False


@dataclass(frozen=True)
class Load:
    """What came of one load at the maximum.

    Attributes:
        rate: right answers a second.
        right, wrong, failed: how many answers were right, were not, and did not come.
        milliseconds: percentile → how long answers took.
        example: the first wrong answer.
        acknowledged: the numbers of the predictions that were answered.
    """

    rate: float
    right: int
    wrong: int
    failed: int
    milliseconds: dict[int, float]
    example: str
    acknowledged: list[str] = field(default_factory=list)


def most(target: Target, seconds: float, *, connections: int = CONNECTIONS) -> Load:
    """As many requests as ``connections`` that each wait for their answers come to."""
    with tempfile.TemporaryDirectory(prefix="jobchurn-load-") as name:
        folder = Path(name)
        _write(folder / "bodies", target.bodies)
        _write(folder / "expected", target.expected)
        key = uuid.uuid4().hex if target.keyed else "-"
        printed = subprocess.run(
            [
                *("wrk", "--threads", "1", "--connections", str(connections)),
                *("--duration", f"{seconds:.0f}s", "--timeout", f"{_TIMEOUT_SECONDS}s"),
                *("--script", _SCRIPT, target.address, "--", folder, target.check, key),
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        acknowledged = [
            line for path in folder.glob("acknowledged-*") for line in path.read_text().split()
        ]
    found = dict(line.split(" ", 1) for line in printed.split("\nresult\n")[1].splitlines())
    return Load(
        rate=int(found["right"]) / (int(found["microseconds"]) / 1e6),
        right=int(found["right"]),
        wrong=int(found["wrong"]),
        failed=int(found["failed"]),
        milliseconds={share: int(found[f"p{share}"]) / 1_000 for share in (50, 90, 99)},
        example=found["example"],
        acknowledged=acknowledged,
    )


@dataclass(frozen=True)
class Latencies:
    """How long answers took at a fixed rate.

    Attributes:
        requests: how many were answered, all of them with 200.
        milliseconds: percentile → how long.
    """

    requests: int
    milliseconds: dict[int, float]


def latencies(
    address: str, body: str, *, rate: float, seconds: float, connections: int = CONNECTIONS
) -> Latencies:
    """How long answers take while so many requests a second are sent over all connections.

    Raises:
        SystemExit: a request failed.
    """
    each = max(1, round(rate * seconds / connections))
    with tempfile.TemporaryDirectory(prefix="jobchurn-load-") as name:
        data, log = Path(name, "body"), Path(name, "log")
        data.write_text(body, encoding="utf-8")
        subprocess.run(
            [
                *("h2load", "--h1", "--threads", "1", "--clients", str(connections)),
                *("--requests", str(each * connections), "--rps", f"{rate / connections:.3f}"),
                *("--data", data, "--header", "content-type: application/json"),
                *(f"--log-file={log}", address),
            ],
            capture_output=True,
            check=True,
        )
        lines = [line.split("\t") for line in log.read_text().splitlines()]
    refused = [status for _, status, _ in lines if status != "200"]
    if refused or len(lines) != each * connections:
        raise SystemExit(
            f"{address} at {rate:.0f}/s: {len(lines)} of {each * connections} answers came, "
            f"{len(refused)} of them not with 200."
        )
    times = [int(time) / 1_000 for _, _, time in lines]
    cuts = quantiles(times, n=1_000, method="inclusive")
    shares = {50: cuts[499], 90: cuts[899], 99: cuts[989]}
    return Latencies(len(times), shares)


def _write(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
