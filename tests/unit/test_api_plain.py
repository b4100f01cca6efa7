"""Large bodies of plain records are decoded into types, and read as dictionaries are."""

import json

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bulk_bodies import as_json, as_ndjson
from jobchurn.api.bulk import objects, plain
from jobchurn.api.envelope import read_request
from jobchurn.api.records import Reader
from jobchurn.api.schema import example_of
from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import JobchurnError, TooLarge
from small_model import random_records
from toy import TOY

MOST = 1_000
RECORD = example_of(JOB_CHANGE)
TEXT = as_json([RECORD, RECORD])

contracts = pytest.mark.parametrize("contract", [JOB_CHANGE, TOY], ids=lambda c: c.name)


def by_types(body, contract=JOB_CHANGE, most=MOST):
    """What a body is read as; ``None`` where it is left to the other way."""
    found = plain.request_of(body, contract, most)
    return found and read_as(*found, contract)


def by_dictionaries(body, contract=JOB_CHANGE):
    said = read_request(body, most_records=MOST)
    return read_as(said, objects.submitted(said.records, Reader(contract), contract), contract)


def lines_by_types(body, contract=JOB_CHANGE, most=MOST):
    found = plain.lines_of(body, contract, most)
    return found and read_as(None, found, contract)


def lines_by_dictionaries(body, contract=JOB_CHANGE):
    records = objects.lines_of(body, MOST)
    return read_as(None, objects.submitted(records, Reader(contract), contract), contract)


def read_as(said, submission, contract):
    """All that a request is, told apart by types too."""
    reading = submission.reading(contract)
    wishes = said and (said.source, said.partial, said.lineage)
    records = [list(record.items()) for record in reading.accepted.to_list()]
    return wishes, repr(records), reading.refused


@contracts
@settings(max_examples=30)
@given(count=st.integers(1, 30), seed=st.integers(0, 5), without=st.booleans())
def test_plain_records_are_read_as_dictionaries_are(contract, count, seed, without):
    records = [r for r in random_records(contract, count, seed) if ":" not in str(r.values())]
    assume(records)  # a colon in a text takes a closer look
    if without:
        names = [column.name for column in contract.inputs]
        records = [{name: record[name] for name in reversed(names)} for record in records]
    wishes = {"partial": without, "source": "scheduled"}
    assert by_types(as_json(records, **wishes), contract) == by_dictionaries(
        as_json(records, **wishes), contract
    )
    for body in (as_ndjson(records), as_ndjson(records)[:-1]):
        assert lines_by_types(body, contract) == lines_by_dictionaries(body, contract)


@pytest.mark.parametrize(
    "wishes",
    [
        {"source": "webapp"},
        {"lineage": None},
        {"lineage": {"run": "20261124T073000-3f9a2c", "file": "räw.csv", "first_row": 3}},
    ],
)
def test_what_stands_beside_plain_records_is_read(wishes):
    body = as_json([RECORD], **wishes)
    assert by_types(body) == by_dictionaries(body)
    turned = json.dumps(wishes | {"records": [RECORD]}).encode()
    assert by_types(turned) == by_dictionaries(turned)


PIECES = st.sampled_from(
    [
        *(b"{", b"}", b"[", b"]", b",", b":", b'"', b" ", b"\n", b"\r\n", b"\\", b"\x00", b"\xff"),
        *(
            b"null",
            b"true",
            b"1",
            b"1.0",
            b"-0",
            b"-0.0",
            b"1e400",
            b"99999999999999999999",
            b"NaN",
        ),
        *(b'"x"', b'""', b'"5"', b'"\\u0041"', b'"\\ud800"', b'"a:b"', b"\xc3\xa9", b"}\n{", b"{}"),
        *(b'"city":"x",', b'"x":1,', b'"gender":"male",', b'"gender":"Male",', b'"partial":true,'),
    ]
)


@settings(max_examples=600)
@given(
    body=st.sampled_from([TEXT, as_json([RECORD], source="webapp", partial=True)]),
    lines=st.booleans(),
    edits=st.lists(st.tuples(st.integers(0), st.integers(0, 9), PIECES), min_size=1, max_size=3),
)
def test_whatever_is_taken_of_strange_bodies_is_read_as_dictionaries_are(body, lines, edits):
    body = as_ndjson([RECORD, RECORD]) if lines else body
    for start, length, piece in edits:
        begin = start % len(body)
        body = body[:begin] + piece + body[begin + length :]
    found = lines_by_types(body) if lines else by_types(body)
    if found is not None:
        assert found == (lines_by_dictionaries(body) if lines else by_dictionaries(body))
        assert not found[-1]


def changed(**values):
    return as_json([RECORD, RECORD | values])


STRANGE = {
    "a refused value": changed(training_hours=-1),
    "an unknown level": changed(gender="male"),
    "a required value that is null": changed(city=None),
    "an unknown field": changed(x=1),
    "a colon in a text": changed(city="a:b"),
    "a number without a fraction": changed(training_hours=36.0),
    "a list": changed(city=["a"]),
    "records of two shapes": as_json([RECORD, {**RECORD, "enrollee_id": 1}]),
    "a name twice in a record": TEXT.replace(b'"city":', b'"city":"x","city":', 1),
    "a name twice in the last record": b'"city":"x","city":'.join(TEXT.rsplit(b'"city":', 1)),
    "the records twice": TEXT.replace(b'{"records":', b'{"records":[],"records":', 1),
    "an unknown wish": as_json([RECORD], x=1),
    "a wish of another type": as_json([RECORD], partial=1),
    "an unknown source": as_json([RECORD], source="nobody"),
    "a lineage that is none": as_json([RECORD], lineage={"run": "x"}),
    "no record": as_json([]),
    "an empty record": as_json([{}]),
    "records that are none": as_json([1, 2]),
    "a list of records alone": as_json([RECORD])[12:-1],
    "no JSON": TEXT[:-1],
    "nothing": b"",
    "deep brackets": b'{"records":[' + b"[" * 5_000,
    "a deep wish": b'{"records":[%b],"source":' % json.dumps(RECORD).encode() + b"[" * 5_000,
}


@pytest.mark.parametrize("kind", STRANGE)
def test_what_is_unusual_is_left_to_the_other_way(kind):
    assert by_types(STRANGE[kind]) is None


LINE = json.dumps(RECORD).encode()


@pytest.mark.parametrize(
    "body",
    [
        LINE + LINE + b"\n",
        LINE + LINE + b"\n ",
        LINE + b" " + LINE + b"\n\t",
        LINE + b" " + LINE + b"\n" + LINE.replace(b",", b",\n", 1) + b"\n",
        LINE.replace(b"}", b"\n}") + b"\n",
        LINE + b"\n\n" + LINE + b"\n",
        LINE + b"\r\n",
        LINE + b",\n" + LINE + b"\n",
        LINE + b"\n" + LINE.replace(b'"city":', b'"city":"x","city":', 1),
        LINE + b"\nnull\n",
        b"\n",
        b"",
    ],
)
def test_lines_that_are_unusual_are_left_to_the_other_way(body):
    assert lines_by_types(body) is None


def test_more_records_than_are_taken_are_left_to_the_other_way():
    records = [RECORD] * 11
    for most, is_read in ((11, True), (10, False)):
        assert (by_types(as_json(records), most=most) is not None) is is_read
        assert (lines_by_types(as_ndjson(records), most=most) is not None) is is_read


@pytest.mark.parametrize("read", [by_types, lines_by_types])
def test_more_values_than_are_taken_are_refused_before_they_are_made(read):
    with pytest.raises(TooLarge, match="values"):
        read(LINE + b"," * 50_000)


def test_what_is_refused_in_the_end_is_refused_in_the_other_ways_words():
    with pytest.raises(JobchurnError, match="stands twice"):
        by_dictionaries(STRANGE["a name twice in a record"])
