"""Which data set is in use, and what comes of fetching the published one."""

from urllib.error import URLError

import pandas as pd
import pytest
import sklearn.datasets

from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import DataUnusable, ServiceUnreachable
from jobchurn.flow import dataset
from jobchurn.flow.rows import read_rows
from jobchurn.settings import Settings
from small_model import random_records


@pytest.fixture
def folder(tmp_path):
    return dataset.DataFolder(tmp_path)


def settings_of(csv=None):
    return Settings(jobchurn_csv=csv)


def silent(_):
    pass


def test_a_data_set_of_the_user_is_used_where_it_is_named(folder, tmp_path):
    mine = tmp_path / "mine.csv"
    mine.touch()
    assert dataset.source(settings_of(mine), folder, silent) == mine
    assert not folder.dataset.exists()


def test_a_data_set_that_is_named_but_not_there_is_told(folder, tmp_path):
    with pytest.raises(DataUnusable, match=r"JOBCHURN_CSV names .*absent"):
        dataset.source(settings_of(tmp_path / "absent.csv"), folder, silent)


def test_a_data_set_that_lies_there_is_left_alone(folder):
    folder.dataset.write_text("mine")
    assert dataset.source(settings_of(), folder, silent) == folder.dataset
    assert folder.dataset.read_text() == "mine"


def test_without_any_the_built_in_one_is_made_and_told(folder, monkeypatch):
    told = []
    monkeypatch.setattr(dataset.synth, "write_csv", lambda path: path.write_text("made"))
    assert dataset.source(settings_of(), folder, told.append).read_text() == "made"
    assert told


def published(monkeypatch, frame):
    class Bunch:
        pass

    bunch = Bunch()
    bunch.frame = frame
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", lambda **_: bunch)


def frame_of(count):
    return pd.DataFrame(random_records(JOB_CHANGE, count))


def test_the_published_set_is_kept_as_a_file_that_the_contract_admits(tmp_path, monkeypatch):
    # As OpenML gives it: without ids, its own order of columns, and numbers with fractions.
    frame = frame_of(5).drop(columns=[JOB_CHANGE.id.name]).iloc[:, ::-1]
    frame["training_hours"] = frame["training_hours"].astype(float)
    frame["more"] = 1
    published(monkeypatch, frame)
    target = tmp_path / "set.csv"
    assert dataset.fetch(target, JOB_CHANGE, silent) == 5
    rows = read_rows(target, JOB_CHANGE)
    assert rows.sheet.header == tuple(column.name for column in JOB_CHANGE.columns)
    assert (len(rows.records), rows.refused) == (5, {})


def test_a_published_set_without_a_required_column_is_told(tmp_path, monkeypatch):
    published(monkeypatch, frame_of(5).drop(columns=["training_hours"]))
    with pytest.raises(DataUnusable, match="lacks training_hours"):
        dataset.fetch(tmp_path / "set.csv", JOB_CHANGE, silent)


def test_without_a_network_the_cure_names_other_data(tmp_path, monkeypatch):
    def away(**_):
        raise URLError("no network")

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", away)
    with pytest.raises(ServiceUnreachable, match="no network") as told:
        dataset.fetch(tmp_path / "set.csv", JOB_CHANGE, silent)
    assert "data synth" in told.value.cure
    assert not (tmp_path / "set.csv").exists()
