"""Redactions: written down once, before anything is touched."""

import dataclasses

import psycopg
import pytest

from jobchurn.errors import IdempotencyConflict, InvalidRequest
from jobchurn.store import Redaction, Redactions
from jobchurn.store.redactions import Removed
from jobchurn.store.tables import tables_of
from store_work import batch_of, claimed, record_of

BEFORE, AFTER = "b" * 64, "a" * 64


def entry(**values):
    given = {"rows": 2, "file": "data/good_data/a.csv"}
    return Redaction(**given | {"sha256_before": BEFORE, "sha256_after": AFTER} | values)


def test_what_is_done_to_a_run_s_files_is_told_in_order(store):
    run = claimed(store).run_id
    first, second = entry(run_id=run), entry(run_id=run, file="data/reports/x.html", rows=1)
    store.redactions.record([first, second, entry(file="data/training.csv")])
    told = store.redactions.of_run(run)
    assert [(one.file, one.rows) for one in told] == [(first.file, 2), (second.file, 1)]
    assert (told[0].sha256_before, told[0].sha256_after) == (BEFORE, AFTER)
    assert told[0].at is not None


def test_what_is_repeated_after_a_kill_is_written_down_once(store):
    run = claimed(store).run_id
    for _ in range(2):
        store.redactions.record([entry(run_id=run)])
    store.redactions.record([entry(run_id=run, sha256_before=AFTER, sha256_after=None)])
    assert len(store.redactions.of_run(run)) == 2


def test_a_file_of_any_name_is_told_as_it_is_called(store):
    run = claimed(store).run_id
    name = "data/good_data/\udce9\n.csv"
    store.redactions.record([entry(run_id=run, file=name)])
    assert [one.file for one in store.redactions.of_run(run)] == [name]


def written(store, *ids, key=None, run_id=None, refused=None):
    records = [record_of(enrollee_id=number) for number in ids]
    return store.predictions.write(
        batch_of(records, key=key, fingerprint="asked", run_id=run_id, refused=refused)
    )


def left_of(store):
    rows, _ = store.predictions.page()
    return sorted((row.record["enrollee_id"] for row in rows), key=str)


def removed(store, person, without=lambda refused: refused, **values):
    return store.redactions.remove_person(person, without, [str(person)], **values)


def test_a_person_s_predictions_go_and_nobody_else_s(store):
    run = claimed(store).run_id
    written(store, 1, 2, 1, run_id=run)
    written(store, 1, 3, run_id="unknown to the ledger")
    written(store, None)
    assert removed(store, 1) == Removed(predictions=3, requests=0)
    assert left_of(store) == [2, 3, None]
    told = store.redactions.of_run(run)
    assert [(one.file, one.rows) for one in told] == [(None, 2)]
    assert removed(store, 1) == Removed(0, 0)


def test_a_dry_run_counts_and_removes_nothing(store):
    written(store, 1, 2, key="k")
    assert removed(store, 1, dry_run=True) == Removed(1, 1)
    assert left_of(store) == [1, 2]
    assert written(store, 1, 2, key="k").replayed


def test_no_retry_of_a_request_brings_back_what_was_removed_of_it(store):
    written(store, 1, 2, key="k")
    written(store, 3, key="other")
    assert removed(store, 1) == Removed(1, 1)
    with pytest.raises(IdempotencyConflict, match="removed since, on request"):
        written(store, 1, 2, key="k")
    assert written(store, 3, key="other").replayed
    assert left_of(store) == [2, 3]


def test_what_was_refused_of_a_person_goes_from_the_kept_answer(store, database):
    kept = [{"record": 1, "value": "1 \\ x"}, {"record": 2, "value": "2"}]
    written(store, 5, key="k", refused=kept)

    def without(refused):
        return [{**one, "value": None} if "1" in (one["value"] or "") else one for one in refused]

    assert removed(store, 1, without) == Removed(0, 1)
    with psycopg.connect(database) as connection:  # those who look at panels may not see it
        table = connection.execute("SELECT refused, fingerprint FROM requests").fetchall()
    assert table == [([{"record": 1, "value": None}, {"record": 2, "value": "2"}], "")]
    assert removed(store, 1, without) == Removed(0, 0)


def test_a_contract_without_an_id_knows_nobody(store, toy):
    if toy.id is not None:
        toy = dataclasses.replace(toy, columns=tuple(c for c in toy.columns if c != toy.id))
    other = Redactions(store._engine, tables_of(toy), toy)
    with pytest.raises(InvalidRequest, match="no id"):
        other.remove_person(1, list, ["1"])
