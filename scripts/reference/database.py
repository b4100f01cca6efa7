"""The database's tables, from their definitions."""

from __future__ import annotations

import sqlalchemy as sa
from scripts.reference.markdown import code, codes, page, prose, table
from sqlalchemy.engine import make_url

from jobchurn.contract import JOB_CHANGE
from jobchurn.roles import RIGHTS, ROLES
from jobchurn.store.tables import tables_of

_DIALECT = make_url("postgresql+psycopg://").get_dialect()()

_MEANINGS = {
    "arrivals": "Claims: one row for each file that was taken up, under its run's id. `holder`, "
    "`token` and `lease_until` say who works on it; it is open until `closed_at`.",
    "ingestion_runs": "What checking each file found. A run is published once `finished_at` is "
    "set, and only then does anything else see it.",
    "ingestion_issues": "How many rows of a run broke which rule of which column.",
    "requests": "Idempotency keys: each with the fingerprint of its request, written in the "
    "transaction of its predictions.",
    "predictions": "Every prediction, in one partition a month by `created_at`. The contract's "
    "columns stand beside ours, typed, each with a CHECK for its rules.",
    "predicted_files": "Which contents of good files are predicted. Content decides what is "
    "predicted next; the latest `predicted_at` is what `jobchurn status` shows.",
    "models": "Model versions and the hashes of their files; one row at most is the champion.",
    "feature_baseline": "How each feature and the score were distributed in training: what drift "
    "is measured against.",
    "alerts": "What people were or are to be told, one row for each matter and channel.",
    "alert_states": "Where each alert rule stands, and since when; `told_at` keeps an alert from "
    "being sent twice.",
    "drift_windows": "Windows of consecutive predictions of one source by one model, each compared "
    "with that model's training. `decision` is 0 (quiet), 1 (warn) or 2 (page).",
    "drift_metrics": "What the comparison found of each feature of a window, and of the score.",
    "request_log": "How requests to the API were answered, and how fast. In a rush only a sample "
    "is kept, whose `weight` says how many requests each stands for.",
    "api_keys": "Who may ask the API, and for what. Of a secret only the digest is kept.",
    "redactions": "What was removed because a person asked to be forgotten, or because its time "
    "was over: which file, its SHA-256 before and after, how many rows. Nothing of the person.",
    "job_runs": "How the scheduled jobs ended, and how long they took. `quiet`: there was nothing "
    "to do.",
}


def database_page() -> str:
    """``database.md``."""
    tables = tables_of(JOB_CHANGE).metadata.tables
    if tables.keys() != _MEANINGS.keys():
        raise SystemExit(f"Say what these tables mean: {tables.keys() ^ _MEANINGS.keys()}")
    return page(
        "Database",
        "PostgreSQL 15 or newer. Migrations (`src/jobchurn/store/migrations/`) own the tables, "
        "which know nothing of the domain; `adopt` then adds the contract's columns to "
        "`predictions`, and never drops one. `jobchurn db migrate` does both, and every command "
        "that finds old tables does so first.",
        "Of the rows that are refused only statistics are stored; the rows themselves stay in "
        "`bad_data/`. File names of any bytes are stored with what PostgreSQL cannot hold escaped.",
        *(
            part
            for name, meaning in _MEANINGS.items()
            for part in (
                f"## {name}",
                meaning,
                _rights(name),
                _columns(tables[name]),
                _indexes(tables[name]),
            )
        ),
    )


def _rights(name: str) -> str:
    """Who but the owner may do what with a table."""
    rights = RIGHTS[name]
    said = "; ".join(
        f"{code(role.name)} {', '.join(found)}"
        for role in ROLES
        if (found := sorted(rights.of(role.name)))
    )
    return f"Rights beside the owner's: {said or 'none'}."


def _columns(held: sa.Table) -> str:
    return table(
        ("column", "type", "null", "remark"),
        (
            (
                code(column.name),
                column.type.compile(_DIALECT).lower(),
                "yes" if column.nullable else "",
                _remark(column),
            )
            for column in held.columns
        ),
    )


def _remark(column: sa.Column[object]) -> str:
    said = ["primary key"] if column.primary_key else []
    said += [f"refers to {code(key.target_fullname)}" for key in column.foreign_keys]
    if column.name in JOB_CHANGE.by_name and column.comment:
        said.append("of the contract: " + prose(JOB_CHANGE[column.name].meaning))
    return "; ".join(said)


def _indexes(held: sa.Table) -> str:
    unique = [
        [column.name for column in constraint.columns]
        for constraint in held.constraints
        if isinstance(constraint, sa.UniqueConstraint)
    ]
    return "\n".join(f"- unique: {codes(names)}" for names in sorted(unique))
