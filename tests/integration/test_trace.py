"""Trace: a row's whole life is told, and nothing of a person unless it is asked for."""

import dataclasses
import json
import sys
from pathlib import Path

import pytest

from api_house import open_house
from jobchurn import files
from jobchurn.cli import main
from jobchurn.contract import JOB_CHANGE, Role
from jobchurn.errors import NotFound
from jobchurn.flow import ingest, predict, score, work
from jobchurn.flow.forget import Person, forget
from jobchurn.flow.trace import State, trace_prediction, trace_row
from small_model import random_records

NAMES = [column.name for column in JOB_CHANGE.columns]
HEADER = ",".join(NAMES)
[ID] = [column.name for column in JOB_CHANGE.columns if column.role is Role.ID]
SPOILT = "training_hours"


@pytest.fixture
def house(store, tmp_path):
    services = open_house(store, tmp_path / "home")
    settings = services.settings.model_copy(update={"settle_seconds": 0.0})
    return dataclasses.replace(services, settings=settings)


def lines_of(count, seed=0, bad=()):
    """So many rows, of which those numbers are bad."""
    lines = []
    for row, record in enumerate(random_records(JOB_CHANGE, count, seed=seed), start=1):
        texts = {name: JOB_CHANGE[name].write(record[name]) for name in NAMES}
        texts[ID] = str(7_000_000 + 1000 * seed + row)
        if row in bad:
            texts[SPOILT] = "-987654"
        lines.append(",".join(texts[name] for name in NAMES))
    return lines


def deliver(house, name, lines, header=HEADER):
    path = house.folders.raw_data / name
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def ingested(house, name, lines, **values):
    return ingest.ingest_one(house, trigger="cli", file=deliver(house, name, lines, **values))


def bytes_at(place):
    return place.path.read_bytes()[place.start : place.stop].decode()


def test_every_row_of_a_file_is_found_where_it_lies(house):
    lines = lines_of(9, bad={1, 4, 5, 9})
    run = ingested(house, "a.csv", lines)
    list(score.score_new(house))
    for row, line in enumerate(lines, start=1):
        life = trace_row(house, "a.csv", row)
        assert life.state is (State.BAD if row in {1, 4, 5, 9} else State.GOOD)
        assert bytes_at(life.place) == line + "\n"
        assert life.run == run
        assert len(life.predictions) == (row not in {1, 4, 5, 9})
        assert {reason.row for reason in life.reasons} == ({row} if life.state == "bad" else set())


def test_a_row_of_a_good_or_bad_file_is_that_row_of_the_raw_one(house):
    lines = lines_of(9, bad={1, 4, 5, 9})
    run = ingested(house, "a.csv", lines)
    for path, rows in ((run.good, (2, 3, 6, 7, 8)), (run.bad, (1, 4, 5, 9))):
        for number, row in enumerate(rows, start=1):
            life = trace_row(house, path, number)
            assert (life.row, life.place.row) == (row, number)
            assert bytes_at(life.place) == lines[row - 1] + "\n"
        with pytest.raises(NotFound, match=f"no row {len(rows) + 1}"):
            trace_row(house, path, len(rows) + 1)


def test_a_prediction_leads_back_to_its_row_and_on_to_its_request(house):
    ingested(house, "a.csv", lines_of(4, bad={1}))
    list(score.score_new(house))
    of_row = trace_row(house, "a.csv", 3)
    [prediction] = of_row.predictions
    back = trace_prediction(house, prediction.id)
    assert (back.file, back.row, back.state) == ("a.csv", 3, State.GOOD)
    assert back.place == of_row.place
    assert back.predictions == (prediction,)
    digest = files.sha256_of(Path(of_row.run.good))
    assert prediction.request_key == f"file:{digest}:0"
    assert prediction.model_version == house.registry.champion().version
    assert of_row.scored_at is not None


def test_a_prediction_by_a_request_came_in_no_file(house):
    answer = predict.predict(
        house, house.registry.champion(), random_records(JOB_CHANGE, 1), source="webapp", key="k"
    )
    life = trace_prediction(house, answer.predictions[0].id)
    assert (life.state, life.file, life.predictions[0].request_key) == (State.NO_FILE, None, "k")
    with pytest.raises(NotFound, match="999"):
        trace_prediction(house, 999)


def test_of_two_good_files_of_the_same_content_one_is_predicted_for_both(house):
    good = lines_of(2)
    ingested(house, "a.csv", [*good, *lines_of(1, seed=1, bad={1})])
    ingested(house, "b.csv", [*good, *lines_of(1, seed=2, bad={1})])
    list(score.score_new(house))
    [one], [other] = (trace_row(house, name, 2).predictions for name in ("a.csv", "b.csv"))
    assert one == other


def test_a_repeat_tells_of_the_run_that_had_its_content_first(house):
    lines = lines_of(3, bad={2})
    first = ingested(house, "a.csv", lines)
    ingested(house, "b.csv", lines)
    life = trace_row(house, "b.csv", 2)
    assert life.arrival.duplicate_of == first.run_id
    assert (life.state, life.run.run_id) == (State.BAD, first.run_id)
    assert bytes_at(life.place) == lines[1] + "\n"
    assert [one.name for one in trace_row(house, "a.csv", 1).repeats] == ["b.csv"]


def test_of_several_arrivals_of_a_name_the_latest_is_told_of_and_any_can_be_chosen(house):
    *_, earlier, later = [ingested(house, "a.csv", lines_of(3, seed=n)) for n in range(5)]
    life = trace_row(house, "a.csv", 2)
    assert life.arrival.run_id == later.run_id
    assert [one.run_id for one in life.arrivals][:2] == [later.run_id, earlier.run_id]
    assert trace_row(house, "a.csv", 2, run_id=earlier.run_id).run == earlier
    assert trace_row(house, Path(later.good).name, 3).arrival.run_id == later.run_id
    with pytest.raises(NotFound, match=f"run {later.run_id}x"):
        trace_row(house, "a.csv", 2, run_id=f"{later.run_id}x")


def test_a_file_is_known_by_its_content_wherever_it_lies(house, tmp_path):
    lines = lines_of(2)
    ingested(house, "a.csv", lines)
    copy = tmp_path / "copy.csv"
    copy.write_text("\n".join([",".join(NAMES), *lines]) + "\n")
    assert trace_row(house, str(copy), 2).file == "a.csv"


def test_a_name_of_any_bytes_is_found_as_it_is_and_as_it_is_shown(house):
    name = "caf\udce9\n.csv"
    ingested(house, name, lines_of(2))
    for text in (name, files.printable(name)):
        assert trace_row(house, text, 1).file == name


def test_a_file_that_waits_and_one_that_is_worked_on_are_told_from_those_that_are_done(house):
    lines = lines_of(3)
    path = deliver(house, "a.csv", lines)
    life = trace_row(house, "a.csv", 2)
    assert (life.state, life.arrival) == (State.WAITING, None)
    assert life.place.path == path
    claim = ingest.read_data(house, trigger="cli", holder="worker 1")
    house.store.arrivals.take_up("worker 2", 60, lambda _: True)
    life = trace_row(house, "a.csv", 2)
    assert (life.state, life.arrival.holder, life.arrival.takeovers) == (
        State.UNDER_WAY, "worker 2", 1
    )  # fmt: skip
    assert life.place.path == work.raw_of(house, claim)
    assert bytes_at(life.place) == lines[1] + "\n"
    with pytest.raises(NotFound, match="no row 4"):
        trace_row(house, "a.csv", 4)


def test_a_withdrawn_arrival_gives_way_to_any_other(house):
    deliver(house, "a.csv", lines_of(2))
    claim = ingest.read_data(house, trigger="cli")
    work.withdraw(house, claim)
    (house.folders.raw_data / "a.csv").unlink()
    assert trace_row(house, "a.csv", 1).state is State.WITHDRAWN
    run = ingested(house, "a.csv", lines_of(3))
    assert trace_row(house, "a.csv", 1).arrival.run_id == run.run_id


def test_a_refused_file_lies_whole_among_the_bad_ones(house):
    content = deliver(house, "a.csv", [], header="no header").read_bytes()
    ingest.ingest_one(house, trigger="cli")
    life = trace_row(house, "a.csv", 1)
    assert (life.state, life.place.start, life.place.stop) == (State.REFUSED, 0, len(content))
    assert [reason.rule for reason in life.reasons] == ["no header"]


def test_where_a_required_column_is_missing_every_row_is_bad_and_found(house):
    lines = [line.rpartition(",")[0].rpartition(",")[0] for line in lines_of(3)]
    ingested(house, "a.csv", lines, header=",".join(NAMES[:-2]))
    life = trace_row(house, "a.csv", 3)
    assert life.state is State.BAD
    assert bytes_at(life.place) == lines[2] + "\n"
    assert [reason.rule for reason in life.reasons] == ["missing column"]


def test_records_that_can_no_longer_be_told_apart_are_said_to_be_so(house):
    """An unclosed quote takes in the record after it, once no good one stands between them."""
    good = '"' + lines_of(1)[0].replace(",", '",', 1)
    run = ingested(house, "a.csv", ['1,"open', good, 'x",2'])
    assert (run.rows_valid, run.rows_invalid) == (1, 2)
    assert bytes_at(trace_row(house, "a.csv", 2).place) == good + "\n"
    for row in (1, 3):
        life = trace_row(house, "a.csv", row)
        assert (life.state, life.place.start) == (State.BAD, None)
        assert "2 records were routed to it, and 1 can be told apart" in life.place.doubt


def test_a_row_that_was_removed_on_request_is_told_to_be_so(house):
    ingested(house, "a.csv", lines_of(4, bad={2}))
    list(score.score_new(house))
    for name in ("7000001", "7000002"):
        forget(house, Person.of(JOB_CHANGE, name))
    for row in (1, 2):
        life = trace_row(house, "a.csv", row, show=True)
        assert (life.is_forgotten, life.predictions) == (True, ())
        assert life.redactions
        assert "700000" not in repr(life)
    life = trace_row(house, "a.csv", 3, show=True)
    assert (life.is_forgotten, len(life.predictions)) == (False, 1)
    assert life.place.text.startswith("7000003,")


def test_reasons_that_are_gone_leave_a_row_unknown(house):
    run = ingested(house, "a.csv", lines_of(3, bad={2}))
    Path(run.reasons).unlink()
    assert trace_row(house, "a.csv", 2).state is State.UNKNOWN
    with pytest.raises(NotFound, match="no row 4"):
        trace_row(house, "a.csv", 4)


def test_a_routed_file_that_is_gone_is_said_to_be_so(house):
    run = ingested(house, "a.csv", lines_of(3))
    Path(run.good).unlink()
    life = trace_row(house, "a.csv", 2)
    assert (life.state, life.place.row, life.place.start) == (State.GOOD, 2, None)
    assert "No such file" in life.place.doubt


@pytest.mark.parametrize("show", [False, True])
def test_nothing_of_a_person_is_told_unless_it_is_asked_for(house, show):
    lines = lines_of(4, bad={2})
    lines[2] = lines[2].replace("7000003", "70000o3")
    lines[3] += ",too many"
    lines = [*lines, *lines_of(1, seed=5)]
    ingested(house, "a.csv", lines)
    list(score.score_new(house))
    for row, line in enumerate(lines, start=1):
        told = repr(trace_row(house, "a.csv", row, show=show))
        assert (line.split(",")[0] in told) is show
        assert ("-987654" in told) is (show and row == 2)


def test_a_file_that_has_never_come_is_not_found(house):
    with pytest.raises(NotFound, match=r"No file b\.csv has come"):
        trace_row(house, "b.csv", 1)


@pytest.fixture
def jobchurn(house, database, monkeypatch, capsys):
    monkeypatch.setenv("JOBCHURN_HOME", str(house.folders.root))
    monkeypatch.setenv("DATABASE_URL", database)

    def run(*words, code=0):
        monkeypatch.setattr(sys, "argv", ["jobchurn", "trace", *words])
        capsys.readouterr()
        try:
            main()
        except SystemExit as end:
            assert (end.code or 0) == code
        return capsys.readouterr()

    return run


def test_a_life_is_told_in_lines(house, jobchurn):
    lines = lines_of(3, bad={2})
    ingested(house, "a\x1b[1m.csv", lines)
    list(score.score_new(house))
    told = jobchurn("a\x1b[1m.csv:1").out
    assert "row 1 of a\\u001b[1m.csv" in told
    assert "\x1b" not in told
    for word in ("state        good", "sha256", "prediction", "a retry is given this answer"):
        assert word in told
    assert lines[0] not in told
    assert lines[0] in jobchurn("a\x1b[1m.csv:1", "--show").out
    assert "reason       range" in jobchurn("a\x1b[1m.csv:2").out


def test_a_life_is_told_as_json(house, jobchurn):
    run = ingested(house, "a:b.csv", lines_of(2, bad={2}))
    life = json.loads(jobchurn("a:b.csv:2", "--json").out)
    assert (life["file"], life["row"], life["state"]) == ("a:b.csv", 2, "bad")
    assert life["run"] == run.run_id
    assert life["place"]["path"] == run.bad
    assert life["reasons"][0]["text"] == ""
    list(score.score_new(house))
    [prediction] = json.loads(jobchurn("a:b.csv:1", "--json").out)["predictions"]
    assert json.loads(jobchurn(str(prediction["id"]), "--json").out)["row"] == 1


@pytest.mark.parametrize(
    "what", ["a.csv", ":3", "a.csv:0", "a.csv:-1", "a.csv:x", "", "0", "9" * 40, "a.csv:²"]
)
def test_what_is_neither_a_row_nor_a_prediction_is_told_so(jobchurn, what):
    assert "neither a row of a file nor a prediction" in jobchurn(what, code=2).err
