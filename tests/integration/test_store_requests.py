"""A request is stored once, whatever is retried, and all of it or nothing."""

import csv

import psycopg
import pytest

from jobchurn.errors import IdempotencyConflict, InvalidRequest
from jobchurn.store.requests import Requests
from store_work import at_once, batch_of, record_of


def answer_of(stored):
    """What the client sees of it, whether stored now or before."""
    return (
        stored.created_at,
        stored.ids,
        stored.positions,
        stored.probabilities,
        stored.decisions,
        stored.model_version,
        stored.policy_version,
        stored.refused,
    )


def keyed(count=3, key="k", fingerprint="f", **values):
    records = [record_of(training_hours=n) for n in range(count)]
    return batch_of(records, key=key, fingerprint=fingerprint, **values)


def test_a_retry_is_given_the_first_answer_and_stores_nothing(store):
    refused = [{"record": 2, "field": "x\x00\ud800", "allowed": ["a", None, 1.5]}]
    first = store.predictions.write(keyed(positions=[0, 2, 3], refused=refused))
    retry = store.predictions.write(
        keyed(model_version="another", probabilities=[1.0] * 3, decisions=[1] * 3)
    )
    assert (first.replayed, retry.replayed) == (False, True)
    assert answer_of(retry) == answer_of(first)
    assert retry.positions == [0, 2, 3]
    assert retry.refused == refused
    assert [record["training_hours"] for record in retry.records] == [0, 1, 2]
    assert store.predictions.count() == 3


def test_a_replayed_record_has_every_column_of_the_contract(store, contract):
    store.predictions.write(keyed())
    [first, *_] = store.predictions.write(keyed()).records
    assert list(first) == [column.name for column in contract.columns]


@pytest.mark.parametrize("refused", [None, [], [{"record": 1}]])
def test_a_request_of_which_nothing_is_stored_is_remembered_too(store, refused):
    first = store.predictions.write(keyed(0, refused=refused))
    retry = store.predictions.write(keyed(0))
    assert retry.replayed
    assert answer_of(retry) == answer_of(first)


def test_a_key_is_not_used_for_another_request(store):
    store.predictions.write(keyed(fingerprint="f"))
    with pytest.raises(IdempotencyConflict):
        store.predictions.write(keyed(fingerprint="g"))
    assert store.predictions.count() == 3


def test_a_retry_whose_predictions_are_gone_is_refused_and_not_answered_with_less(store, database):
    stored = store.predictions.write(keyed())
    with psycopg.connect(database) as connection:  # as retention does, before the key goes too
        connection.execute("DELETE FROM predictions WHERE id > %s", [stored.ids[0]])
    with pytest.raises(IdempotencyConflict, match="kept for long enough"):
        store.predictions.write(keyed())
    assert store.predictions.count() == 1


def test_a_key_that_is_removed_the_moment_it_is_met_is_free(store, database, monkeypatch):
    store.predictions.write(keyed())
    register, met = Requests._register, []

    def removed(requests, connection, batch):
        found = register(requests, connection, batch)
        if found is None:
            with psycopg.connect(database) as another:
                another.execute("DELETE FROM requests")
        met.append(found is None)
        return found

    monkeypatch.setattr(Requests, "_register", removed)
    assert not store.predictions.write(keyed()).replayed
    assert met == [True, False]
    assert store.predictions.count() == 6


def test_without_a_key_each_request_is_its_own(store):
    store.predictions.write(batch_of())
    store.predictions.write(batch_of())
    assert store.predictions.count() == 2


def test_a_key_of_any_characters_is_kept(store):
    for key in ("", "\x00", "\udce9", "ключ", "x" * 512):
        assert not store.predictions.write(keyed(1, key=key)).replayed
        assert store.predictions.write(keyed(1, key=key)).replayed


def test_a_key_that_is_too_long_is_refused(store):
    with pytest.raises(InvalidRequest, match="512"):
        store.predictions.write(keyed(key="x" * 513))
    assert store.predictions.count() == 0


def test_of_many_requests_with_one_key_at_once_one_is_stored(store):
    results = at_once(8, lambda _: store.predictions.write(keyed(20)))
    assert [result.replayed for result in results].count(False) == 1
    assert len({repr(answer_of(result)) for result in results}) == 1
    assert store.predictions.count() == 20


def test_of_many_different_requests_with_one_key_at_once_one_is_stored(store):
    results = at_once(8, lambda n: store.predictions.write(keyed(2, fingerprint=f"f{n}")))
    refused = [result for result in results if isinstance(result, IdempotencyConflict)]
    assert len(refused) == 7
    assert store.predictions.count() == 2


@pytest.mark.parametrize(
    "broken",
    [
        {"probabilities": [0.5, 0.5, 1.5]},
        {"decisions": [0, 1, 2]},
        {"decisions": [0, 1]},
        {"positions": [0, 1]},
        {"probabilities": [0.5, 0.5, float("nan")]},
    ],
)
def test_a_request_that_cannot_be_stored_whole_is_not_stored_at_all(store, broken):
    with pytest.raises(Exception, match=r"(?i)check constraint|argument"):
        store.predictions.write(keyed(**broken))
    assert store.predictions.count() == 0
    assert not store.predictions.write(keyed()).replayed  # its key is not taken either


def test_a_value_that_the_contract_refuses_is_refused_by_the_database(store):
    for wrong in ({"gender": "male"}, {"training_hours": -1}, {"city": "a\tb"}):
        with pytest.raises(Exception, match="check constraint"):
            store.predictions.write(batch_of([record_of(), record_of(**wrong)]))
    assert store.predictions.count() == 0


def test_many_writers_at_once_lose_and_double_nothing(store):
    def five(n):
        return [store.predictions.write(keyed(5, key=f"{n}:{i}")) for i in range(5)]

    results = at_once(8, five)
    ids = [number for stored in results for request in stored for number in request.ids]
    assert len(set(ids)) == 8 * 5 * 5
    assert {row.id for row in store.predictions.page(limit=1_000)[0]} == set(ids)


def test_the_real_data_is_stored_and_read_back_as_it_is(store, contract, real_csv):
    with real_csv.open(newline="") as file:
        rows = list(csv.DictReader(file))
    records = [{n: contract[n].read(text) for n, text in row.items()} for row in rows]
    stored = store.predictions.write(batch_of(records, key="real", fingerprint="real"))
    assert len(stored.ids) == len(records)
    retry = store.predictions.write(batch_of([], key="real", fingerprint="real"))
    assert retry.records == records
