"""The contract, as a table; and the errors that can be injected, which derive from it."""

from __future__ import annotations

from scripts.reference.markdown import code, codes, page, table

from jobchurn.contract import JOB_CHANGE, Column, Contract, Kind, Role, Rule
from jobchurn.faults import faults_of

_RULES = {
    Rule.REQUIRED: "A value is required, and the cell is blank.",
    Rule.FINITE: "`inf`, `NaN`, or too large to be a number, as `1e400`.",
    Rule.KIND: "The text spells no number: `1_000`, `0x1F`, `1,000`, `0,5`, `True`, words.",
    Rule.INTEGRAL: "A fraction where a whole number is wanted; `1.0` is whole.",
    Rule.RANGE: "Below the least or above the greatest number that is allowed.",
    Rule.DOMAIN: "None of the levels of a category, nor an accepted spelling of one.",
    Rule.CHARACTERS: "The text holds control characters.",
    Rule.LENGTH: "The text is too long.",
}


def contract_page() -> str:
    """``contract.md``."""
    contract = JOB_CHANGE
    return page(
        "The contract",
        f"What a file, a request or a form may hold of one {contract.subject}. It is written once, "
        "in `src/jobchurn/contract.py`; the Great Expectations suite, the API's schema, the "
        "database's columns, the web form and the injected errors derive from it.",
        f"Its fingerprint is `{contract.fingerprint}`. Every model, run and prediction carries it, "
        "and a model refuses data of another one.",
        table(
            ("column", "what it is", "allowed", "meaning"),
            (
                (code(column.name), _described(column), _allowed(column), column.meaning)
                for column in contract.columns
            ),
        ),
        "A **required** column must be in a file, with a value in every row. Any other may be "
        "absent, and blank: a blank is a value, and the model learns from it. Over HTTP the "
        f"{_named(contract, Role.ID)} is never required. A *protected* column is kept to compare "
        "groups of people; the model never sees it. The *outcome* is never a feature.",
        "## Accepted spellings",
        "Spellings of a level that are taken at every door. They are stored and answered as the "
        "level; in files the text stays as it came.",
        table(
            ("column", "spelling", "level"),
            (
                (code(column.name), code(spelling), code(level))
                for column in contract.columns
                for spelling, level in column.spellings.items()
            ),
        ),
        "Values of an open text that the model has not seen (a new city, say) are admitted, "
        "noted in the run, and predicted.",
        "## Rules",
        "A value is judged by the rules of its column, in this order, up to the first that it "
        "breaks. The rules of a file's structure are told in "
        "[what happens to a damaged file](damaged-files.md).",
        table(
            ("rule", "broken where", "of"),
            ((code(rule), why, _kinds(rule, contract)) for rule, why in _RULES.items()),
        ),
        "Strict JSON has two allowances, in `Column.accept`: a number without a fraction is a "
        "whole number (`36.0`), and an integer whose text is a level of a category counts as it "
        '(`5` is `"5"`).',
        "## Errors that can be injected",
        "`jobchurn data split` and `scripts/split_dataset.py` put these into the files that they "
        "write, and `manifest.json` says where. `notebooks/error_generation.ipynb` shows each of "
        "them with the reason that it is found by.",
        table(
            ("number", "error", "column", "found by the rule", "what it is"),
            (
                (str(f.number), f.name, code(f.column.name), code(f.rule), f.description)
                for f in faults_of(contract)
            ),
        ),
    )


def _described(column: Column) -> str:
    role = f"*{column.role}*" if column.role in (Role.PROTECTED, Role.OUTCOME) else column.role
    return ", ".join([column.kind, role, *(["**required**"] if column.required else [])])


def _allowed(column: Column) -> str:
    if column.is_closed:
        levels = codes(column.levels)
        return f"{levels}, from lowest to highest" if column.kind is Kind.ORDERED else levels
    unit = f", in {column.unit}" if column.unit else ""
    return f"{column.allowed.removesuffix(', or blank')}{unit}"


def _kinds(rule: Rule, contract: Contract) -> str:
    if rule is Rule.REQUIRED:
        return "required columns"
    return ", ".join(dict.fromkeys(c.kind for c in contract.columns if rule in c.rules))


def _named(contract: Contract, role: Role) -> str:
    return codes(column.name for column in contract.columns if column.role is role)
