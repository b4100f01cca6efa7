"""A house in which somebody is forgotten among others, and what is looked for afterwards."""

import dataclasses

from api_house import open_house
from faults import forgetting
from jobchurn.contract import JOB_CHANGE
from jobchurn.flow import ingest, score
from jobchurn.flow.forget import Person, forget
from small_model import random_records

NAMES = [column.name for column in JOB_CHANGE.columns]
ID = JOB_CHANGE.id.name
PERSON = 987654321012345
TEXT = str(PERSON)
CITY = "Mx O'Test of Unheard-of Street"
"""An open text that nobody else has."""


def forget_house(store, home):
    """A house in which files need not settle."""
    services = open_house(store, home)
    settings = services.settings.model_copy(update={"settle_seconds": 0.0})
    return dataclasses.replace(services, settings=settings)


def line(record, **texts):
    return ",".join(texts.get(name, JOB_CHANGE[name].write(record[name])) for name in NAMES)


def people(count, seed=0):
    return [
        line(record, **{ID: str(1000 * seed + n)})
        for n, record in enumerate(random_records(JOB_CHANGE, count, seed), 1)
    ]


def theirs(seed=99, **texts):
    [record] = random_records(JOB_CHANGE, 1, seed)
    return line(record, **{ID: TEXT} | texts)


def deliver(house, name, lines, header=NAMES, end="\n"):
    path = house.folders.raw_data / name
    path.write_text(end.join([",".join(header), *lines]) + end, newline="")
    return path


def ingested(house, name, lines, **values):
    return ingest.ingest_one(house, trigger="cli", file=deliver(house, name, lines, **values))


def scored(house):
    return [one.file for one in score.score_new(house)]


def forgotten(house, text=TEXT, **values):
    return forget(house, Person.of(JOB_CHANGE, text), patience=0.5, **values)


def mentions(house, database, text=TEXT):
    """Where a text is found: in the files of the home, and in all tables."""
    return forgetting.mentions(house.folders.root, database, text)


def counts(house):
    """What the ledger says of each run, whoever is forgotten."""
    return [
        dataclasses.replace(run, notes=())
        for run in sorted(house.store.runs.finished(limit=None), key=lambda run: run.run_id)
    ]


def predicted(house):
    rows, _ = house.store.predictions.page(limit=10_000)
    return sorted((row.run_id, row.row_number, row.record[ID]) for row in rows)
