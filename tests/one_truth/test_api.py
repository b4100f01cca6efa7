"""The API's two readings of the contract, its schema and its reader, against the oracle."""

import copy
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from jobchurn.api.body import parse
from jobchurn.api.records import Reader
from jobchurn.api.schema import asked, example_of, features_of, field_of, record_of
from jobchurn.contract import BIGGEST_INTEGER, JOB_CHANGE, Column, Contract, Kind, Role

GARDEN = Contract(
    name="garden",
    subject="plant",
    positive="needs water",
    negative="needs no water",
    columns=(
        Column(
            name="height",
            label="Height",
            kind=Kind.NUMBER,
            role=Role.FEATURE,
            meaning="How tall it is.",
            minimum=-0.5,
            maximum=2.5,
            examples=(1.5,),
        ),
        Column(
            name="remark",
            label="Remark",
            kind=Kind.TEXT,
            role=Role.FEATURE,
            meaning="What the gardener wrote.",
            max_length=5,
            examples=("dry",),
        ),
        Column(
            name="pots",
            label="Pots",
            kind=Kind.ORDERED,
            role=Role.PROTECTED,
            meaning="How many pots it fills.",
            required=True,
            levels=("0", "-1", "007", "many"),
            examples=("many",),
        ),
        Column(
            name="thirsty",
            label="Thirsty",
            kind=Kind.INTEGER,
            role=Role.OUTCOME,
            meaning="Whether it needed water.",
            required=True,
            minimum=0,
            maximum=1,
            examples=(1,),
        ),
    ),
)

COLUMNS = {
    f"{contract.name}.{column.name}": (contract, column)
    for contract in (JOB_CHANGE, GARDEN)
    for column in asked(contract)
}
every_column = pytest.mark.parametrize("name", COLUMNS)

NUMBERS = [0, -1, 1, 5, 0.5, 36.0, -0.0, 1.5, 1e300, 5e-324, BIGGEST_INTEGER, BIGGEST_INTEGER + 1]
OTHERS = [None, True, False, "", "36", "x\n", "\x00", "\x7f", "\x9f", "\ue000", [], [1], {}]
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda children: st.lists(children) | st.dictionaries(st.text("ab"), children),
    max_leaves=4,
)


def edges(column):
    """Values at which the rules of a column begin and end."""
    found = [*NUMBERS, *OTHERS, *column.examples]
    if column.is_numeric:
        for bound in (column.minimum, column.maximum):
            found += [bound, bound - 1, bound + 1, bound - 0.001, bound + 0.001, str(bound)]
    for text in column.accepted:
        found += [text, f"{text} ", text.swapcase(), f"{text}\n", *column.levels[:1]]
        found += [int(text)] if text.lstrip("-").isdecimal() else []
    if column.max_length:
        found += ["x" * column.max_length, "x" * (column.max_length + 1)]
        found += ["\U0001f600" * column.max_length]
    return found


def schema_agrees(schema, column, value):
    """Whether schema and oracle say the same; a schema cannot tell 5.0 from 5."""
    if column.is_closed and isinstance(value, float) and value.is_integer():
        return True
    return Draft202012Validator(schema).is_valid(value) == column.admits(value)


def reader_agrees(contract, column, value):
    """Whether the API, given a record with this value in JSON, says the same as the oracle."""
    record = json.dumps([{**example_of(contract), column.name: value}])
    reading = Reader(contract).read(parse(record.encode()))
    if not column.admits(value):
        [refusal] = reading.refused
        [error] = refusal["errors"]
        return not reading.accepted and error["field"] == column.name
    canonical = column.accept(value)
    [accepted] = reading.accepted
    return accepted[column.name] == canonical and type(accepted[column.name]) is type(canonical)


@every_column
def test_the_schema_admits_what_the_contract_admits_at_every_edge(name):
    _, column = COLUMNS[name]
    schema = field_of(column)
    assert [v for v in edges(column) if not schema_agrees(schema, column, v)] == []


@every_column
def test_the_reader_admits_what_the_contract_admits_at_every_edge(name):
    contract, column = COLUMNS[name]
    assert [v for v in edges(column) if not reader_agrees(contract, column, v)] == []


@every_column
@given(value=json_values)
@settings(max_examples=60)
def test_schema_reader_and_contract_agree_on_any_value(name, value):
    contract, column = COLUMNS[name]
    assert schema_agrees(field_of(column), column, value)
    assert reader_agrees(contract, column, value)


@given(
    st.dictionaries(
        st.sampled_from([*JOB_CHANGE.by_name, "extra"]),
        json_values | st.sampled_from([v for c in JOB_CHANGE.columns for v in edges(c)]),
    ),
    st.sets(st.sampled_from([c.name for c in JOB_CHANGE.required])),
)
@settings(max_examples=200)
def test_a_record_is_accepted_where_the_schema_of_records_holds(changes, absent):
    record = {k: v for k, v in {**example_of(JOB_CHANGE), **changes}.items() if k not in absent}
    whole = [
        name
        for name, value in record.items()
        if name in JOB_CHANGE.by_name and JOB_CHANGE[name].is_closed and isinstance(value, float)
    ]
    record = {k: v for k, v in record.items() if k not in whole}
    valid = Draft202012Validator(record_of(JOB_CHANGE)).is_valid(record)
    assert valid == bool(Reader(JOB_CHANGE).read([record]).accepted)


@pytest.mark.parametrize("contract", [JOB_CHANGE, GARDEN], ids=lambda c: c.name)
def test_what_an_answer_shows_of_an_accepted_record_fits_its_schema(contract):
    [record] = Reader(contract).read([example_of(contract)]).accepted
    shown = {column.name: record[column.name] for column in contract.inputs}
    Draft202012Validator(features_of(contract)).validate(shown)
    assert not Draft202012Validator(features_of(contract)).is_valid(record)


@every_column
def test_every_schema_is_a_schema(name):
    _, column = COLUMNS[name]
    Draft202012Validator.check_schema(field_of(column))


# A derivation that is weakened alone must be noticed: here is each way to weaken this one.


def shapes(schema):
    return schema.get("anyOf", [schema])


def without(keyword):
    def weaken(schema):
        found = [shape for shape in shapes(schema) if keyword in shape]
        for shape in found:
            del shape[keyword]
        return bool(found)

    return weaken


def loosened(keyword, by):
    def weaken(schema):
        found = [shape for shape in shapes(schema) if keyword in shape]
        for shape in found:
            shape[keyword] += by
        return bool(found)

    return weaken


def with_another_level(schema):
    found = [shape for shape in shapes(schema) if "enum" in shape]
    for shape in found:
        shape["enum"] = [*shape["enum"], 5 if shape["type"] == "integer" else "36"]
    return bool(found)


def with_fractions(schema):
    found = [s for s in shapes(schema) if s["type"] == "integer" and "enum" not in s]
    for shape in found:
        shape["type"] = "number"
    return bool(found)


def with_null(schema):
    if any(shape.get("type") == "null" for shape in shapes(schema)):
        return False
    whole = copy.deepcopy(schema)
    schema.clear()
    schema["anyOf"] = [whole, {"type": "null"}]
    return True


WEAKENINGS = {
    **{f"no {k}": without(k) for k in ("minimum", "maximum", "enum", "pattern", "maxLength")},
    "no shortest": lambda s: s.get("minLength") == 1 and without("minLength")(s),
    "a lower minimum": loosened("minimum", -1),
    "a higher maximum": loosened("maximum", 1),
    "a greater length": loosened("maxLength", 1),
    "another level": with_another_level,
    "fractions": with_fractions,
    "null": with_null,
}


@pytest.mark.parametrize("weakening", WEAKENINGS)
def test_weakening_any_rule_of_the_schema_alone_is_noticed(weakening):
    tried = 0
    for _, column in COLUMNS.values():
        schema = field_of(column)
        if WEAKENINGS[weakening](schema):
            tried += 1
            assert any(not schema_agrees(schema, column, v) for v in edges(column)), column.name
    assert tried


def test_weakening_the_contract_alone_is_noticed():
    hours = JOB_CHANGE["training_hours"]
    schema = field_of(hours)
    wider = replace(hours, maximum=2000)
    assert any(not schema_agrees(schema, wider, v) for v in edges(wider))
