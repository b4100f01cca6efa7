"""A house whose good files are scored: what comes in, and how often each row is predicted."""

import dataclasses
from collections import Counter

from api_house import open_house
from ingest_house import write_raw
from jobchurn.flow import ingest, score


def scored_house(store, home):
    """Services with a champion, whose raw files need no wait."""
    return with_settings(open_house(store, home), settle_seconds=0.0)


def with_settings(services, **values):
    settings = services.settings.model_copy(update=values)
    return dataclasses.replace(services, settings=settings)


def ingested(house, name, lines):
    """A raw file of these lines goes through ingestion."""
    return ingest.ingest_one(house, trigger="cli", file=write_raw(house, name, lines))


def predicted(house):
    """How often each row of each run is predicted."""
    rows, _ = house.store.predictions.page(limit=10_000)
    return Counter((row.run_id, row.row_number) for row in rows)


def each_once(*runs):
    return Counter((run.run_id, n) for run in runs for n in range(1, run.rows_valid + 1))


def scored(house, predictor=None):
    return [(one.file, one.rows) for one in score.score_new(house, predictor)]
