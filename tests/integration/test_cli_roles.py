"""``jobchurn db roles``: what an administrator is told to run gives each service its role."""

import uuid

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql
from typer.testing import CliRunner

from conftest import at, settings_at
from jobchurn.cli import app
from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import JobchurnError
from jobchurn.postgres import serving
from jobchurn.roles import API, INGESTION, READER
from jobchurn.store import Store
from store_work import batch_of


@pytest.fixture(scope="module")
def server(open_folder):
    """A server on which none of our roles has been made."""
    with serving(settings_at(open_folder / "cli_roles")) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield url


@pytest.fixture(params=["public", "own"])
def hosted(server, request, tmp_path, monkeypatch):
    """The URL of a database whose owner may make no roles, in the environment of the command."""
    name = f"owner_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(server, autocommit=True) as connection:
        for statement in ("CREATE ROLE {} LOGIN PASSWORD 'own'", "CREATE DATABASE {0} OWNER {0}"):
            connection.execute(sql.SQL(statement).format(sql.Identifier(name)))
    url = f"postgresql://{name}:own@{at(server, name).rpartition('@')[2]}"
    if request.param == "own":
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE SCHEMA AUTHORIZATION current_user")
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("JOBCHURN_HOME", str(tmp_path / "home"))
    yield url
    with psycopg.connect(server, autocommit=True) as connection:
        gone = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
        connection.execute(gone)
        connection.execute(f"DROP ROLE IF EXISTS {API}, {INGESTION}, {READER}")


def told(*words):
    done = CliRunner().invoke(app, ["db", *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_what_is_printed_gives_each_service_its_role_and_leaves_nothing_to_print(server, hosted):
    assert told("roles").count("absent") == 3
    script = told("roles", "--sql")
    administered = at(server, sa.make_url(hosted).database)
    with psycopg.connect(administered, autocommit=True) as connection:
        connection.execute(script)
    left = told("roles", "--sql").splitlines()
    assert [line for line in left if not line.startswith("--")] == []
    assert told("roles").count("may not log in") == 3


def test_the_comments_let_the_services_in_and_keep_others_out(server, hosted):
    script = told("roles", "--sql")
    comments = [line.removeprefix("-- ") for line in script.splitlines() if line.startswith("--")]
    administered = at(server, sa.make_url(hosted).database)
    with psycopg.connect(administered, autocommit=True) as connection:
        connection.execute(script)
        for line in comments:
            if line.startswith("\\password "):
                role = sql.Identifier(line.removeprefix("\\password "))
                connection.execute(sql.SQL("ALTER ROLE {} PASSWORD 'pw'").format(role))
            elif line.endswith(";"):
                connection.execute(line)
    assert told("roles").count("may log in") == 3
    assert told("roles", "--sql") == ""
    api = sa.make_url(hosted).set(username=API, password="pw")
    store = Store.connect(api.render_as_string(hide_password=False), JOB_CHANGE)
    store.predictions.write(batch_of())
    assert store.panels.read("SELECT count(*) FROM predictions").rows == [(1,)]
    store.close()


def test_a_user_of_another_name_that_is_given_the_role_works_as_it(server, hosted):
    with psycopg.connect(at(server, sa.make_url(hosted).database), autocommit=True) as connection:
        connection.execute(told("roles", "--sql"))
        connection.execute("CREATE ROLE my_api_user LOGIN PASSWORD 'pw'")
        connection.execute(f"GRANT {API} TO my_api_user")
        [(schema,)] = connection.execute(
            "SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname = 'predictions'"
        )
        connection.execute(f"ALTER ROLE my_api_user SET search_path TO {schema}")
    mine = sa.make_url(hosted).set(username="my_api_user", password="pw")
    store = Store.connect(mine.render_as_string(hide_password=False), JOB_CHANGE)
    try:
        store.predictions.write(batch_of())
        assert store.panels.read("SELECT count(*) FROM predictions").rows == [(1,)]
        with pytest.raises(JobchurnError, match="permission denied"):
            store.alerts.pending()
    finally:
        store.close()
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute("DROP ROLE my_api_user")


def test_who_may_make_roles_makes_them_with_the_passwords_of_the_settings(
    server, hosted, monkeypatch
):
    user = sa.make_url(hosted).username
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER ROLE {} CREATEROLE").format(sql.Identifier(user)))
    urls = {}
    for role, name in ((API, "API_DATABASE_URL"), (INGESTION, "INGESTION_DATABASE_URL")):
        url = sa.make_url(hosted).set(username=role, password=f"of/{role} %s")
        urls[role] = url.render_as_string(hide_password=False)
        monkeypatch.setenv(name, urls[role])
    told("migrate")
    for url in urls.values():
        store = Store.connect(url, JOB_CHANGE)
        assert store.missing() == []
        store.close()
    assert told("roles").count("may log in") == 2
