"""What the roles of a database may do in fact, asked of the server and tried."""

import psycopg
from psycopg import sql

ON_TABLES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
ON_COLUMNS = ("SELECT", "INSERT", "UPDATE", "REFERENCES")
ON_SEQUENCES = ("USAGE", "SELECT", "UPDATE")


def in_fact(connection, role):
    """(relation, right) of everything in the schema, by whatever way the role comes to it."""
    found = set()
    for name, kind, columns in _relations(connection):
        for right in ON_SEQUENCES if kind == "S" else ON_TABLES:
            asked = "has_sequence_privilege" if kind == "S" else "has_table_privilege"
            whole = f"SELECT {asked}(%s, quote_ident(%s), %s)"
            if connection.execute(whole, [role, name, right]).fetchone()[0]:
                found.add((name, right))
            elif kind != "S" and right in ON_COLUMNS:
                found |= {
                    (name, f"{right} ({column})")
                    for column in columns
                    if connection.execute(
                        "SELECT has_column_privilege(%s, quote_ident(%s), %s, %s)",
                        [role, name, column, right],
                    ).fetchone()[0]
                }
    return found


def tried(connection, session):
    """(relation, right) of everything in the schema that a session does when it is tried.

    Args:
        connection: the owner's, to see what there is.
        session: the role's, in which each statement stands alone.
    """
    found = set()
    for name, kind, columns in _relations(connection):
        table = sql.Identifier(name)
        if kind == "S":
            tries = {"USAGE": sql.SQL("SELECT nextval({})").format(sql.Literal(name))}
        else:
            tries = {
                "INSERT": sql.SQL("INSERT INTO {} DEFAULT VALUES").format(table),
                "DELETE": sql.SQL("DELETE FROM {}").format(table),
                "TRUNCATE": sql.SQL("TRUNCATE {}").format(table),
                "LOCK": sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(table),
            }
            for column in map(sql.Identifier, columns):
                word = column.as_string(connection).strip('"')
                tries |= {
                    f"SELECT ({word})": sql.SQL("SELECT {} FROM {}").format(column, table),
                    f"UPDATE ({word})": sql.SQL("UPDATE {} SET {} = DEFAULT").format(table, column),
                }
        found |= {(name, right) for right, statement in tries.items() if does(session, statement)}
    return found


def does(session, statement):
    """Whether a statement is not refused for want of a right; what it did is undone."""
    try:
        try:
            with session.transaction(force_rollback=True):
                session.execute(statement)
        except psycopg.errors.ActiveSqlTransaction:
            session.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        return False
    except psycopg.Error:
        return True  # refused for another reason, which is looked at later
    return True


def _relations(connection):
    return connection.execute(
        "SELECT relname, relkind, array(SELECT attname::text FROM pg_attribute "
        "WHERE attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped) FROM pg_class "
        "WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')"
    ).fetchall()
