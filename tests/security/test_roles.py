"""Each database role tries everything that it must not do, and the house works under them."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import psycopg
import pytest

from api_process import Served
from conftest import settings_at
from jobchurn import synth, wiring
from jobchurn.access import Key, Scope
from jobchurn.api_client import ApiPredictor
from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import DatabaseOutdated
from jobchurn.flow import ingest, score, watch
from jobchurn.postgres import EmbeddedPostgres, find_binaries, serving
from jobchurn.roles import API, BUT_IDS, INGESTION, PUBLIC, READER, RIGHTS, ROLES, rights_of
from jobchurn.settings import Settings
from jobchurn.store import Store
from jobchurn.store.tables import tables_of
from security.rights import does, in_fact, tried
from watched_house import learnt

KEY, OTHER_KEY = Key.make(), Key.make()
TESTS = Path(__file__).parents[1]
NAMES = [role.name for role in ROLES]
LOGS_IN = [*NAMES, "airflow"]
# Whoever logs in may turn this off, so it is not what keeps anybody from changing anything.
WRITES = "-c default_transaction_read_only=off"


class Server:
    """The embedded server as ``jobchurn up`` leaves it, and sessions on it."""

    def __init__(self, settings, url):
        self.settings, self.url = settings, url
        self._server = EmbeddedPostgres(
            settings.home, settings.postgres_port, find_binaries(settings)
        )
        self._opened = []

    def url_of(self, user, database="jobchurn"):
        return self._server.url(database, user)

    def session(self, user, database="jobchurn"):
        found = psycopg.connect(self.url_of(user, database), autocommit=True, options=WRITES)
        self._opened.append(found)
        return found

    def close(self):
        for one in self._opened:
            one.close()


@pytest.fixture(scope="module")
def server(open_folder):
    settings = settings_at(open_folder / "roles")
    with serving(settings) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        # The reader logs in where Grafana is; here for what it must not do.
        with_grafana = settings.model_copy(
            update={
                "grafana_database_password": Settings.model_validate(
                    {"grafana_database_password": "of-grafana"}
                ).grafana_database_password
            }
        )
        wiring.bring_up(with_grafana)
        (settings.home / "secrets" / f"{READER}.database-password").write_text("of-grafana")
        made = Server(settings, url)
        yield made
        made.close()


@pytest.fixture(scope="module")
def owner(server):
    return server.session("jobchurn")


@pytest.fixture
def migrated(server):
    """The owner's store; what a test did to roles and rights is brought in line after it."""
    store = Store.connect(server.url, JOB_CHANGE)
    yield store
    store.migrate()
    store.close()


def written(role):
    """(relation, right) of all that is written down, column by column where ids are left out."""
    found = {(name, right) for name, rights in rights_of(role).items() for right in rights}
    whole = {(name, right) for name, right in found if right == BUT_IDS}
    tables = tables_of(JOB_CHANGE).metadata.tables
    return (found - whole) | {
        (name, f"SELECT ({column.name})")
        for name, _ in whole
        for column in tables[name].columns
        if column.name != JOB_CHANGE.id.name
    }


def test_every_table_has_its_rights_written_down(owner):
    tables = set(tables_of(JOB_CHANGE).metadata.tables)
    assert set(RIGHTS) == tables | {"alembic_version", "predictions_id_seq"}


@pytest.mark.parametrize("role", [*NAMES, PUBLIC])
def test_each_role_has_the_rights_that_are_written_and_no_others(owner, role):
    assert in_fact(owner, role) == written(role)


@pytest.mark.parametrize("role", NAMES)
def test_each_role_does_what_is_written_when_it_tries_and_nothing_else(server, owner, role):
    expected = set()
    for name, right in written(role):
        columns = [
            column.name for column in owner.execute(f"SELECT * FROM {name} LIMIT 0").description
        ]
        if right in ("SELECT", "UPDATE"):
            expected |= {(name, f"{right} ({column})") for column in columns}
        else:
            expected.add((name, right))
    found = tried(owner, server.session(role))
    if owner.info.server_version >= 160_000:
        # Whoever may change rows may lock them all; that much they can do row by row.
        strong = {"UPDATE", "DELETE", "TRUNCATE"}
        expected |= {(n, "LOCK") for n, rights in rights_of(role).items() if rights & strong}
    else:
        expected |= {
            (n, "LOCK") for n, rights in rights_of(role).items() if rights & {"UPDATE", "DELETE"}
        }
    assert found == expected


MAKES = (
    "CREATE TABLE made (n int)",
    "CREATE TABLE made AS SELECT 1",
    "CREATE TEMPORARY TABLE made (n int)",
    "CREATE VIEW made AS SELECT 1",
    "CREATE SEQUENCE made",
    "CREATE TYPE made AS ENUM ('a')",
    "CREATE FUNCTION made() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE OPERATOR = (LEFTARG = box, RIGHTARG = box, FUNCTION = box_eq)",
    "CREATE SCHEMA made",
    "CREATE EXTENSION dblink",
    "CREATE DATABASE made",
    "CREATE ROLE made",
    "CREATE TABLESPACE made LOCATION '/tmp'",
    "CREATE PUBLICATION made FOR ALL TABLES",
    "CREATE EVENT TRIGGER made ON ddl_command_start EXECUTE FUNCTION made()",
    "SELECT lo_create(0)",
    "SELECT lo_from_bytea(0, 'x')",
    "SELECT pg_create_physical_replication_slot('made')",
)
CHANGES = (
    "ALTER TABLE predictions ADD COLUMN made int",
    "ALTER TABLE predictions OWNER TO current_user",
    "ALTER TABLE predictions DISABLE TRIGGER ALL",
    "ALTER TABLE predictions DETACH PARTITION predictions_default",
    "ALTER SEQUENCE predictions_id_seq RESTART",
    "ALTER SCHEMA public RENAME TO made",
    "ALTER DATABASE jobchurn SET work_mem TO '1GB'",
    "CREATE INDEX made ON predictions (source)",
    "CREATE RULE made AS ON INSERT TO predictions DO INSTEAD NOTHING",
    "CREATE TRIGGER made BEFORE INSERT ON models EXECUTE FUNCTION pg_sleep()",
    "CREATE POLICY made ON predictions",
    "DROP TABLE predictions",
    "DROP TABLE predictions_default",
    "DROP TABLE alembic_version",
    "DROP SCHEMA public CASCADE",
    "DROP DATABASE airflow",
    "COMMENT ON TABLE predictions IS 'made'",
    "CLUSTER predictions_default USING predictions_default_pkey",
    "REINDEX TABLE models",
    "REASSIGN OWNED BY jobchurn TO current_user",
)
RISES = (
    "SET SESSION AUTHORIZATION jobchurn",
    "SET ROLE jobchurn",
    "SET ROLE airflow",
    "SET ROLE pg_read_all_data",
    "SET ROLE pg_execute_server_program",
    "ALTER ROLE current_user SUPERUSER",
    "ALTER ROLE current_user CREATEROLE",
    "ALTER ROLE current_user BYPASSRLS",
    "ALTER ROLE jobchurn PASSWORD 'mine'",
    "ALTER ROLE jobchurn SET search_path TO made",
    "GRANT jobchurn TO current_user",
    "GRANT pg_write_all_data TO current_user",
    "SET session_replication_role TO replica",
    "SET log_statement TO 'none'",
    "SET zero_damaged_pages TO on",
)
REACHES_OUT = (
    "COPY models FROM PROGRAM 'true'",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "COPY (SELECT 1) TO '/tmp/made'",
    "COPY models FROM '/etc/passwd'",
    "SELECT pg_read_file('/etc/hostname')",
    "SELECT pg_read_binary_file('postgresql.conf')",
    "SELECT pg_ls_dir('.')",
    "SELECT pg_stat_file('PG_VERSION')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_export(1, '/tmp/made')",
    "SELECT rolpassword FROM pg_authid",
    "SELECT passwd FROM pg_shadow",
    "SELECT * FROM pg_hba_file_rules",
    "SELECT * FROM pg_statistic",
    "SELECT * FROM pg_largeobject",
    "ALTER SYSTEM SET fsync = off",
    "SELECT pg_reload_conf()",
    "SELECT pg_rotate_logfile()",
    "SELECT pg_switch_wal()",
    "CHECKPOINT",
    "LOAD '/tmp/made'",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'jobchurn'",
    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = 'jobchurn'",
)


@pytest.mark.parametrize("role", NAMES)
@pytest.mark.parametrize("statements", [MAKES, CHANGES, RISES, REACHES_OUT])
def test_each_role_is_refused_what_is_not_a_services_to_do(server, owner, role, statements):
    session = server.session(role)
    assert [one for one in statements if does(session, one)] == []


@pytest.mark.parametrize("role", NAMES)
def test_each_role_becomes_the_reader_at_most(server, owner, role):
    session = server.session(role)
    every = [name for (name,) in owner.execute("SELECT rolname FROM pg_roles")]
    taken = {name for name in every if does(session, f'SET ROLE "{name}"')}
    assert taken == ({role, READER} if role != READER else {READER})


@pytest.mark.parametrize("role", [API, INGESTION])
def test_who_becomes_the_reader_loses_its_own_rights_and_gains_none_before(server, owner, role):
    session = server.session(role)
    with session.transaction():
        session.execute(f"SET LOCAL ROLE {READER}")
        assert not does(session, "SELECT * FROM api_keys")
        assert not does(session, "INSERT INTO request_log DEFAULT VALUES")
    assert not does(session, {API: "SELECT * FROM alerts", INGESTION: "TABLE api_keys"}[role])


def test_whoever_looks_learns_nobodys_id(server, owner):
    session = server.session(READER)
    assert does(session, "SELECT count(*), max(created_at), avg(probability) FROM predictions")
    for query in (
        f"SELECT {JOB_CHANGE.id.name} FROM predictions",
        "SELECT * FROM predictions",
        "SELECT predictions FROM predictions",
        f"SELECT count(*) FROM predictions WHERE {JOB_CHANGE.id.name} = 1",
        f"SELECT count(*) FROM predictions_default WHERE {JOB_CHANGE.id.name} = 1",
        "SELECT refused FROM requests",
    ):
        assert not does(session, query), query
    seen = "SELECT count(*) FROM pg_stats WHERE tablename LIKE 'predictions%%' AND attname = %s"
    owner.execute("ANALYZE predictions")
    assert session.execute(seen, [JOB_CHANGE.id.name]).fetchone() == (0,)


@pytest.mark.parametrize("role", NAMES)
def test_no_role_passes_its_rights_on(server, owner, role):
    session = server.session(role)
    for name in rights_of(role):
        for other in {*NAMES, PUBLIC} - {role}:
            does(session, f"GRANT ALL ON {name} TO {other}")  # some only warn
    assert in_fact(owner, PUBLIC) == set()


@pytest.mark.parametrize("user", LOGS_IN)
def test_nobody_reaches_another_database(server, owner, user):
    own = "airflow" if user == "airflow" else "jobchurn"
    for (other,) in owner.execute("SELECT datname FROM pg_database WHERE datname <> %s", [own]):
        with pytest.raises(
            psycopg.OperationalError, match=r"permission denied|not currently accept"
        ):
            server.session(user, other)


def test_airflow_rules_its_own_database_and_nothing_else(server):
    session = server.session("airflow", "airflow")
    assert does(session, "CREATE TABLE made (n int)")
    refused = (*RISES, *REACHES_OUT, "CREATE ROLE made", "CREATE DATABASE made")
    allowed = {
        "SET ROLE airflow",
        "COPY models FROM PROGRAM 'true'",
        "COPY models FROM '/etc/passwd'",
    }
    assert [one for one in refused if one not in allowed and does(session, one)] == []


def test_passwords_lie_in_private_files(server):
    folder = server.settings.home / "secrets"
    assert folder.stat().st_mode & 0o777 == 0o700
    found = {path.name for path in folder.glob("*.database-password")}
    assert found == {f"{user}.database-password" for user in LOGS_IN}
    texts = [server.url_of(user).partition(":")[2] for user in LOGS_IN]
    assert len(set(texts)) == len(texts)


PLANTED = {
    "all tables": f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {API}",
    "all sequences": f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {INGESTION}",
    "a partition": f"GRANT SELECT, DELETE ON predictions_default TO {API}",
    "a column": f"GRANT UPDATE (secret_sha256) ON api_keys TO {API}",
    "ids": f"GRANT SELECT ({JOB_CHANGE.id.name}) ON predictions TO {READER}",
    "everybody": "GRANT SELECT ON api_keys TO PUBLIC",
    "to pass on": f"GRANT SELECT ON predictions TO {READER} WITH GRANT OPTION",
    "another role": f"GRANT {INGESTION} TO {API}",
    "the owner": f"GRANT jobchurn TO {API}",
    "a power": f"ALTER ROLE {READER} SUPERUSER",
    "roles": f"ALTER ROLE {API} CREATEROLE BYPASSRLS",
    "the schema": f"GRANT CREATE ON SCHEMA public TO {INGESTION}",
    "the database": f"GRANT CREATE, TEMPORARY ON DATABASE jobchurn TO {API}",
    "too little": f"REVOKE INSERT ON predictions FROM {API}",
    "no reader": f"REVOKE {READER} FROM {INGESTION}",
    "no settings": f"ALTER ROLE {READER} RESET default_transaction_read_only",
}


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_what_somebody_granted_is_noticed_and_undone_by_the_next_migration(
    owner, migrated, planted
):
    assert migrated.roles().lacking == []
    owner.execute(planted)
    assert migrated.roles().lacking != []
    migrated.migrate()
    assert migrated.roles().lacking == []
    for role in NAMES:
        assert in_fact(owner, role) == written(role)


def test_a_grant_of_everything_is_noticed_by_asking_and_by_trying(server, owner, migrated):
    owner.execute(PLANTED["all tables"])
    assert ("predictions", "DELETE") in in_fact(owner, API)
    assert ("predictions", "DELETE") in tried(owner, server.session(API))
    assert does(server.session(API), "TRUNCATE models")


@pytest.mark.parametrize("role", NAMES)
def test_a_service_that_finds_old_tables_says_who_is_to_migrate(server, owner, migrated, role):
    owner.execute("UPDATE alembic_version SET version_num = '0001'")
    store = Store.connect(server.url_of(role), JOB_CHANGE)
    try:
        with pytest.raises(DatabaseOutdated, match=f"{role} may not") as refused:
            store.migrate()
    finally:
        owner.execute(
            "UPDATE alembic_version SET version_num = (SELECT max(n) FROM (VALUES "
            "(%s)) AS head(n))",
            [_head()],
        )
        store.close()
    assert "jobchurn db migrate" in refused.value.cure


def _head():
    from jobchurn.store.schema import head

    return head()


def test_what_an_earlier_version_made_for_airflow_is_handed_to_it(server, owner):
    former = server.session("jobchurn", "airflow")
    former.execute("ALTER DATABASE airflow OWNER TO jobchurn")
    former.execute("CREATE TYPE colour AS ENUM ('red')")
    former.execute(
        "CREATE TABLE dag (id serial, number int GENERATED ALWAYS AS IDENTITY, c colour)"
    )
    former.execute("CREATE SEQUENCE alone")
    former.execute("CREATE VIEW seen AS SELECT * FROM dag")
    wiring.bring_up(server.settings)
    session = server.session("airflow", "airflow")
    session.execute("ALTER TABLE dag ADD COLUMN x int")
    session.execute("INSERT INTO dag (c) VALUES ('red')")
    session.execute("DROP VIEW seen")
    session.execute("DROP TABLE dag")
    session.execute("DROP TYPE colour")
    session.execute("DROP SEQUENCE alone")


@pytest.fixture
def house(server, tmp_path):
    """Services by role, over one home in which a model is in charge."""
    settings = Settings(jobchurn_home=tmp_path / "home", settle_seconds=0.0, drift_window_rows=100)
    with_owner = wiring.services_at(settings, server.url)
    with_owner.registry.add(learnt())
    with_owner.registry.promote(learnt().version)
    with_owner.store.api_keys.add(KEY, "all", list(Scope))
    with_owner.store.api_keys.add(OTHER_KEY, "other", list(Scope))
    ingesting = wiring.services_at(settings, server.url_of(INGESTION))
    yield ingesting
    with_owner.store.close()
    ingesting.store.close()


def test_the_whole_house_works_under_its_roles(server, house, tmp_path):
    raw = house.folders.raw_data / "rows.csv"
    synth.write_csv(raw, rows=300, seed=7)
    text = raw.read_text().splitlines()
    raw.write_text("\n".join([*text, text[1].replace(",", ";")]) + "\n")
    run = ingest.ingest_one(house, trigger="dag", file=raw)
    assert (run.rows_valid, run.rows_invalid) == (300, 1)
    raw.write_text("\n".join([*text, text[1].replace(",", ";")]) + "\n")
    assert ingest.ingest_one(house, trigger="dag", file=raw).duplicate_of == run.run_id

    api = Served(server.url_of(API), house.settings.home)
    try:
        with ApiPredictor(api.address) as predictor:
            [scored] = score.score_new(house, predictor)
        assert scored.rows == 300
        headers = {"Authorization": f"Bearer {KEY.text}"}
        with httpx.Client(base_url=api.address, headers=headers, timeout=60) as client:
            _look_at_everything(client, run)
    finally:
        api.end()
    report = watch.watch(house)
    assert report.is_whole


def _look_at_everything(client, run):
    record = client.get("/past-predictions", params={"limit": 1}).json()["rows"][0]["features"]
    body = {"records": [record]}
    for _ in range(2):  # the second is answered from what is stored
        answer = client.post("/predict", json=body, headers={"Idempotency-Key": "one"})
        assert answer.status_code == 200, answer.text
    assert client.post("/explain", json=body).status_code == 200
    for path in (
        "/ready",
        "/model",
        "/metrics",
        "/keys",
        "/ingestion-runs",
        f"/reports/{run.run_id}.html",
        "/past-predictions?format=csv",
        "/past-predictions?source=scheduled&limit=100",
        "/panels/ingestion",
        "/panels/predictions",
        "/panels/service",
    ):
        found = client.get(path)
        assert found.status_code == 200, (path, found.text)
    assert client.delete(f"/keys/{OTHER_KEY.id}").is_success
    revoked = {key["id"]: bool(key["revoked_at"]) for key in client.get("/keys").json()["keys"]}
    assert revoked == {KEY.id: False, OTHER_KEY.id: True}


@pytest.mark.torture
@pytest.mark.parametrize(
    ("role", "files"),
    [
        (
            API,
            [
                "api_house",
                "api_monitoring",
                "api_past",
                "api_predict",
                "store_predictions",
                "store_requests",
                "store_api_keys",
            ],
        ),
        (
            INGESTION,
            [
                "ingest_routing",
                "ingest_interrupted",
                "watch",
                "store_drift",
                "store_arrivals",
                "store_runs",
                "store_alerts",
                "store_alert_states",
                "store_job_runs",
            ],
        ),
    ],
)
def test_the_integration_tests_of_a_service_pass_in_the_name_of_its_role(role, files):
    paths = [f"tests/integration/test_{name}.py" for name in files]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "security.as_role", "--role", role, *paths],
        cwd=TESTS.parent,
        env=os.environ | {"PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:]
