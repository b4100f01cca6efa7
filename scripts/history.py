"""Gives a new stack a past to look back on: six hours in a minute, for pictures of Monitoring.

    eval "$(jobchurn env)"
    python -m scripts.history

Built-in rows go through the real ingest, predict and watch, a file every ten minutes of an invented
past; what each leaves in the database is then moved to its time. Towards the end a column goes
blank more often than in training, so that a drift is found and told. Requests and runs of jobs, of
which there were none, are made up. Only for a home that was made for it.
"""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import psycopg

from jobchurn import files, postgres, wiring
from jobchurn.flow.ingest import ingest_one
from jobchurn.flow.lab.rows import shift_of, source_of
from jobchurn.flow.predict import predict
from jobchurn.flow.score import score_new
from jobchurn.flow.services import Services
from jobchurn.flow.split import split
from jobchurn.flow.watch import watch
from jobchurn.settings import read_settings
from jobchurn.store.request_log import LogEntry

HOURS = 6
FILE_EVERY = timedelta(minutes=10)
ROWS_A_FILE = 280
FILES = int(timedelta(hours=HOURS) / FILE_EVERY)
SHIFTED_FROM = FILES - 9
SHIFTED_SHARE = 0.4
DAMAGED_SHARE = 0.07
WATCHED_EVERY = 3
MOVED = {
    "arrivals": ("arrived_at", "started_at", "closed_at"),
    "ingestion_runs": ("started_at", "finished_at"),
    "predictions": ("created_at",),
    "predicted_files": ("predicted_at",),
    "alerts": ("created_at", "delivered_at"),
    "drift_windows": ("decided_at",),
    "models": ("created_at", "promoted_at"),
}
"""What is moved: table → its moments."""
JOBS = {"dag_ingestion": 60, "dag_prediction": 120, "dag_monitoring": 300}
"""Scheduled jobs → the seconds between their runs."""


def move(connection: psycopg.Connection, since: datetime, by: timedelta) -> None:
    """Move what happened since a moment."""
    for table, columns in MOVED.items():
        changes = ", ".join(f"{column} = {column} + %(by)s" for column in columns)
        connection.execute(
            f"UPDATE {table} SET {changes} WHERE {columns[-1]} >= %(since)s",  # noqa: S608
            {"by": by, "since": since},
        )
    connection.commit()


def requests(start: datetime, chance: Random) -> Iterator[LogEntry]:
    """Made-up requests of a web app and its readers, busier and slower in the middle."""
    for minute in range(60 * HOURS):
        load = 1.2 + math.sin(math.pi * minute / (60 * HOURS)) + chance.random()
        for _ in range(round(4 * load)):
            route, method, base = chance.choice(
                [("/predict", "POST", 0.012), ("/past-predictions", "GET", 0.02)]
            )
            status = chance.choices([200, 422, 503], [96, 3.7, 0.3])[0]
            yield LogEntry(
                at=start + timedelta(minutes=minute, seconds=chance.uniform(0, 60)),
                route=route,
                method=method,
                status=status,
                seconds=base * load * chance.lognormvariate(0, 0.6),
                records=chance.randint(1, 40) if status == 200 and method == "POST" else 0,
                waiting=int(load * chance.random()),
                weight=1,
            )


def run_jobs(services: Services, start: datetime, chance: Random) -> None:
    """Made-up runs of the scheduled jobs, one of which failed."""
    for job, every in JOBS.items():
        for number in range(3_600 * HOURS // every):
            due = start + timedelta(seconds=every * number)
            began = due + timedelta(seconds=chance.uniform(1, 3))
            outcome = "quiet" if chance.random() < every / 6_000 else "success"
            failed = job == "dag_prediction" and number == 90
            services.store.job_runs.save(
                job,
                f"scheduled__{due.isoformat()}",
                "failed" if failed else outcome,
                due,
                began,
                began + timedelta(seconds=chance.lognormvariate(1.2, 0.25)),
            )


def files_of(services: Services, chance: Random, folder: Path) -> list[Path]:
    """The files of the past: built-in rows, some of them damaged, the last ones shifted."""
    draw, _ = source_of(services)
    champion = services.registry.champion().version
    baseline = services.store.models.get(champion).card["baseline"]["columns"]
    blank = next(column for column in services.contract.features if not column.required)
    shift = shift_of(services.contract, baseline, blank.name, SHIFTED_SHARE, blank=True)
    rows, quiet = draw(FILES * ROWS_A_FILE), SHIFTED_FROM * ROWS_A_FILE
    rows[quiet:] = shift.applied(rows[quiet:], chance)
    whole = folder / "rows.csv"
    columns = services.contract.columns
    with whole.open("w", newline="", encoding="utf-8") as text:
        writer = csv.writer(text)
        writer.writerow([column.name for column in columns])
        writer.writerows([column.write(row.get(column.name)) for column in columns] for row in rows)
    split(whole, folder / "raw", FILES, DAMAGED_SHARE, contract=services.contract)
    return files.arriving(folder / "raw")


def live(
    services: Services, connection: psycopg.Connection, made: list[Path], chance: Random
) -> None:
    """Let the files of the past come, one after the other."""
    draw, _ = source_of(services)
    model = services.registry.champion()
    past = datetime.now(UTC) - timedelta(hours=HOURS)
    connection.execute("UPDATE models SET promoted_at = %s", [past + FILE_EVERY / 2])
    for number, path in enumerate(made):
        at = past + (number + 1) * FILE_EVERY - timedelta(seconds=chance.uniform(30, 300))
        since = datetime.now(UTC)
        arrived = services.folders.raw_data / f"raw_{100 + number}.csv"
        files.move(path, arrived)
        if run := ingest_one(services, trigger="dag", file=arrived):
            list(score_new(services, runs=[run.run_id]))
        predict(services, model, draw(chance.randint(3, 12)), source="webapp")
        move(connection, since, at - datetime.now(UTC))
        if number % WATCHED_EVERY == WATCHED_EVERY - 1:
            since, now = datetime.now(UTC), at + timedelta(minutes=1)
            watch(services, now)
            move(connection, since, now - datetime.now(UTC))
        print(f"{at:%H:%M}  {arrived.name}, {number + 1} of {len(made)}")


def main() -> None:
    """Make the past, up to now."""
    settings, chance = read_settings(), Random(0)  # noqa: S311
    with (
        postgres.serving(settings) as url,
        psycopg.connect(url) as connection,
        wiring.services(settings) as chosen,
    ):
        start = datetime.now(UTC) - timedelta(hours=HOURS)
        at_once = chosen.settings.model_copy(update={"settle_seconds": 0.0})
        services = dataclasses.replace(chosen, settings=at_once)
        with TemporaryDirectory(dir=services.folders.data) as folder:
            live(services, connection, files_of(services, chance, Path(folder)), chance)
        services.store.request_log.write(list(requests(start, chance)))
        run_jobs(services, start, chance)
        watch(services)


if __name__ == "__main__":
    main()
