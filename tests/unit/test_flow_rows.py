"""A file's rows as canonical records."""

import csv
import os

import pytest

from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import DataUnusable
from jobchurn.flow import rows as rows_module
from jobchurn.flow.rows import read_admitted, read_rows
from small_model import random_records

NAMES = [column.name for column in JOB_CHANGE.columns]


def written(folder, *records, names=NAMES):
    path = folder / "rows.csv"
    lines = [",".join(JOB_CHANGE[name].write(record[name]) for name in names) for record in records]
    path.write_text("\n".join([",".join(names), *lines]) + "\n")
    return path


def test_rows_come_back_as_the_records_that_were_written(tmp_path):
    records = random_records(JOB_CHANGE, 20)
    rows = read_rows(written(tmp_path, *records), JOB_CHANGE)
    assert rows.records == dict(enumerate(records, 1))
    assert rows.refused == {}


def test_a_column_that_the_file_lacks_is_in_no_record(tmp_path):
    names = [name for name in NAMES if name != "gender"]
    [record] = random_records(JOB_CHANGE, 1)
    rows = read_rows(written(tmp_path, record, names=names), JOB_CHANGE)
    assert rows.records[1].keys() == set(names)


def test_every_reason_of_a_refused_row_is_told(tmp_path):
    good, bad = random_records(JOB_CHANGE, 2)
    path = written(tmp_path, good, bad | {"training_hours": -5, "city_development_index": 1000})
    rows = read_rows(path, JOB_CHANGE)
    assert list(rows.records) == [1]
    assert [(reason.row, reason.column, reason.rule) for reason in rows.refused[2]] == [
        (2, "city_development_index", "range"),
        (2, "training_hours", "range"),
    ]


def test_a_row_of_bad_structure_is_refused_for_that_alone(tmp_path):
    path = written(tmp_path, *random_records(JOB_CHANGE, 1))
    with path.open("a") as file:
        file.write("one cell\n")
    rows = read_rows(path, JOB_CHANGE)
    [reason] = rows.refused[2]
    assert reason.column is None


def test_a_file_without_a_required_column_is_not_read(tmp_path):
    names = [name for name in NAMES if name != "training_hours"]
    path = written(tmp_path, *random_records(JOB_CHANGE, 1), names=names)
    with pytest.raises(DataUnusable, match="lacks the required column training_hours"):
        read_rows(path, JOB_CHANGE)


def test_a_file_that_is_no_table_is_not_read(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(b"\x1f\x8b\x08\x00")
    with pytest.raises(DataUnusable, match=r"rows\.csv cannot be read"):
        read_rows(path, JOB_CHANGE)


def test_a_file_that_cannot_be_opened_is_told(tmp_path):
    with pytest.raises(DataUnusable, match=os.strerror(2)):
        read_rows(tmp_path / "absent.csv", JOB_CHANGE)


def test_admitted_rows_are_those_that_are_read_one_by_one(tmp_path):
    names = [name for name in NAMES if name != "gender"]
    records = random_records(JOB_CHANGE, 30)
    records[3] |= {"training_hours": -5}
    records[9] |= {"company_size": "Oct-49"}
    path = written(tmp_path, *records, names=names)
    with path.open("a") as file:
        file.write("one cell\n")
    by_rows = read_rows(path, JOB_CHANGE)
    admitted = read_admitted(path, JOB_CHANGE)
    assert admitted.rows.tolist() == list(by_rows.records)
    assert admitted.records.to_list() == [
        {name: record.get(name) for name in NAMES} for record in by_rows.records.values()
    ]
    assert admitted.sheet.sha256 == by_rows.sheet.sha256
    assert None not in admitted.records.columns["training_hours"].to_list()


def test_rows_beyond_those_that_are_learnt_from_are_read_alike(tmp_path, monkeypatch):
    records = random_records(JOB_CHANGE, 60)
    records[50] |= {"training_hours": -5}
    records[55] |= {"city": 'a "new", one'}
    path = tmp_path / "rows.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(NAMES)
        writer.writerows([JOB_CHANGE[n].write(record[n]) for n in NAMES] for record in records)
    whole = read_admitted(path, JOB_CHANGE)
    monkeypatch.setattr(rows_module, "LEARNT_FROM", 5)
    learnt = read_admitted(path, JOB_CHANGE)
    assert learnt.rows.tolist() == whole.rows.tolist()
    assert (
        learnt.records.to_list()
        == whole.records.to_list()
        == [record for place, record in enumerate(records) if place != 50]
    )
