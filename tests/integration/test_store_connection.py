"""The database may be away, slow, or not ours: each is told apart, with its cure."""

import os
import socket
import threading

import psycopg
import pytest
import sqlalchemy as sa

from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import DatabaseOutdated, DatabaseUnreachable, InvalidSettings
from jobchurn.store import Store, engine
from jobchurn.store.engine import driver_of, engine_of, transaction
from store_work import batch_of


def connected(url):
    return Store.connect(url, JOB_CHANGE)


def test_urls_of_either_scheme_and_with_parameters_are_taken(database):
    for url in (
        database,
        database.replace("postgresql://", "postgres://"),
        database.replace("postgresql://", "postgresql+psycopg://"),
        f"{database}?application_name=mine&connect_timeout=3",
    ):
        store = connected(url)
        assert store.missing() == []
        store.close()


@pytest.mark.parametrize("url", ["sqlite:///x.db", "mysql://localhost/x", "not a url", ""])
def test_what_is_no_postgresql_is_refused(url):
    with pytest.raises(InvalidSettings, match="DATABASE_URL"):
        connected(url)


def test_a_url_that_cannot_be_read_is_not_repeated():
    with pytest.raises(InvalidSettings) as caught:
        connected("postgresql//user:s3cret@host/x")
    assert "s3cret" not in str(caught.value)


def test_a_server_that_is_away_is_unreachable(postgres_server):
    with socket.socket() as held:  # nobody else can listen there meanwhile
        held.bind(("127.0.0.1", 0))
        store = connected(f"postgresql://user:s3cret@127.0.0.1:{held.getsockname()[1]}/x")
        with pytest.raises(DatabaseUnreachable, match=r"127\.0\.0\.1") as caught:
            store.models.champion()
        [missing] = store.missing()
        store.close()
    assert caught.value.cure
    assert "s3cret" not in str(caught.value) + missing
    assert "cannot be used" in missing


@pytest.mark.parametrize("wrong", ["password", "database"])
def test_a_wrong_password_or_database_is_unreachable_and_told(database, wrong):
    server, _, name = database.rpartition("/")
    user, _, host = server.rpartition("@")
    url = {
        "password": f"{user.rpartition(':')[0]}:s3cret@{host}/{name}",
        "database": f"{server}/nowhere",
    }[wrong]
    store = connected(url)
    with pytest.raises(DatabaseUnreachable, match=wrong) as caught:
        store.models.champion()
    store.close()
    assert "s3cret" not in str(caught.value)


def test_a_user_without_rights_is_told(database):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS reader")
        connection.execute("CREATE ROLE reader LOGIN PASSWORD 'reads'")
    store = connected(f"postgresql://reader:reads@{database.rpartition('@')[2]}")
    [missing] = store.missing()
    store.close()
    assert "permission denied" in missing


def test_lost_connections_are_replaced(store, database):
    store.predictions.write(batch_of())
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    store.predictions.write(batch_of())
    assert store.predictions.count() == 2


def test_a_connection_lost_in_a_transaction_leaves_nothing_behind(store, database):
    own = engine_of(database)

    def cut_off():
        with transaction(own) as connection:
            connection.execute(sa.text("DELETE FROM alembic_version"))
            pid = connection.scalar(sa.text("SELECT pg_backend_pid()"))
            with psycopg.connect(database, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s)", [pid])
            connection.execute(sa.text("SELECT 1"))

    with pytest.raises(DatabaseUnreachable):
        cut_off()
    own.dispose()
    assert store.missing() == []


def test_a_session_has_limits_and_tells_utc(database):
    own = engine_of(database)
    with own.connect() as connection:
        shown = {
            name: connection.scalar(sa.text(f"SHOW {name}"))
            for name in (
                "TimeZone",
                "statement_timeout",
                "lock_timeout",
                "idle_in_transaction_session_timeout",
                "application_name",
            )
        }
    own.dispose()
    assert shown == {
        "TimeZone": "UTC",
        "statement_timeout": "30s",
        "lock_timeout": "15s",
        "idle_in_transaction_session_timeout": "2min",
        "application_name": "jobchurn",
    }


def test_a_query_that_takes_too_long_is_ended(database):
    own = engine_of(database, seconds=0.02)
    with pytest.raises(DatabaseUnreachable, match="in time"), transaction(own) as connection:
        connection.execute(sa.text("SELECT pg_sleep(5)"))
    own.dispose()


def test_a_lock_that_is_not_given_is_waited_for_no_longer_than_it_may(database, monkeypatch):
    monkeypatch.setattr(engine, "LOCK_SECONDS", 0.02)
    own = engine_of(database)
    with transaction(own) as holder:
        holder.execute(sa.text("LOCK TABLE alerts"))
        with pytest.raises(DatabaseUnreachable, match="lock timeout"), transaction(own) as waiter:
            waiter.execute(sa.text("LOCK TABLE alerts"))
    own.dispose()


def test_a_transaction_may_have_another_time(database):
    own = engine_of(database, seconds=0.02)
    with transaction(own, seconds=0) as connection:
        connection.execute(sa.text("SELECT pg_sleep(0.1)"))
        assert driver_of(connection).patience is None
    with transaction(own, seconds=60) as connection:
        assert connection.scalar(sa.text("SHOW statement_timeout")) == "1min"
        assert driver_of(connection).patience == 60 + engine.GRACE_SECONDS
    with transaction(own) as connection:
        assert connection.scalar(sa.text("SHOW statement_timeout")) == "20ms"
        assert driver_of(connection).patience == 0.02 + engine.GRACE_SECONDS
    own.dispose()


def test_a_server_that_goes_silent_is_waited_for_no_longer_than_it_may(database, monkeypatch):
    monkeypatch.setattr(engine, "GRACE_SECONDS", 0.1)
    own = engine_of(database, seconds=0.1)

    def ask():
        with transaction(own) as asked:
            # A server that does not keep its own time is as good as one that is stopped.
            asked.execute(sa.text("SET LOCAL statement_timeout = 0"))
            asked.execute(sa.text("SELECT pg_sleep(60)"))

    with pytest.raises(DatabaseUnreachable, match="no answer within"):
        ask()
    with transaction(own) as asked:  # on another connection
        assert asked.scalar(sa.text("SELECT 1")) == 1
    own.dispose()


def test_an_idle_connection_that_went_silent_is_replaced(database, monkeypatch):
    monkeypatch.setattr(engine, "WORD_SECONDS", 0.2)
    own = engine_of(database)
    with transaction(own) as asked:
        deaf = driver_of(asked)
    # Silence from here on: what is sent goes into a socket that nobody reads.
    here, there = socket.socketpair()
    os.dup2(here.fileno(), deaf.pgconn.socket)
    with transaction(own) as asked:
        assert driver_of(asked) is not deaf
        assert asked.scalar(sa.text("SELECT 1")) == 1
    own.dispose()
    here.close()
    there.close()


def test_too_many_at_once_are_told_so(database):
    own = sa.create_engine(engine_of(database).url, pool_size=1, max_overflow=0, pool_timeout=0.01)
    with transaction(own), pytest.raises(DatabaseUnreachable, match="in use"), transaction(own):
        pass
    own.dispose()


def test_a_fault_of_ours_is_not_taken_for_the_database_s(database):
    own = engine_of(database)
    with pytest.raises(sa.exc.ProgrammingError), transaction(own) as connection:
        connection.execute(sa.text("SELEKT 1"))
    own.dispose()


def test_a_database_of_another_encoding_is_refused(postgres_server):
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS latin")
        connection.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    store = connected(f"{postgres_server.rpartition('/')[0]}/latin")
    assert store.missing() == ["The database's encoding is LATIN1; UTF8 is needed."]
    with pytest.raises(DatabaseOutdated, match="LATIN1"):
        store.migrate()
    store.close()


def test_a_store_is_shared_between_threads(store):
    failures = []

    def write():
        try:
            store.predictions.write(batch_of())
        except Exception as error:  # noqa: BLE001 (the test shows it)
            failures.append(error)

    threads = [threading.Thread(target=write) for _ in range(24)]  # more than connections
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.predictions.count() == 24
