"""Scoring in this process: each good row once, whatever is killed; and a person's own file."""

import contextlib
import csv
import io
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from ingest_house import NAMES, damaged, good_lines
from jobchurn import files
from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import DatabaseLocked, DataUnusable, IdempotencyConflict
from jobchurn.flow import score
from jobchurn.flow.forget import Person, forget
from scored_house import (
    each_once,
    ingested,
    predicted,
    scored,
    scored_house,
    with_settings,
)
from small_model import small_model
from store_work import at_once, batch_of


@pytest.fixture
def house(store, tmp_path):
    return scored_house(store, tmp_path / "home")


def test_each_good_row_is_predicted_once_with_where_it_comes_from(house):
    lines = good_lines(5)
    first = ingested(house, "a.csv", [*lines[:2], damaged(lines[2]), *lines[3:]])
    second = ingested(house, "b.csv", good_lines(3, seed=1))
    assert scored(house) == [("a.csv", 4), ("b.csv", 3)]
    assert scored(house) == []
    assert predicted(house) == each_once(first, second)
    rows, _ = house.store.predictions.page()
    good = Path(first.good).read_text().splitlines()[1:]
    for row in rows:
        assert row.source == "scheduled"
        if row.run_id == first.run_id:
            assert row.file_name == "a.csv"
            line = ",".join(c.write(row.record[c.name]) for c in JOB_CHANGE.columns)
            assert line == good[row.row_number - 1]


def test_a_good_file_is_only_read(house):
    run = ingested(house, "a.csv", good_lines(3))
    path = Path(run.good)
    before = (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino)
    scored(house)
    assert (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino) == before


def test_the_file_that_was_predicted_last_is_known(house):
    run = ingested(house, "a.csv", good_lines(3))
    scored(house)
    last = house.store.predictions.last_predicted()
    assert (last.name, last.rows, last.run_id) == ("a.csv", 3, run.run_id)
    assert last.mtime == pytest.approx(Path(run.good).stat().st_mtime)


def test_the_same_content_under_another_name_is_predicted_once(house):
    lines = good_lines(4)
    run = ingested(house, "a.csv", lines)
    ingested(house, "b.csv", lines)
    scored(house)
    assert predicted(house) == each_once(run)


def test_the_same_good_rows_out_of_another_raw_file_are_predicted_once(house):
    lines = good_lines(4)
    run = ingested(house, "a.csv", lines)
    ingested(house, "b.csv", [*lines, damaged(lines[0])])
    assert scored(house) == [("a.csv", 4), ("b.csv", 4)]
    assert predicted(house) == each_once(run)
    assert scored(house) == []


def test_a_file_without_good_rows_is_not_predicted(house):
    ingested(house, "a.csv", [damaged(line) for line in good_lines(2)])
    assert scored(house) == []


def test_a_large_file_is_predicted_in_chunks_of_the_limit(house):
    run = ingested(house, "a.csv", good_lines(10))
    sizes = []
    predict = score.here(house)

    def counting(records, **where):
        sizes.append((len(records), where["first_row"]))
        predict(records, **where)

    assert scored(with_settings(house, max_records=4), counting) == [("a.csv", 10)]
    assert sizes == [(4, 1), (4, 5), (2, 9)]
    assert predicted(house) == each_once(run)


class Killed(BaseException):
    """What a test throws where a real worker would be killed: nothing catches it."""


@pytest.mark.parametrize("after", [True, False], ids=["after", "before"])
@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_killed_at_any_chunk_and_repeated_each_row_is_predicted_once(house, chunk, after):
    run = ingested(house, "a.csv", good_lines(10))
    small = with_settings(house, max_records=4)
    predict = score.here(small)
    calls = []

    def mortal(records, **where):
        calls.append(1)
        if len(calls) < chunk or after:
            predict(records, **where)
        if len(calls) == chunk:
            raise Killed

    with contextlib.suppress(Killed):
        scored(small, mortal)
    assert sum(predicted(house).values()) == min(10, 4 * (chunk if after else chunk - 1))
    assert scored(small) == [("a.csv", 10)]
    assert predicted(house) == each_once(run)


@pytest.mark.parametrize("limit", [3, 5, 100])
def test_another_limit_between_a_kill_and_its_repeat_keeps_no_row_back(house, limit):
    run = ingested(house, "a.csv", good_lines(10))
    before = with_settings(house, max_records=4)
    predict, sizes = score.here(before), []

    def mortal(records, **where):
        if sizes:
            raise Killed
        sizes.append(len(records))
        predict(records, **where)

    with contextlib.suppress(Killed):
        scored(before, mortal)
    assert sizes == [4]
    after = with_settings(house, max_records=limit)
    assert scored(after) == [("a.csv", 10)]
    assert predicted(house) == each_once(run)


def test_of_a_file_whose_first_part_another_process_names_otherwise_nothing_is_noted(house):
    run = ingested(house, "a.csv", good_lines(4))
    [good] = score.new_files(house)
    other = batch_of([], key=f"file:{files.sha256_of(Path(run.good))}:0", fingerprint="another")
    house.store.predictions.write(other)
    with pytest.raises(IdempotencyConflict):
        scored(house)
    assert score.new_files(house) == [good]


def test_good_rows_that_came_before_and_lost_somebody_since_are_done(house):
    lines = good_lines(4)
    first = ingested(house, "a.csv", [*lines, damaged(good_lines(1, seed=1)[0])])
    scored(house)
    forget(house, Person.of(JOB_CHANGE, lines[1].split(",")[NAMES.index(JOB_CHANGE.id.name)]))
    left = each_once(first) - Counter({(first.run_id, 2): 1})
    assert predicted(house) == left
    again = ingested(house, "without the bad row.csv", lines)
    assert again.duplicate_of is None
    other = ingested(house, "b.csv", good_lines(3, seed=2))
    assert scored(house) == [("without the bad row.csv", 4), ("b.csv", 3)]
    assert predicted(house) == left + each_once(other)
    assert scored(house) == []


def test_good_rows_that_the_contract_admits_no_longer_are_told_of(house, caplog):
    lines = good_lines(5)
    run = ingested(house, "a.csv", lines)
    forget(house, Person.of(JOB_CHANGE, lines[0].split(",")[NAMES.index(JOB_CHANGE.id.name)]))
    good = ingested(house, "b.csv", good_lines(4, seed=1))
    scored(house)
    assert "does not admit" not in caplog.text
    third = ingested(house, "c.csv", good_lines(4, seed=2))
    text = Path(third.good).read_text().splitlines(keepends=True)
    Path(third.good).write_text("".join([*text[:2], damaged(text[2]), *text[3:]]))
    assert scored(house) == [("c.csv", 3)]
    assert "c.csv: 1 of its 4 rows are not predicted" in caplog.text
    row = Counter({(run.run_id, 1): 1})
    other = Counter({(third.run_id, 2): 1})
    assert predicted(house) == each_once(run, good, third) - row - other


def test_killed_before_it_is_noted_a_file_is_predicted_once(house, monkeypatch):
    run = ingested(house, "a.csv", good_lines(3))

    def die(*_args, **_values):
        raise Killed

    with monkeypatch.context() as patched, contextlib.suppress(Killed):
        patched.setattr(house.store.predictions, "mark_predicted", die)
        scored(house)
    assert scored(house) == [("a.csv", 3)]
    assert predicted(house) == each_once(run)


def test_a_new_champion_between_a_kill_and_its_repeat_doubles_nothing(house):
    run = ingested(house, "a.csv", good_lines(6))
    small = with_settings(house, max_records=4)
    predict = score.here(small)

    def mortal(records, **where):
        predict(records, **where)
        raise Killed

    with contextlib.suppress(Killed):
        scored(small, mortal)
    house.registry.promote(house.registry.add(small_model(JOB_CHANGE, seed=9)))
    scored(small)
    assert predicted(house) == each_once(run)


def test_several_at_once_predict_each_row_once(house):
    runs = [ingested(house, f"{n}.csv", good_lines(6, seed=n)) for n in range(4)]
    small = with_settings(house, max_records=4)
    results = at_once(4, lambda _: scored(small))
    assert not [result for result in results if isinstance(result, Exception)]
    assert predicted(house) == each_once(*runs)
    assert house.store.predictions.unpredicted() == []


def command(house, database):
    return subprocess.Popen(
        [sys.executable, "-m", "jobchurn.cli", "predict", "--new"],
        env=os.environ
        | {"DATABASE_URL": database, "JOBCHURN_HOME": str(house.folders.root)}
        | {"OMP_NUM_THREADS": "1", "MAX_RECORDS": "2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_killed_command_is_taken_up_by_two_at_once(house, database):
    runs = [ingested(house, f"{n}.csv", good_lines(60, seed=n)) for n in range(3)]
    first = command(house, database)
    end = time.monotonic() + 240
    while not house.store.predictions.count():
        assert time.monotonic() < end
        time.sleep(0.005)
    first.kill()
    first.communicate()
    assert house.store.predictions.count() < 180, "it was killed too late to show anything"
    both = [command(house, database) for _ in range(2)]
    for one in both:
        output, _ = one.communicate(timeout=300)
        assert one.returncode == 0, output
    assert predicted(house) == each_once(*runs)


def test_only_the_files_of_the_wanted_runs_are_predicted(house):
    runs = [ingested(house, f"{n}.csv", good_lines(2, seed=n)) for n in range(3)]
    done = list(score.score_new(house, runs=[runs[1].run_id]))
    assert [one.file for one in done] == ["1.csv"]
    assert predicted(house) == each_once(runs[1])


def test_a_file_that_was_taken_away_keeps_no_other_waiting_and_is_told(house):
    lost = ingested(house, "a.csv", good_lines(2))
    kept = ingested(house, "b.csv", good_lines(2, seed=1))
    content = Path(lost.good).read_bytes()
    Path(lost.good).unlink()
    with pytest.raises(DataUnusable, match=lost.run_id):
        scored(house)
    assert predicted(house) == each_once(kept)
    Path(lost.good).write_bytes(content)
    assert scored(house) == [("a.csv", 2)]
    assert predicted(house) == each_once(lost, kept)


def test_a_file_that_a_sleeping_worker_predicts_is_left_and_the_others_are_not(house):
    for number, name in enumerate(("a.csv", "b.csv")):
        ingested(house, name, good_lines(2, seed=number))
    real = score.here(house)

    def predictor(records, *, file, **lineage):
        if file == "a.csv":
            raise DatabaseLocked("Another one holds it.")
        real(records, file=file, **lineage)

    assert [scored.file for scored in score.score_new(house, predictor)] == ["b.csv"]
    assert [scored.file for scored in score.score_new(house)] == ["a.csv"]


def answers_of(house, path):
    out = io.StringIO()
    rows = score.predict_file(house, path, out)
    return list(csv.DictReader(io.StringIO(out.getvalue()))), rows


def test_a_persons_file_comes_back_in_its_order_with_reasons_for_what_was_refused(house, tmp_path):
    lines = good_lines(8)
    lines[2] = damaged(lines[2])
    lines[5] += ",one cell more"
    path = tmp_path / "mine.csv"
    path.write_text("\n".join([",".join(NAMES), *lines]))
    answered, rows = answers_of(house, path)
    assert len(answered) == 8
    for line, answer in zip(lines, answered, strict=True):
        if not answer["refused_because"]:
            assert [answer[name] for name in NAMES] == line.split(",")
            assert answer["prediction"] in "01"
            assert 0 <= float(answer["probability"]) <= 1
    assert [n for n, answer in enumerate(answered, 1) if answer["refused_because"]] == [3, 6]
    assert "training_hours" in answered[2]["refused_because"]
    assert answered[2]["training_hours"] == "-5"
    assert answered[2]["prediction"] == answered[2]["probability"] == ""
    assert (len(rows.records), len(rows.refused)) == (6, 2)


def test_what_a_spreadsheet_would_run_gets_an_apostrophe(house, tmp_path):
    good, bad = (line.split(",") for line in good_lines(2))
    good[NAMES.index("city")] = "=HYPERLINK(1)"
    bad[NAMES.index("gender")] = "@SUM(A1)"
    path = tmp_path / "mine.csv"
    path.write_text("\n".join([",".join(NAMES), ",".join(good), ",".join(bad)]))
    answered, _ = answers_of(house, path)
    assert answered[0]["city"] == "'=HYPERLINK(1)"
    assert answered[0]["prediction"] != ""
    assert answered[1]["gender"] == "'@SUM(A1)"
    assert answered[1]["refused_because"] != ""


def test_columns_come_back_as_the_file_has_them_and_spellings_canonical(house, tmp_path):
    record = dict(zip(NAMES, good_lines(1)[0].split(","), strict=True)) | {"company_size": "Oct-49"}
    names = [name for name in reversed(NAMES) if name not in ("target", "gender")]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join([",".join(names), ",".join(record[name] for name in names)]))
    answered, _ = answers_of(house, path)
    assert list(answered[0])[: len(names)] == names
    assert answered[0]["company_size"] == "10-49"


def test_a_file_of_refused_rows_alone_still_comes_back(house, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("\n".join([",".join(NAMES), damaged(good_lines(1)[0])]))
    answered, rows = answers_of(house, path)
    assert len(answered) == 1
    assert rows.records == {}


def test_a_file_that_lacks_a_required_column_is_told(house, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("city\ncity_1\n")
    with pytest.raises(DataUnusable, match="training_hours"):
        answers_of(house, path)
    assert house.store.predictions.count() == 0
