import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobchurn.api.bulk.objects import submitted
from jobchurn.api.records import Reader
from jobchurn.columnar import Objects, Records
from jobchurn.contract import JOB_CHANGE
from jobchurn.flow import bulk, predict
from small_model import random_records, small_model
from toy import TOY

contracts = pytest.mark.parametrize("contract", [JOB_CHANGE, TOY], ids=lambda c: c.name)


@contracts
@settings(max_examples=30)
@given(
    count=st.integers(0, 40),
    seed=st.integers(0, 5),
    refused=st.lists(st.fixed_dictionaries({"record": st.integers(1, 9), "errors": st.just([])})),
)
def test_both_fingerprints_of_a_request_are_one(contract, count, seed, refused):
    records = random_records(contract, count, seed)
    by_rows = predict.fingerprint_of(records, source="webapp", refused=refused)
    read = submitted(records, Reader(contract), contract).reading(contract).accepted
    for held in (Records.of(records, contract), read):
        assert bulk.fingerprint_of(held, source="webapp", refused=refused) == by_rows


def test_a_fingerprint_of_several_pieces_is_that_of_all(monkeypatch):
    records = random_records(JOB_CHANGE, 50)
    held = Records.of(records, JOB_CHANGE)
    whole = bulk.fingerprint_of(held, source="webapp", refused=[])
    monkeypatch.setattr(bulk, "PIECE", 7)
    assert bulk.fingerprint_of(held, source="webapp", refused=[]) == whole


@contracts
def test_objects_are_the_records_as_json(contract):
    records = random_records(contract, 30)
    read = submitted(records, Reader(contract), contract).reading(contract).accepted
    objects = Objects(read.columns, orjson.dumps)
    assert b"[" + objects.of(slice(3, 20)) + b"]" == orjson.dumps(records[3:20])


@contracts
def test_a_model_sees_the_same_by_columns_as_by_rows(contract):
    model = small_model(contract)
    records = random_records(contract, 100, seed=4)
    read = submitted(records, Reader(contract), contract).reading(contract).accepted
    expected = model.probabilities(records).tolist()
    assert model.probabilities(read).tolist() == expected
    assert model.probabilities_of(model.encoded(read)[30:60]).tolist() == expected[30:60]
    assert model.probabilities(read[:1]).tolist() == expected[:1]


def test_a_value_that_is_not_canonical_is_not_encoded():
    model = small_model(JOB_CHANGE)
    [hours] = [c.name for c in JOB_CHANGE.features if c.kind == "integer"]
    records = [record | {hours: 10**6} for record in random_records(JOB_CHANGE, 2)]
    with pytest.raises(ValueError, match="not a canonical value"):
        model.encoded(Records.of(records, JOB_CHANGE))


def test_records_of_any_shapes_are_read_as_one_by_one():
    records = random_records(JOB_CHANGE, 4)
    short = {k: v for k, v in records[0].items() if v is not None}
    wrong = [records[1] | {"x": 1}, {}, 5, None, [], records[2] | {"city": ["a"]}]
    for tried in ([], records, [short], [short, *records], [*wrong, *records, short], wrong):
        some = json.loads(json.dumps(tried))
        by_rows = Reader(JOB_CHANGE).read(some)
        by_columns = submitted(some, Reader(JOB_CHANGE), JOB_CHANGE).reading(JOB_CHANGE)
        assert by_columns.accepted.to_list() == by_rows.accepted
        assert by_columns.refused == by_rows.refused
        assert by_columns.errors == by_rows.errors
