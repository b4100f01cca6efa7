"""The reading role: it may look at every table and change nothing, whoever made it."""

import uuid
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql

from conftest import at, cloned, settings_at
from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import ReaderMissing
from jobchurn.postgres import serving
from jobchurn.roles import READER, READER_SETTINGS, ROLES
from jobchurn.store import Store
from jobchurn.store.admission import admit, can_read
from jobchurn.store.engine import engine_of, transaction
from jobchurn.store.tables import tables_of
from store_work import at_once, batch_of
from toy import TOY

PASSWORD = "pässword %s 'quoted' \\"

# Whoever logs in may turn this off, so it is not what keeps anybody from changing anything.
WRITES = "-c default_transaction_read_only=off"


@pytest.fixture(scope="module")
def server(open_folder):
    """A server of its own, on which the role has never been made."""
    home = open_folder / "reader"
    with serving(settings_at(home)) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            for setting, value in (("fsync", "off"), ("log_statement", "'all'")):
                connection.execute(f"ALTER SYSTEM SET {setting} = {value}")
            connection.execute("SELECT pg_reload_conf()")
        yield url


class House:
    """Databases and users of one test, on a server without the role."""

    def __init__(self, server, connection):
        self.server = server
        self.connection = connection
        self.names = []

    def run(self, statement, *names):
        return self.connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def owner(self, rights=""):
        """A user who owns a database of its own: the database's URL."""
        name = f"owner_{uuid.uuid4().hex[:8]}"
        self.names.append(name)
        self.run(f"CREATE ROLE {{}} LOGIN PASSWORD 'own' {rights}", name)
        self.run("CREATE DATABASE {} OWNER {}", name, name)
        return f"postgresql://{name}:own@{at(self.server, name).rpartition('@')[2]}"

    def clear(self):
        for name in self.names:
            self.run("DROP DATABASE {} WITH (FORCE)", name)
        for name in (*(role.name for role in ROLES), *self.names):
            self.run("DROP ROLE IF EXISTS {}", name)


@pytest.fixture
def house(server):
    with psycopg.connect(server, autocommit=True) as connection:
        made = House(server, connection)
        yield made
        made.clear()


@pytest.fixture
def migrated():
    """Migrates a database, and gives a store on it."""
    opened = []

    def migrate(url, password=None, contract=JOB_CHANGE):
        store = Store.connect(url, contract)
        opened.append(store)
        store.migrate({READER: password} if password else None)
        assert store.missing() == []
        return store

    yield migrate
    for store in opened:
        store.close()


@pytest.fixture(scope="module")
def reading(postgres_server, template_database):
    """The URL of a database on which the reader may log in."""
    for url in cloned(postgres_server, template_database):
        store = Store.connect(url, JOB_CHANGE)
        store.migrate({READER: PASSWORD})
        store.predictions.write(batch_of())
        store.close()
        yield url


@pytest.fixture
def log_in(reading):
    """Opens sessions of the reader's own."""
    opened = []

    def open_session(options=WRITES):
        session = psycopg.connect(
            reading, user=READER, password=PASSWORD, options=options, autocommit=True
        )
        opened.append(session)
        return session

    yield open_session
    for session in opened:
        session.close()


def member(connection, user):
    return connection.execute(
        "SELECT count(*) FROM pg_auth_members WHERE roleid = %s::regrole AND member = %s::regrole",
        [READER, user],
    ).fetchone()[0]


def test_the_reader_reads_every_table_but_keys_and_ids_in_its_own_session(log_in):
    session = log_in()
    unseen = {"predictions": {JOB_CHANGE.id.name}, "requests": {"refused"}}
    for name, table in tables_of(JOB_CHANGE).metadata.tables.items():
        if name == "api_keys":
            continue
        columns = {column.name for column in table.columns} - unseen.get(name, set())
        session.execute(
            sql.SQL("SELECT {} FROM {}").format(
                sql.SQL(", ").join(map(sql.Identifier, sorted(columns))), sql.Identifier(name)
            )
        )


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO alert_states (rule) VALUES ('x')",
        "UPDATE models SET champion = true",
        "DELETE FROM predictions",
        "TRUNCATE request_log",
        "DROP TABLE alerts",
        "ALTER TABLE alerts ADD COLUMN x int",
        "CREATE TABLE x (n int)",
        "CREATE FUNCTION x() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE SCHEMA x",
        "CREATE ROLE x",
        "CREATE DATABASE x",
        "COPY alert_states FROM PROGRAM 'true'",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('/etc/hostname')",
        "SELECT * FROM predictions FOR UPDATE",
        "BEGIN; LOCK TABLE predictions",
        "SELECT nextval('alerts_id_seq')",
        "SET ROLE jobchurn",
        "SET SESSION AUTHORIZATION jobchurn",
        "ALTER ROLE jobchurn_reader SUPERUSER",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'jobchurn'",
    ],
)
def test_the_reader_changes_nothing(log_in, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        log_in().execute(statement)


def test_a_session_of_the_reader_begins_with_its_settings(log_in):
    session = log_in(options="")
    assert {name: session.execute(f"SHOW {name}").fetchone()[0] for name in READER_SETTINGS} == {
        "default_transaction_read_only": "on",
        "statement_timeout": "30s",
        "idle_in_transaction_session_timeout": "1min",
        "TimeZone": "UTC",
        "jit": "off",
        "random_page_cost": "1.1",
    }


def test_without_a_password_nobody_logs_in_as_the_reader(house, migrated):
    migrated(house.owner("CREATEROLE"))
    [(may,)] = house.run("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'jobchurn_reader'")
    assert not may


def test_a_new_password_replaces_the_old_one_and_none_leaves_it(house, migrated):
    url = house.owner("CREATEROLE")
    reader = sa.make_url(url).set(username=READER)
    store = migrated(url, "first")
    store.migrate({READER: "second"})
    store.migrate()

    def log_in(password):
        psycopg.connect(reader.set(password=password).render_as_string(hide_password=False)).close()

    log_in("second")
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        log_in("first")


def test_where_nobody_may_connect_unasked_the_reader_with_a_password_may(house, migrated):
    url = house.owner("CREATEROLE")
    name = sa.make_url(url).database
    house.run("REVOKE ALL ON DATABASE {} FROM PUBLIC", name)
    migrated(url, "own")
    reader = sa.make_url(url).set(username=READER, password="own")
    psycopg.connect(reader.render_as_string(hide_password=False)).close()


def test_the_password_stands_in_no_log(house, migrated, open_folder, caplog):
    migrated(house.owner("CREATEROLE"), PASSWORD)  # is set
    house.run("ALTER ROLE jobchurn_reader NOLOGIN")
    migrated(house.owner(), PASSWORD)  # is refused
    assert "The password of jobchurn_reader is not set" in caplog.text
    log = (Path(open_folder) / "reader" / "logs" / "postgres.log").read_text()
    assert "ALTER ROLE" in log
    assert "SCRAM-SHA-256$" in log
    for text in (log, caplog.text):
        assert PASSWORD not in text
        assert "quoted" not in text


@pytest.mark.parametrize("rights", ["CREATEROLE", "SUPERUSER"])
def test_whoever_may_make_roles_makes_it_and_reads_panels(house, migrated, rights):
    store = migrated(house.owner(rights))
    assert store.panels.read("SELECT current_user").rows == [(READER,)]


def test_whoever_may_not_make_roles_migrates_and_predicts_all_the_same(house, migrated):
    store = migrated(house.owner())
    store.predictions.write(batch_of())
    assert store.predictions.count() == 1


def test_what_an_administrator_is_told_to_run_cures_it(house, migrated, caplog):
    url = house.owner()
    user = sa.make_url(url).username
    store = migrated(url)
    with pytest.raises(ReaderMissing, match="does not exist") as caught:
        store.panels.read("SELECT 1")
    assert caught.value.status == 503
    assert f'CREATE ROLE jobchurn_reader; GRANT jobchurn_reader TO "{user}";' in caught.value.cure
    assert caught.value.cure in caplog.text
    statements, _, command = caught.value.cure.partition(" run ")[2].partition("; then run ")
    assert command == "jobchurn db migrate."
    house.connection.execute(statements)
    store.migrate()
    assert store.panels.read("SELECT count(*) FROM predictions").rows == [(0,)]


def test_where_the_role_is_there_the_administrator_only_grants_it(house, migrated):
    migrated(house.owner("CREATEROLE"))
    store = migrated(house.owner())
    with pytest.raises(ReaderMissing, match="permission denied to set role") as caught:
        store.panels.read("SELECT 1")
    assert "CREATE ROLE" not in caught.value.cure
    assert "GRANT jobchurn_reader TO" in caught.value.cure


def test_a_repeat_changes_nothing(house, migrated):
    url = house.owner("CREATEROLE")
    user = sa.make_url(url).username
    store = migrated(url)
    before = member(house.connection, user)
    with psycopg.connect(url) as connection:
        rights = "SELECT oid, xmin::text, relacl FROM pg_class WHERE relacl IS NOT NULL ORDER BY 1"
        granted = connection.execute(rights).fetchall()
        store.migrate()
        assert connection.execute(rights).fetchall() == granted
    assert member(house.connection, user) == before
    assert granted


def test_databases_that_are_migrated_at_once_make_one_role(house, migrated):
    everybody = ", ".join(role.name for role in ROLES)
    engines = []
    for _ in range(6):
        url = house.owner("SUPERUSER")
        migrated(url)
        with psycopg.connect(at(house.server, sa.make_url(url).database)) as connection:
            connection.execute(f"DROP OWNED BY {everybody}")
        engines.append(engine_of(url))
    house.run(f"DROP ROLE {everybody}")

    def let_in(n):
        with transaction(engines[n]) as connection:
            admit(connection, {READER: "the same"})
            return can_read(connection)

    assert at_once(6, let_in) == [True] * 6
    for engine in engines:
        engine.dispose()


def test_tables_in_a_schema_of_the_users_own_are_found_by_both_ways_of_reading(house, migrated):
    url = house.owner("CREATEROLE")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA AUTHORIZATION current_user")  # "$user" leads there first
    store = migrated(url, "own")
    asked = "SELECT count(*) FROM predictions"
    assert store.panels.read(asked).rows == [(0,)]
    reader = sa.make_url(url).set(username=READER, password="own")
    with psycopg.connect(reader.render_as_string(hide_password=False)) as session:
        assert session.execute(asked).fetchall() == [(0,)]


def test_tables_and_columns_that_come_later_are_read_too(house, migrated):
    url = house.owner("CREATEROLE")
    store = migrated(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE job_runs")
        connection.execute("CREATE TABLE job_runs (job text)")
    with pytest.raises(ReaderMissing, match="job_runs"):
        store.panels.read("SELECT * FROM job_runs")
    store.migrate()
    assert store.panels.read("SELECT * FROM job_runs").columns == ("job",)
    other = migrated(url, contract=TOY)
    assert other.panels.read("SELECT temperature, maker FROM predictions").rows == []


def test_tables_of_others_are_not_shown_to_the_reader(house, migrated):
    url = house.owner("CREATEROLE")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE salaries (name text)")
    store = migrated(url)
    with pytest.raises(Exception, match="permission denied for table salaries"):
        store.panels.read("SELECT * FROM salaries")
