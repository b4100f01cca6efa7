"""Canonical values become numbers; nothing else does."""

import math

import numpy as np
import pytest

from jobchurn.contract import JOB_CHANGE, Kind, Role
from jobchurn.model.encode import Encoder, levels_of
from small_model import random_records
from toy import TOY

RECORD = {"temperature": 71.5, "maker": "50% : cheap", "site": "Hall 3"}


def encoded(record, levels=("Hall 1", "Hall 3")):
    return Encoder(TOY, {"site": levels}).row(record)


def test_a_record_becomes_one_number_a_feature_in_the_contracts_order():
    assert encoded(RECORD) == [71.5, 1.0, 1.0]


def test_a_blank_becomes_nan():
    assert math.isnan(encoded(RECORD | {"maker": None})[1])
    assert math.isnan(encoded({"temperature": 1.0})[2])


def test_a_text_that_training_did_not_see_follows_the_rarest():
    assert encoded(RECORD | {"site": "Hall 9"})[2] == 2.0
    assert encoded(RECORD, levels=())[2] == 0.0


def test_levels_of_texts_go_from_the_most_to_the_least_frequent():
    sites = ["b", "a", "c", "c", None, "b", "c"]
    assert levels_of([{"site": site} for site in sites], TOY) == {"site": ("c", "b", "a")}


def test_equally_frequent_levels_are_in_alphabetical_order():
    assert levels_of([{"site": site} for site in "cab"], TOY) == {"site": ("a", "b", "c")}


def test_ordered_levels_keep_their_order():
    column = next(c for c in JOB_CHANGE.features if c.kind is Kind.ORDERED)
    place = [c.name for c in JOB_CHANGE.features].index(column.name)
    record = random_records(JOB_CHANGE, 1)[0]
    encoder = Encoder(JOB_CHANGE, {})
    codes = [encoder.row(record | {column.name: level})[place] for level in column.levels]
    assert codes == sorted(codes)
    assert len(set(codes)) == len(codes)


def test_many_records_are_encoded_as_one_by_one():
    records = random_records(JOB_CHANGE, 200)
    encoder = Encoder(JOB_CHANGE, levels_of(records[:50], JOB_CHANGE))
    rows = np.array([encoder.row(record) for record in records])
    assert encoder.matrix(records).tobytes() == rows.tobytes()
    assert encoder.matrix([]).shape == (0, len(JOB_CHANGE.features))


def test_only_features_are_encoded():
    hidden = {c.name for c in JOB_CHANGE.columns if c.role is not Role.FEATURE}
    assert hidden
    assert not hidden & set(Encoder(JOB_CHANGE, {}).names)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", None),
        ("temperature", "71.5"),
        ("temperature", True),
        ("temperature", math.nan),
        ("temperature", math.inf),
        ("temperature", 251.0),
        ("temperature", -41),
        ("maker", "ONeill"),
        ("maker", "o'neill & söhne"),
        ("maker", ""),
        ("maker", 1),
        ("site", 3),
        ("site", "x" * 13),
        ("site", "\x00"),
    ],
)
def test_what_is_not_canonical_is_refused_alone_and_among_others(name, value):
    with pytest.raises(ValueError, match=name):
        encoded(RECORD | {name: value})
    with pytest.raises(ValueError, match=name):
        Encoder(TOY, {}).matrix([RECORD, RECORD | {name: value}])
