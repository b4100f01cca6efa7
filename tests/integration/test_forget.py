"""A person is forgotten: nothing of them is found anywhere, and all that counts stays as it was."""

import dataclasses
import json
from pathlib import Path

import pytest

from api_house import RECORD, open_house, serving
from forget_house import (
    CITY,
    ID,
    NAMES,
    PERSON,
    TEXT,
    counts,
    deliver,
    forget_house,
    forgotten,
    ingested,
    line,
    mentions,
    people,
    predicted,
    scored,
    theirs,
)
from jobchurn import files
from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import InvalidRequest
from jobchurn.flow import ingest
from jobchurn.flow.forget import Person
from small_model import random_records


@pytest.fixture
def house(store, tmp_path):
    return forget_house(store, tmp_path / "home")


def test_nothing_of_a_person_is_found_and_nobody_else_loses_a_byte(house, database):
    others = people(6)
    bad = theirs(training_hours="-5", city=CITY)
    first = ingested(house, "a.csv", [*others[:2], theirs(city=CITY), bad, *others[2:]], end="\r\n")
    ingested(house, "b.csv", people(3, seed=1))
    scored(house)
    with serving(house) as client:
        body = {"records": [RECORD | {ID: PERSON}, RECORD | {ID: 5}]}
        assert client.post("/predict", json=body).status_code == 200
    untouched = (house.folders.good_data / "b.csv").stat()
    before = counts(house)
    assert len(mentions(house, database)) >= 3
    done = forgotten(house)
    assert (done.predictions, done.left) == (2, [])
    assert mentions(house, database) == []
    assert mentions(house, database, "Unheard-of") == []
    assert counts(house) == before
    blank = "," * (len(NAMES) - 1)
    good = (house.folders.good_data / "a.csv").read_bytes()
    assert good == "\r\n".join([",".join(NAMES), *others[:2], blank, *others[2:], ""]).encode()
    assert (house.folders.good_data / "b.csv").stat() == untouched
    [reason] = map(json.loads, Path(first.reasons).read_text().splitlines())
    assert (reason["row"], reason["rule"], reason["text"]) == (4, "range", "")
    told = house.store.redactions.of_run(first.run_id)
    assert {one.file and Path(one.file).parent.name for one in told} == {
        None,
        "good_data",
        "bad_data",
        "reports",
    }
    for one in told:
        if one.file is not None:
            assert one.sha256_after == files.sha256_of(house.folders.root / one.file)


def test_a_repeat_finds_nothing_and_writes_nothing_down(house):
    run = ingested(house, "a.csv", [*people(3), theirs(), theirs(training_hours="x")])
    scored(house)
    forgotten(house)
    told = house.store.redactions.of_run(run.run_id)
    done = forgotten(house)
    assert (done.predictions, done.requests, done.files, done.left) == (0, 0, [], [])
    assert house.store.redactions.of_run(run.run_id) == told


def test_a_dry_run_says_what_there_is_and_changes_nothing(house, database):
    ingested(house, "a.csv", [*people(3), theirs(), theirs(training_hours="x")])
    scored(house)
    deliver(house, "b.csv", [theirs(), *people(2, seed=2)])
    before = mentions(house, database)
    done = forgotten(house, dry_run=True)
    assert done.predictions == 1
    assert {one.file.rpartition("/")[2] for one in done.files} >= {"a.csv", "b.csv"}
    assert mentions(house, database) == before
    assert house.store.redactions.of_run(house.store.runs.finished()[0].run_id) == []


def test_what_waits_is_ingested_and_scored_first_so_that_no_worker_brings_it_back(house, database):
    deliver(house, "a.csv", [*people(3), theirs()])
    run = ingested(house, "b.csv", [theirs(seed=7), *people(3, seed=1)])
    done = forgotten(house)
    assert done.predictions == 2
    assert mentions(house, database) == []
    assert [one.file for one in house.store.runs.finished()] == ["a.csv", "b.csv"]
    assert scored(house) == []
    rows = [row for row in predicted(house) if row[0] == run.run_id]
    assert [row[1] for row in rows] == [2, 3, 4]


def test_a_repeat_of_the_raw_file_is_still_known(house, database):
    lines = [*people(3), theirs()]
    first = ingested(house, "a.csv", lines)
    forgotten(house)
    again = ingested(house, "b.csv", lines)
    assert again.duplicate_of == first.run_id
    assert mentions(house, database) == []


def test_a_person_who_comes_again_later_is_new(house):
    ingested(house, "a.csv", [*people(3), theirs()])
    scored(house)
    forgotten(house)
    ingested(house, "b.csv", [*people(3, seed=4), theirs(seed=5)])
    assert scored(house) == ["b.csv"]
    assert [row[2] for row in predicted(house)].count(PERSON) == 1


def test_a_rewritten_file_is_not_scored_again(house):
    ingested(house, "a.csv", [*people(3), theirs()])
    scored(house)
    before = predicted(house)
    forgotten(house)
    assert scored(house) == []
    assert predicted(house) == [row for row in before if row[2] != PERSON]


def test_without_a_model_the_rows_keep_their_numbers_for_when_there_is_one(store, tmp_path):
    house = open_house(store, tmp_path / "home", champion=False)
    settings = house.settings.model_copy(update={"settle_seconds": 0.0})
    house = dataclasses.replace(house, settings=settings)
    ingested(house, "a.csv", [*people(2), theirs(), *people(2, seed=1)])
    forgotten(house)
    open_house(store, tmp_path / "home")
    assert scored(house) == ["a.csv"]
    assert [row[1] for row in predicted(house)] == [1, 2, 4, 5]


@pytest.mark.parametrize(
    "spelt",
    [TEXT, f" {TEXT}", f"0{TEXT}", f"+{TEXT}", f"{TEXT}.0", f'"{TEXT}"', "9.87654321012345e14"],
)
def test_an_id_is_known_however_it_is_spelt(house, spelt):
    ingested(house, "a.csv", [*people(2), theirs(**{ID: spelt})])
    assert forgotten(house).files
    routed = list(house.folders.data.rglob("a.csv"))
    assert not any(theirs().partition(",")[2].encode() in path.read_bytes() for path in routed)


@pytest.mark.parametrize(
    "broken",
    [
        f"{TEXT},1,2",
        f'{TEXT},"x" y',
        f'{TEXT},"never closed',
        f"{TEXT},\x00",
        theirs() + ",too,many",
    ],
    ids=["too few cells", "stray quote", "unclosed quote", "nul", "too many cells"],
)
def test_a_broken_record_is_theirs_by_the_text_where_the_id_belongs(house, database, broken):
    others = people(3)
    run = ingested(house, "a.csv", [others[0], broken, *others[1:]])
    done = forgotten(house)
    assert done.left == []
    assert mentions(house, database) == []
    assert run.rows_invalid == 1
    assert len(files.cut(Path(run.bad), JOB_CHANGE).columns[ID]) == 1


def test_what_cannot_be_told_to_be_theirs_is_said_and_goes_when_asked(house, database):
    ingested(house, "a.csv", [*people(3), f"1,{TEXT},2"])
    (house.folders.raw_data / "b.csv").write_text(f"{';'.join(NAMES)}\n{theirs()}\n")
    ingest.ingest_one(house, trigger="cli")
    done = forgotten(house)
    assert sorted((one.file, one.row) for one in done.left) == [
        ("data/bad_data/a.csv", 1),
        ("data/bad_data/b.csv", None),
    ]
    assert len(mentions(house, database)) == 3  # with the reason of the first
    done = forgotten(house, doubtful=True)
    assert done.left == []
    assert mentions(house, database) == []


@pytest.mark.parametrize("asked", [f"0{TEXT}", f"+{TEXT}", f"{TEXT}.0"])
def test_who_is_asked_for_by_another_spelling_is_looked_for_as_ids_are_written(
    house, database, asked
):
    ingested(house, "a.csv", [*people(3), f"1,{TEXT},2"])
    with serving(house) as client:
        records = [RECORD, RECORD | {"enrolee": PERSON}]
        body = {"records": records, "partial": True}
        client.post("/predict", json=body, headers={"Idempotency-Key": "k"})
    assert [one.row for one in forgotten(house, asked).left] == [1]
    assert "requests" not in mentions(house, database)
    forgotten(house, asked, doubtful=True)
    assert mentions(house, database) == []


def test_records_that_broken_quotes_have_run_together_are_said(house, database):
    [fine] = random_records(JOB_CHANGE, 1)
    between = line(fine, city='"quoted"')
    lines = ['8,"never closed', between, theirs(city='x"', training_hours="lives here")]
    run = ingested(house, "a.csv", lines)
    assert (run.rows_valid, run.rows_invalid) == (1, 2)
    assert files.cut(Path(run.bad), JOB_CHANGE).rows == 1  # that there were two is known no more
    before = Path(run.bad).read_bytes()
    [left] = forgotten(house).left
    assert (left.file, "run several records into one" in left.why) == ("data/bad_data/a.csv", True)
    assert Path(run.bad).read_bytes() == before
    forgotten(house, doubtful=True)
    assert mentions(house, database) == []
    assert mentions(house, database, "lives here") == []


def test_a_first_line_that_is_data_goes_with_its_file_and_its_reason(house, database):
    (house.folders.raw_data / "a.csv").write_text(f"{theirs()}\n")
    ingest.ingest_one(house, trigger="cli")
    assert len(mentions(house, database)) >= 2
    assert len(forgotten(house).left) == 1
    forgotten(house, doubtful=True)
    assert mentions(house, database) == []


def test_compressed_content_is_said_to_hold_nobody_knows_whom(house):
    (house.folders.raw_data / "a.csv").write_bytes(b"\x1f\x8b\x08\x00 packed")
    ingest.ingest_one(house, trigger="cli")
    for doubtful in (False, True):
        [left] = forgotten(house, doubtful=doubtful).left
        assert "compressed" in left.why


def test_the_rows_of_a_file_without_a_required_column_go_too(house, database):
    place = NAMES.index("training_hours")
    lines = [
        ",".join(cells[:place] + cells[place + 1 :])
        for cells in (text.split(",") for text in [*people(3), theirs()])
    ]
    ingested(house, "a.csv", lines, header=NAMES[:place] + NAMES[place + 1 :])
    assert mentions(house, database)
    forgotten(house)
    assert mentions(house, database) == []


def test_the_data_sets_of_the_home_lose_the_rows_and_the_splitter_s_notes_the_ids(house, database):
    data = house.folders.data
    text = "\n".join([",".join(NAMES), *people(2), theirs(), *people(2, seed=1), ""])
    for name in ("dataset.csv", "training.csv", "streaming.csv"):
        (data / name).write_text(text)
    fault = {"row": 3, "column": ID, "original": TEXT, "injected": ""}
    manifest = {"files": [{"file": "a.csv", "faults": [fault, fault | {"original": "7"}]}]}
    (data / "manifest.json").write_text(json.dumps(manifest))
    done = forgotten(house)
    assert [(one.file, one.rows) for one in done.files] == [
        ("data/dataset.csv", 1),
        ("data/manifest.json", 1),
        ("data/streaming.csv", 1),
        ("data/training.csv", 1),
    ]
    assert mentions(house, database) == []
    assert (data / "training.csv").read_text() == text.replace(f"{theirs()}\n", "")
    faults = json.loads((data / "manifest.json").read_text())["files"][0]["faults"]
    assert [one["original"] for one in faults] == [None, "7"]


def test_a_data_set_of_one_s_own_is_named_and_left(house, tmp_path):
    own = tmp_path / "own.csv"
    own.write_text("\n".join([",".join(NAMES), theirs()]))
    settings = house.settings.model_copy(update={"jobchurn_csv": own})
    [left] = forgotten(dataclasses.replace(house, settings=settings)).left
    assert (left.file, "JOBCHURN_CSV" in left.why) == (str(own), True)
    assert TEXT in own.read_text()


def test_files_that_never_arrive_are_named_where_they_mention_the_id(house):
    (house.folders.raw_data / ".hidden.csv").write_text(theirs())
    (house.folders.raw_data / "other.part").write_text("nobody")
    assert [one.file for one in forgotten(house).left] == ["data/raw_data/.hidden.csv"]


def test_the_report_of_a_repeat_loses_the_same_rows(house, database):
    lines = [*people(2), theirs(city=CITY, training_hours="Unheard-of")]
    ingested(house, "a.csv", lines)
    ingested(house, "b.csv", lines)
    assert len(mentions(house, database, "Unheard-of")) == 5  # both reports among them
    forgotten(house)
    assert mentions(house, database, "Unheard-of") == []


def test_a_text_that_others_have_too_stays_in_the_notes(house, database):
    [other] = random_records(JOB_CHANGE, 1)
    ingested(house, "a.csv", [theirs(city=CITY), line(other, **{ID: "5", "city": CITY})])
    forgotten(house)
    noted = {Path(place).parent.name or place for place in mentions(house, database, "Unheard-of")}
    assert noted >= {"reports", "good_data"}


def test_what_was_refused_of_a_request_about_them_goes_from_its_kept_answer(house, database):
    bad = [RECORD | {ID: TEXT}, RECORD | {"enrolee": PERSON}, RECORD | {ID: "somebody"}]
    with serving(house) as client:
        answer = client.post(
            "/predict",
            json={"records": [RECORD, *bad], "partial": True},
            headers={"Idempotency-Key": "k"},
        )
    assert answer.json()["n"] == 1
    assert mentions(house, database) == ["requests"]
    assert forgotten(house).requests == 1
    assert mentions(house, database) == []
    assert mentions(house, database, "somebody") == ["requests"]


def test_a_retry_of_a_request_about_them_stores_nothing(house):
    body = {"records": [RECORD | {ID: PERSON}, RECORD | {ID: 7}]}
    with serving(house) as client:
        for status in (200, 200):
            answer = client.post("/predict", json=body, headers={"Idempotency-Key": "k"})
            assert answer.status_code == status
        forgotten(house)
        answer = client.post("/predict", json=body, headers={"Idempotency-Key": "k"})
        assert (answer.status_code, "were removed since, on request" in answer.text) == (422, True)
    assert [row[2] for row in predicted(house)] == [7]


def test_an_id_that_no_prediction_can_bear_is_looked_for_in_files(house, database):
    run = ingested(house, "a.csv", [*people(2), theirs(**{ID: "E-77/x"})])
    assert mentions(house, database, "E-77/x")
    assert forgotten(house, "E-77/x").predictions == 0
    assert mentions(house, database, "E-77/x") == []
    assert run.rows_invalid == 1


@pytest.mark.parametrize("text", ["", "  "])
def test_nobody_is_a_blank(text):
    with pytest.raises(InvalidRequest, match="blank"):
        Person.of(JOB_CHANGE, text)


def test_rows_of_other_people_that_mention_the_number_elsewhere_stay(house):
    hours = [
        line(record, training_hours="36", **{ID: "5"}) for record in random_records(JOB_CHANGE, 2)
    ]
    ingested(house, "a.csv", hours)
    done = forgotten(house, "36")
    assert (done.files, done.left) == ([], [])
