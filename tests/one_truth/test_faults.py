"""Every injected fault is refused by the contract, by the rule that it promises to break.

``disagreement`` is the one judge; the last tests weaken faults, one at a time, and it must say so.
"""

import dataclasses
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobchurn import files
from jobchurn.contract import (
    BIGGEST_INTEGER,
    JOB_CHANGE,
    Column,
    Contract,
    Kind,
    Role,
    Rule,
    Violation,
)
from jobchurn.faults import faults_of

ORCHARD = Contract(
    name="orchard",
    subject="tree",
    positive="will bear",
    negative="will not bear",
    columns=(
        Column(
            name="height",
            label="Height",
            kind=Kind.NUMBER,
            role=Role.FEATURE,
            meaning="Metres.",
            required=True,
            minimum=-0.5,
            maximum=1e300,
        ),
        Column(
            name="sort",
            label="Sort",
            kind=Kind.CATEGORY,
            role=Role.FEATURE,
            meaning="What it bears; one level is a word that a fault would else inject.",
            required=True,
            levels=("Unknown", "N/A", "Äpfel", "1"),
            spellings={"äPFEL": "Äpfel"},
        ),
        Column(
            name="bore",
            label="Bore",
            kind=Kind.INTEGER,
            role=Role.OUTCOME,
            meaning="Whether it bore.",
            minimum=0,
            maximum=1,
        ),
    ),
)
CONTRACTS = (JOB_CHANGE, ORCHARD)


def disagreement(fault, text):
    """What speaks against the fault's having put ``text`` into a cell; nothing if all is well."""
    try:
        fault.column.read(text)
    except Violation as broken:
        return None if broken.rule is fault.rule else f"{text!r} breaks {broken.rule!r}"
    return f"{text!r} is admitted"


def disagreement_about_column(fault, contract, taken):
    """What speaks against the fault's having taken the column ``taken`` out of a file."""
    names = list(contract.by_name)
    head = files.without(",".join(names).encode() + b"\n", names.index(taken))
    sheet = files.cut_bytes(head, contract)
    if sheet.refusal is not None or sheet.missing != (fault.column.name,):
        return f"without {taken}: {sheet.refusal}, missing {sheet.missing}"
    rule = files.missing_column(taken).rule
    return None if rule == fault.rule else f"it breaks {rule!r}"


def good_texts(column):
    """Texts that the column admits."""
    if column.is_closed:
        texts = st.sampled_from(sorted(column.accepted))
    elif column.kind is Kind.INTEGER:
        texts = st.integers(int(column.minimum), int(column.maximum)).map(str)
    elif column.kind is Kind.NUMBER:
        texts = st.floats(column.minimum, column.maximum).map(str)
    else:
        texts = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)
    return texts if column.required else texts | st.just("")


def cell_faults():
    return [
        pytest.param(fault, id=f"{contract.name}-{fault.number}")
        for contract in CONTRACTS
        for fault in faults_of(contract)
        if not fault.takes_the_column
    ]


def test_the_faults_are_the_eight_of_the_design_in_its_columns():
    assert [(fault.number, fault.column.name, fault.rule) for fault in faults_of(JOB_CHANGE)] == [
        (1, "city", Rule.REQUIRED),
        (2, "city_development_index", Rule.FINITE),
        (3, "gender", Rule.DOMAIN),
        (4, "relevent_experience", Rule.DOMAIN),
        (5, "training_hours", Rule.RANGE),
        (6, "training_hours", Rule.KIND),
        (7, "city_development_index", Rule.RANGE),
        (8, "city", files.StructureRule.MISSING_COLUMN),
    ]


def test_a_contract_without_a_fitting_column_goes_without_that_fault():
    assert [fault.number for fault in faults_of(ORCHARD)] == [1, 2, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("fault", cell_faults())
@settings(deadline=None)
@given(data=st.data(), seed=st.integers())
def test_what_a_fault_injects_breaks_the_promised_rule(fault, data, seed):
    text = data.draw(good_texts(fault.column))
    assert disagreement(fault, text) is not None
    injected = fault.inject({fault.column.name: text}, Random(seed))
    assert disagreement(fault, injected) is None


@pytest.mark.parametrize("fault", cell_faults())
def test_no_seed_injects_an_admitted_text(fault):
    cells = {fault.column.name: fault.column.levels[0] if fault.column.is_closed else "1"}
    texts = {fault.inject(cells, Random(seed)) for seed in range(3000)}
    assert {disagreement(fault, text) for text in texts} == {None}


@st.composite
def contracts(draw):
    """Contracts of one feature beside the outcome, with bounds as odd as they come."""
    kind = draw(st.sampled_from(Kind))
    column = {"kind": kind, "required": draw(st.booleans()), "label": "Feature", "meaning": "Any."}
    if kind is Kind.INTEGER:
        bounds = st.integers(-BIGGEST_INTEGER, BIGGEST_INTEGER)
    else:
        bounds = st.floats(allow_nan=False, allow_infinity=False)
    if kind in (Kind.INTEGER, Kind.NUMBER):
        column["minimum"], column["maximum"] = sorted(draw(st.tuples(bounds, bounds)))
    elif kind is Kind.TEXT:
        column["max_length"] = 8
    else:
        words = st.text("aAßéŁ1?", min_size=1, max_size=3) | st.sampled_from(
            ["Unknown", "?", "N/A"]
        )
        column["levels"] = tuple(draw(st.sets(words, min_size=1)))
    feature = Column(name="feature", role=draw(st.sampled_from([Role.FEATURE, Role.ID])), **column)
    return Contract(
        name="any",
        subject="thing",
        positive="is",
        negative="is not",
        columns=(feature, dataclasses.replace(ORCHARD.outcome, name="bore")),
    )


@settings(deadline=None)
@given(contract=contracts(), data=st.data(), seed=st.integers())
def test_faults_of_any_contract_break_the_promised_rule(contract, data, seed):
    for fault in faults_of(contract):
        text = data.draw(good_texts(fault.column))
        injected = fault.inject({fault.column.name: text}, Random(seed))
        assert disagreement(fault, injected) is None


@pytest.mark.parametrize("fault", cell_faults())
def test_the_same_seed_injects_the_same_text(fault):
    cells = {fault.column.name: "1"}
    assert fault.inject(cells, Random(7)) == fault.inject(cells, Random(7))


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_a_file_without_the_column_is_found_by_the_promised_rule(contract):
    fault = faults_of(contract)[-1]
    assert fault.takes_the_column
    assert disagreement_about_column(fault, contract, fault.column.name) is None


def test_a_fault_of_a_whole_file_injects_no_cell():
    fault = faults_of(JOB_CHANGE)[-1]
    with pytest.raises(ValueError, match="whole column"):
        fault.inject({fault.column.name: "city_1"}, Random(0))


@pytest.mark.parametrize("fault", cell_faults())
@settings(deadline=None)
@given(data=st.data())
def test_a_weakened_fault_that_writes_an_admitted_text_is_caught(fault, data):
    good = data.draw(good_texts(fault.column))
    weakened = dataclasses.replace(fault, injector=lambda _text, _rng: good)
    injected = weakened.inject({fault.column.name: good}, Random(0))
    assert disagreement(weakened, injected) is not None


@pytest.mark.parametrize("fault", cell_faults())
def test_a_fault_that_promises_another_rule_is_caught(fault):
    injected = fault.inject({fault.column.name: "1"}, Random(0))
    for rule in set(Rule) - {fault.rule}:
        assert disagreement(dataclasses.replace(fault, rule=rule), injected) is not None


def test_a_weakened_fault_that_takes_an_optional_column_is_caught():
    fault = faults_of(JOB_CHANGE)[-1]
    assert disagreement_about_column(fault, JOB_CHANGE, "gender") is not None
