"""What a new home is given, and what keeps a demonstration from running dry."""

import dataclasses

import pytest

from api_house import open_house
from jobchurn import files, synth
from jobchurn.flow import feed, ingest, start
from jobchurn.flow.dataset import DataFolder
from jobchurn.flow.split import MANIFEST


@pytest.fixture
def house(store, tmp_path):
    """A house without data or champion; the user's own data set is small."""
    synth.write_csv(tmp_path / "mine.csv", rows=400, seed=3)
    services = open_house(store, tmp_path / "home", champion=False)
    values = {
        "settle_seconds": 0.0,
        "start_files": 5,
        "jobchurn_csv": tmp_path / "mine.csv",
    }
    settings = services.settings.model_copy(update=values)
    return dataclasses.replace(services, settings=settings)


@pytest.fixture
def prepared(house):
    start.prepare(house, lambda _: None)
    return house


def silent(_):
    pass


def waiting(house):
    return files.arriving(house.folders.raw_data)


def lines_of(path):
    return set(path.read_bytes().splitlines()[1:])


def test_a_new_home_is_given_data_a_split_and_a_champion(house):
    told = []
    start.prepare(house, told.append)
    assert len(waiting(house)) == 5
    champion = house.registry.champion()
    assert champion.version in told[-1]
    assert champion.card.rows <= 280  # 70% of the rows


def test_no_row_that_the_champion_learnt_from_is_streamed(prepared):
    training = lines_of(DataFolder(prepared.folders.data).training)
    assert training
    for path in waiting(prepared):
        assert not training & lines_of(path)


def test_a_home_that_has_all_is_left_alone(prepared, house):
    champion = prepared.registry.champion().version
    ingest.ingest_one(prepared, trigger="cli")
    told = []
    start.prepare(prepared, told.append)
    assert told == []
    assert len(waiting(house)) == 4
    assert prepared.registry.champion().version == champion


def test_a_start_that_was_killed_before_its_split_was_whole_goes_on(prepared):
    folder = DataFolder(prepared.folders.data)
    paths = waiting(prepared)
    contents = {path: path.read_bytes() for path in paths}
    paths[-1].unlink()
    (folder.root / MANIFEST).unlink()
    start.prepare(prepared, silent)
    assert {path: path.read_bytes() for path in waiting(prepared)} == contents


def test_the_first_files_are_ingested_and_predicted_once_and_the_rest_is_left(prepared):
    feed.feed_first(prepared, silent)
    runs = prepared.store.runs.finished()
    assert [run.trigger for run in runs] == ["start"] * feed.FIRST_FILES
    assert prepared.store.predictions.count(source="scheduled") == sum(r.rows_valid for r in runs)
    assert len(waiting(prepared)) == 5 - feed.FIRST_FILES
    feed.feed_first(prepared, silent)
    assert len(prepared.store.runs.finished()) == feed.FIRST_FILES


def test_a_demonstration_that_runs_dry_is_given_new_files_of_new_rows(prepared):
    feed.top_up(prepared, silent)
    assert len(waiting(prepared)) == 5
    known = set().union(
        *map(lines_of, waiting(prepared)), lines_of(DataFolder(prepared.folders.data).training)
    )
    for path in waiting(prepared):
        path.unlink()
    for rounds in (1, 2):
        feed.top_up(prepared, silent)
        given = [path for path in waiting(prepared) if path.name.startswith("demo_")]
        assert len(given) == feed.FILES_AT_ONCE
        rows = set().union(*map(lines_of, given))
        assert not rows & known
        known |= rows
        runs = [ingest.ingest_one(prepared, trigger="cli") for _ in given]
        assert {run.criticality for run in runs} >= {"high"}
        assert any(run.rows_valid for run in runs)
        assert len(prepared.store.runs.finished()) == rounds * feed.FILES_AT_ONCE
    assert [path.name for path in prepared.folders.data.glob("feed-*")] == []
