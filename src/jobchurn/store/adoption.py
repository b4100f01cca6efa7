"""Adoption: the predictions table is given a contract's columns, and never loses one."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from psycopg.errors import CheckViolation
from sqlalchemy import Connection

from jobchurn.contract import Contract
from jobchurn.errors import ContractUnusable
from jobchurn.store.columns import PREDICTIONS, check_names_of, column_of, digest_in
from jobchurn.store.tables import tables_of


def adopt(connection: Connection, contract: Contract) -> None:
    """Give the predictions table the contract's columns, inside the connection's transaction.

    A column that is not there is added. Where a column's domain has changed, its CHECK constraints
    are replaced: rows that were stored under the older domain stay as they are, whether or not
    they fit. Nothing else is ever dropped or changed, and a repeat does nothing.

    Raises:
        ContractUnusable: a column cannot be stored, or is there with another type.
    """
    stored = {column["name"]: column for column in sa.inspect(connection).get_columns(PREDICTIONS)}
    operations = Operations(MigrationContext.configure(connection))
    for column in derived(contract):
        found = stored.get(column.name)
        if found is None:
            operations.add_column(PREDICTIONS, column)
        elif not isinstance(found["type"], type(column.type)):
            raise ContractUnusable(
                f"The database holds {column.name} as {found['type']}, and the contract's values "
                f"need {column.type!r}.",
                "Give the contract's column another name, or use another database.",
            )
        elif found["comment"] != column.comment:
            if digest_in(found["comment"]) != digest_in(column.comment):
                _replace_checks(connection, operations, column)
            operations.alter_column(PREDICTIONS, column.name, comment=column.comment)


def unadopted(connection: Connection, contract: Contract) -> list[str]:
    """The contract's columns that the database lacks, or holds to another domain."""
    comments = {
        column["name"]: column["comment"]
        for column in sa.inspect(connection).get_columns(PREDICTIONS)
    }
    return [c.name for c in derived(contract) if comments.get(c.name) != c.comment]


def derived(contract: Contract) -> list[sa.Column[Any]]:
    """The contract's columns as the predictions table holds them, attached to no table."""
    tables_of(contract)  # refuses names that the table has for itself
    return [column_of(column) for column in contract.columns]


def _replace_checks(connection: Connection, operations: Operations, column: sa.Column[Any]) -> None:
    present = {check["name"] for check in sa.inspect(connection).get_check_constraints(PREDICTIONS)}
    for name in check_names_of(column.name):
        if name in present:
            operations.drop_constraint(name, PREDICTIONS, type_="check")
    for check in column.constraints:
        if isinstance(check, sa.CheckConstraint):
            _add_check(connection, operations, check)


def _add_check(connection: Connection, operations: Operations, check: sa.CheckConstraint) -> None:
    name = str(check.name)
    try:
        with connection.begin_nested():
            operations.create_check_constraint(name, PREDICTIONS, check.sqltext)
    except sa.exc.IntegrityError as error:
        if not isinstance(error.orig, CheckViolation):
            raise
        # Rows of an older domain are history: only the coming ones are held to the new one.
        operations.create_check_constraint(
            name, PREDICTIONS, check.sqltext, postgresql_not_valid=True
        )
