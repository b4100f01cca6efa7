"""What ten million kept predictions cost those who look at them: pages, exports, and memory.

Usage: ``python -m benchmarks.history [--quick] [--dry] [--rounds N] [--folder FOLDER]``

Figures 10, 11 and 11b. Two databases on one embedded server, one of ten thousand predictions and
one of ten million (``--quick``: 200,000), each with an API of its own. The first page of
``/past-predictions`` is asked of both in turns over HTTP, by every filter there is; what counts is
the filter that fares worst. Then the newest million of the large one (``--quick``: 100,000) is
exported in turns: by the API, read by ``curl`` into nothing, and by ``psql``'s COPY of the same
query into nothing. Pages are compared with what SQL says, and both exports with each other, row by
row. Memory is the greatest resident size of an API's process while it exports, a fresh one for each
size.

Filling takes some minutes and some 5 GB of disk; ``--folder`` keeps the databases in a folder, and
uses them where they are there already.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psycopg

from benchmarks import machine, options
from benchmarks.measuring import Spread, by_turns, ratio, seconds_of
from benchmarks.processes import free_port
from benchmarks.results import Measurement, report
from benchmarks.stored import ask, database_of
from jobchurn.contract import JOB_CHANGE
from jobchurn.postgres import serving
from jobchurn.settings import Settings

FEW, FEW_DAYS = 10_000, 2
DAYS = 60
NOTHING = Path(os.devnull)


@dataclass(frozen=True)
class House:
    """A database, and an API over it.

    Attributes:
        url: of the database.
        rows: how many predictions there are.
        days: over how many days they are spread.
        end: the midnight after the last of them.
        address: of the API.
        pid: the API's process.
    """

    url: str
    rows: int
    days: int
    end: datetime
    address: str
    pid: int

    def day(self, before_end: int) -> str:
        """A day as the API is told it; 1 is the last one that has predictions."""
        return f"{self.end - timedelta(days=before_end):%Y-%m-%d}"


def main() -> None:
    """Fill, check, measure and report."""
    parser = options.parser_of(__doc__, rounds=21)
    parser.add_argument("--folder", type=Path, help="keeps the databases")
    asked = options.read(parser)
    rows, days = (200_000, 30) if asked.quick else (10_000_000, 6)
    with ExitStack() as stack:
        home = asked.folder or Path(stack.enter_context(_temporary()))
        home.mkdir(parents=True, exist_ok=True)
        settings = Settings(jobchurn_home=home, database_url=None, postgres_port=free_port())
        server = stack.enter_context(serving(settings))
        few = database_of(server, FEW, FEW_DAYS), FEW_DAYS
        many = database_of(server, rows, DAYS), DAYS
        with _house(home, *few) as small, _house(home, *many) as large:
            _check_pages(small, large)
            report(_pages(small, large, asked.rounds), keep=asked.keep)
            exported = _check_exports(large, days)
            # An export of a million rows is a long measurement: a third of the rounds will do.
            rounds = max(3, asked.rounds // 3)
            report(_exports(large, days, exported, rounds), keep=asked.keep)
        report(_memory(home, *many, days, exported), keep=asked.keep)


# --- pages ------------------------------------------------------------------------------------


def _pages(few: House, many: House, rounds: int) -> Measurement:
    """Figure 10, of the filter that fares worst."""
    found: dict[str, tuple[Spread, Spread, Spread]] = {}
    with httpx.Client(timeout=120) as client:
        for what, wanted in _filters().items():
            sides = {
                house.url: seconds_of(partial(_page, client, house, wanted(house)))
                for house in (few, many)
            }
            times = by_turns(sides, rounds=rounds, warm_up=3)
            over_few, over_many = times[few.url], times[many.url]
            value = ratio(over_many, over_few)
            found[what] = value, Spread.of(over_few), Spread.of(over_many)
    worst = max(found, key=lambda what: found[what][0].median)
    value, small, large = found[worst]
    others = ", ".join(f"{what} {one.median:.2f}" for what, (one, _, _) in found.items())
    return Measurement(
        "10",
        value,
        rounds,
        absolute={
            f"over {few.rows:,}": f"{small.median * 1e3:.1f} ms",
            f"over {many.rows:,}": f"{large.median * 1e3:.1f} ms",
        },
        versions=_versions(many.url),
        remarks=(f"The filter that fares worst is: {worst}. All of them: {others}.",),
    )


def _filters() -> dict[str, Callable[[House], dict[str, str]]]:
    """Pages that are full in both databases, by what they hold."""
    return {
        "everything": lambda _: {},
        "one source": lambda _: {"source": "webapp"},
        "the newest day": lambda house: {"start": house.day(1), "end": house.day(1)},
        "the oldest day": lambda house: {
            "start": house.day(house.days),
            "end": house.day(house.days),
        },
        "up to the oldest day": lambda house: {"end": house.day(house.days)},
        "since the oldest day": lambda house: {"start": house.day(house.days)},
        "one source up to the oldest day": lambda house: {
            "end": house.day(house.days),
            "source": "scheduled",
        },
    }


def _page(client: httpx.Client, house: House, wanted: Mapping[str, str]) -> Any:
    answer = client.get(f"{house.address}/past-predictions", params=dict(wanted))
    if answer.status_code != httpx.codes.OK:
        raise SystemExit(f"A page was answered with {answer.status_code}: {answer.text}")
    return answer.json()


def _check_pages(*houses: House) -> None:
    """The first two pages of each kind hold what SQL says."""
    with httpx.Client(timeout=120) as client:
        for house in houses:
            for wanted in (of_house(house) for of_house in _filters().values()):
                first = _page(client, house, wanted)
                cursor = {"cursor": first["next"]} if first["next"] else {}
                second = _page(client, house, {**wanted, **cursor})["rows"] if cursor else []
                found = [row["id"] for row in (*first["rows"], *second)]
                if found != _newest(house, wanted, len(found)) or len(first["rows"]) != 200:
                    raise SystemExit(f"The pages of {wanted} do not hold what SQL says.")


def _newest(house: House, wanted: Mapping[str, str], count: int) -> list[int]:
    start = wanted.get("start", "0001-01-01")
    end = datetime.fromisoformat(wanted.get("end", "9000-01-01")) + timedelta(days=1)
    with psycopg.connect(house.url) as connection:
        rows = connection.execute(
            "SELECT id FROM predictions WHERE created_at >= %s::date AND created_at < %s "
            "AND source = coalesce(%s, source) ORDER BY created_at DESC, id DESC LIMIT %s",
            [start, end.replace(tzinfo=UTC), wanted.get("source"), count],
        )
        return [number for (number,) in rows]


# --- exports ----------------------------------------------------------------------------------


def _exports(house: House, days: int, rows: int, rounds: int) -> Measurement:
    """Figure 11: CSV counts, Parquet is told."""
    sides = {
        "psql's COPY": seconds_of(lambda: _psql(house, days, NOTHING)),
        "CSV": seconds_of(lambda: _curl(house, days, NOTHING)),
        "Parquet": seconds_of(lambda: _curl(house, days, NOTHING, "parquet")),
    }
    times = by_turns(sides, rounds=rounds)
    parquet = ratio(times["psql's COPY"], times["Parquet"])
    return Measurement(
        "11",
        ratio(times["psql's COPY"], times["CSV"]),
        rounds,
        absolute={
            name: f"{rows / Spread.of(found).median:,.0f} rows/s" for name, found in times.items()
        },
        versions=_versions(house.url),
        remarks=(
            f"{rows:,} rows of {house.rows:,} are exported, as CSV; both exports are compared.",
            f"As Parquet it is {parquet.median:.2f} ({parquet.low:.2f} to {parquet.high:.2f}).",
        ),
    )


def _curl(house: House, days: int, target: Path, form: str = "csv") -> None:
    start, end = house.day(days), house.day(1)
    address = f"{house.address}/past-predictions?format={form}&start={start}&end={end}"
    subprocess.run(["curl", "-sfS", "-o", str(target), address], check=True)


def _psql(house: House, days: int, target: Path) -> None:
    names = ", ".join(f'"{column.name}"' for column in JOB_CHANGE.inputs)
    query = (
        f"SELECT id, created_at, source, model_version, {names}, prediction, probability "
        f"FROM predictions WHERE created_at >= '{house.day(days)}' "
        f"AND created_at < '{house.day(0)}' ORDER BY created_at DESC, id DESC"
    )
    subprocess.run(
        ["psql", "-Xq", house.url, "-c", f"\\copy ({query}) TO '{target}' (FORMAT csv, HEADER)"],
        check=True,
        env=os.environ | {"PGTZ": "UTC"},
    )


def _check_exports(house: House, days: int) -> int:
    """Both ways to export say the same of every row; how many those are."""
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder, "api.csv"), Path(folder, "psql.csv")
        _curl(house, days, ours)
        _psql(house, days, theirs)
        rows = -1  # the header
        with ours.open(newline="") as one, theirs.open(newline="") as other:
            for line in zip(csv.reader(one), csv.reader(other), strict=True):
                mine, copied = line if rows < 0 else map(_canonical, line)
                if mine != copied:
                    raise SystemExit(f"The exports differ in row {rows + 2}: {mine}; {copied}")
                rows += 1
    return rows


def _canonical(cells: list[str]) -> list[str]:
    """The moment and the numbers of a line in one spelling, whoever wrote them."""
    moment = datetime.fromisoformat(cells[1]).isoformat()
    return [moment if place == 1 else _number(cell) for place, cell in enumerate(cells)]


def _number(cell: str) -> str:
    try:
        return repr(float(cell))
    except ValueError:
        return cell


# --- memory -----------------------------------------------------------------------------------


def _memory(home: Path, url: str, all_days: int, days: int, rows: int) -> Measurement:
    """Figure 11b."""
    some = max(1, days // 10)
    peaks = {}
    for form in ("csv", "parquet"):
        for exported in (some, days):
            with _house(home, url, all_days) as house:
                peaks[form, exported] = _peak(house, exported, form)
    per_day = rows / days
    parquet = peaks["parquet", days] / peaks["parquet", some]
    return Measurement(
        "11b",
        Spread.of([peaks["csv", days] / peaks["csv", some]]),
        1,
        absolute={
            f"{form} of {per_day * exported:,.0f} rows": f"{peak / 1e6:.0f} MB"
            for (form, exported), peak in peaks.items()
        },
        versions=_versions(url),
        remarks=(f"As CSV; as Parquet the ratio is {parquet:.2f}.",),
    )


def _peak(house: House, days: int, form: str) -> int:
    """The most bytes that the API's process had in memory while it exported."""
    most, done = 0, threading.Event()

    def look() -> None:
        nonlocal most
        while not done.wait(0.02):
            pages = int(Path(f"/proc/{house.pid}/statm").read_text().split()[1])
            most = max(most, pages * os.sysconf("SC_PAGESIZE"))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        _curl(house, days, NOTHING, form)
    finally:
        done.set()
        watcher.join()
    return most


# --- houses -----------------------------------------------------------------------------------


@contextmanager
def _temporary() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="jobchurn-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # the server may be another user's
        yield folder


@contextmanager
def _house(home: Path, url: str, days: int) -> Iterator[House]:
    """An API over a database."""
    with psycopg.connect(url, autocommit=True) as connection:
        last = "SELECT date_trunc('day', max(created_at)) + interval '1 day' FROM predictions"
        end = ask(connection, last)
        rows = ask(connection, "SELECT count(*) FROM predictions")
    folder = home / "api"
    folder.mkdir(exist_ok=True)
    port = free_port()
    environment = {
        "API_PORT": str(port),
        "DATABASE_URL": url,
        "JOBCHURN_HOME": str(folder),
        "OMP_NUM_THREADS": "1",
    }
    with (folder / f"{rows}.log").open("wb") as log:
        api = subprocess.Popen(
            [sys.executable, "-m", "jobchurn.api"], env=os.environ | environment, stderr=log
        )
    try:
        address = f"http://127.0.0.1:{port}"
        _await(address, api)
        yield House(url, rows, days, end, address, api.pid)
    finally:
        api.terminate()
        api.wait()


def _await(address: str, process: subprocess.Popen[bytes]) -> None:
    """Until the API answers; it need not be ready, as nobody asks it for predictions."""
    deadline = time.monotonic() + 120
    while True:
        try:
            httpx.get(f"{address}/health", timeout=10)
        except httpx.TransportError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _versions(url: str) -> dict[str, str]:
    with psycopg.connect(url) as connection:
        server = ask(connection, "SHOW server_version")
    return machine.versions("psycopg", "fastapi", "uvicorn", "pyarrow") | {"PostgreSQL": server}


if __name__ == "__main__":
    main()
