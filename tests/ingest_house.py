"""A house for ingestion's tests: the raw files that come, and the records that leave."""

import dataclasses
from collections import Counter

from api_house import open_house
from jobchurn.contract import JOB_CHANGE
from small_model import random_records

NAMES = [column.name for column in JOB_CHANGE.columns]
HEADER = ",".join(NAMES)


def ingest_house(store, home):
    """Services without a champion, whose raw files need no wait."""
    services = open_house(store, home, champion=False)
    settings = services.settings.model_copy(update={"settle_seconds": 0.0})
    return dataclasses.replace(services, settings=settings)


def line(record):
    return ",".join(column.write(record[column.name]) for column in JOB_CHANGE.columns)


def good_lines(count, seed=0):
    lines = [line(record) for record in random_records(JOB_CHANGE, count, seed)]
    assert not any('"' in text for text in lines)
    return lines


def write_raw(house, name, lines, header=HEADER):
    path = house.folders.raw_data / name
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def damaged(text):
    """The same row, its last required number below the least that is allowed."""
    cells = text.split(",")
    cells[NAMES.index("training_hours")] = "-5"
    return ",".join(cells)


def records_in(folder):
    """Every record below a folder, and how often it lies there."""
    return Counter(
        record
        for path in folder.iterdir()
        if not path.name.endswith(".reasons.jsonl")
        for record in path.read_bytes().splitlines()[1:]
    )
