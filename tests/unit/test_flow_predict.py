"""What makes two requests the same, and where each record of a request stands."""

import pytest

from jobchurn.flow.predict import fingerprint_of, places

RECORD = {"a": 1, "b": None}
REFUSAL = {"record": 2, "errors": [{"field": "a"}]}


def of(records=(RECORD,), source="webapp", refused=()):
    return fingerprint_of(list(records), source=source, refused=list(refused))


def test_the_order_of_fields_makes_no_other_request():
    assert of() == of([{"b": None, "a": 1}])


@pytest.mark.parametrize(
    "asked",
    [
        {"records": [{"a": 2, "b": None}]},
        {"records": [{"a": "1", "b": None}]},
        {"records": [{"a": 1, "b": 0}]},
        {"records": [RECORD, RECORD]},
        {"records": []},
        {"source": "scheduled"},
        {"refused": [REFUSAL]},
    ],
)
def test_whatever_is_asked_otherwise_is_another_request(asked):
    assert of(**asked) != of()


def test_the_order_of_records_makes_another_request():
    other = {"a": 2, "b": None}
    assert of([RECORD, other]) != of([other, RECORD])


@pytest.mark.parametrize(
    ("accepted", "refused", "expected"),
    [(3, [], [0, 1, 2]), (3, [2, 5], [0, 2, 3]), (0, [1, 2], []), (2, [1, 2], [2, 3])],
)
def test_accepted_records_stand_where_no_refused_one_does(accepted, refused, expected):
    assert places(accepted, [{"record": n, "errors": []} for n in refused]) == expected


def test_a_fingerprint_is_what_it_was_when_it_was_kept():
    """Requests of years ago may be sent again: the database holds their fingerprints."""
    found = of([{"b": 1.5, "a": None, "c": "ä"}], refused=[REFUSAL])
    assert found == "45dcfd298e680e31a796d3b8e4ec5aefc66afb94222de92701e55636fb56c59c"
