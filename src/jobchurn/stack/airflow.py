"""Airflow's part of the stack: its environment, its secrets, its three programs.

Airflow shares the PostgreSQL server with the application, in a database of its own: on the embedded
server in the name of a user of its own, who cannot reach the application's. It runs as
``api-server``, ``scheduler`` and ``dag-processor``: its ``standalone`` command orphans its
children, and nothing here defers, so there is no triggerer.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from jobchurn.settings import Settings
from jobchurn.stack.private import private_folder, write_private
from jobchurn.stack.programs import Program, secrets_of
from jobchurn.stack.services import CHECKOUT, plain_target

DATABASE = "airflow"
"""The name of Airflow's own database."""

USER = "admin"

LOCAL_SETTINGS = Path(__file__).parent / "airflow_settings"
"""The folder of ``airflow_local_settings.py``, which Airflow imports at start."""

CONNECTION_VARIABLE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
"""Airflow's own setting for its database; where the user sets it, it is left alone."""

CONNECTION_VARIABLES = (CONNECTION_VARIABLE, f"{CONNECTION_VARIABLE}_ASYNC")
"""Both hold a password, and Airflow's programs alone are told."""

TASK_SECRETS = ("api_key", "teams_webhook", "alert_urls", "link_secret")
"""The settings that tasks need and that are secrets: they ask the API, and tell people."""


def airflow_programs(
    settings: Settings, database: str, data: str, key: Mapping[str, str], *, demo: bool
) -> tuple[Program, ...]:
    """The three programs; makes the secrets they share where there are none yet.

    A demonstration has a fourth, which keeps files arriving for the DAGs to work on.

    Args:
        settings: the environment's.
        database: the address of Airflow's own database.
        data: the address of the application's, as tasks reach it; the scheduler runs them, and it
            alone is told.
        key: the variable with the tasks' key of the API, where they are given one; likewise.
        demo: whether this is a demonstration.
    """
    environment = airflow_environment(settings, database, demo=demo)
    airflow = (sys.executable, "-m", "airflow")
    version = f"http://127.0.0.1:{settings.airflow_port}/api/v2/version"
    return (
        Program(
            name="airflow-api-server",
            command=(*airflow, "api-server"),
            environment=environment,
            waits=(plain_target(environment[CONNECTION_VARIABLE]),),
            first=((*airflow, "db", "migrate"),),
            signal_group=True,
        ),
        Program(
            name="airflow-scheduler",
            command=(*airflow, "scheduler", "--skip-serve-logs"),
            environment={
                **environment,
                "DATABASE_URL": data,
                **secrets_of(settings, *TASK_SECRETS),
                **key,
            },
            waits=(version,),
            # Told alone, the scheduler lets the tasks that are running come to their end.
            stop_seconds=30,
        ),
        Program(
            name="airflow-dag-processor",
            command=(*airflow, "dag-processor"),
            environment=environment,
            waits=(version,),
        ),
        *([feeder_program(data)] if demo else []),
    )


def feeder_program(data: str) -> Program:
    """What keeps files arriving; ``data`` is the address of the application's database."""
    return Program(
        name="airflow-feeder",
        command=(sys.executable, "-m", "jobchurn.stack.feeder"),
        environment={"DATABASE_URL": data},
    )


def airflow_environment(settings: Settings, database: str, *, demo: bool) -> dict[str, str]:
    """Airflow's settings, as its own environment variables.

    Args:
        settings: the environment's.
        database: the address of Airflow's own database.
        demo: whether this is a demonstration.
    """
    home = private_folder(settings.home / "airflow")
    connection = os.environ.get(CONNECTION_VARIABLE) or _with_driver(database, "psycopg")
    api = f"http://127.0.0.1:{settings.airflow_port}"
    kept = airflow_secrets(settings)
    paths = [str(LOCAL_SETTINGS), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        "AIRFLOW_HOME": str(home),
        "PYTHONPATH": os.pathsep.join(paths),
        CONNECTION_VARIABLE: connection,
        f"{CONNECTION_VARIABLE}_ASYNC": connection.replace("+psycopg:", "+psycopg_async:", 1),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE": "3",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        # Three steps of an ingestion run side by side. Each worker is a process that stays.
        "AIRFLOW__CORE__PARALLELISM": "3",
        # Tasks share what the scheduler has imported only where they are forked from it.
        "AIRFLOW__CORE__MP_START_METHOD": "fork",
        "AIRFLOW__CORE__DAGS_FOLDER": str(CHECKOUT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(CHECKOUT / "dags" / "plugins"),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{api}/execution/",
        "AIRFLOW__CORE__FERNET_KEY": kept["fernet_key"],
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(
            passwords_file(settings, demo=demo)
        ),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(settings.airflow_port),
        "AIRFLOW__API__BASE_URL": api,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": kept["secret_key"],
        "AIRFLOW__API_AUTH__JWT_SECRET": kept["jwt_secret"],
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        # After a kill, tasks are taken up again within a minute and not after five.
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        # A file that has changed is read within seconds all the same.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
        "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
        # Else every check of its health is a line in its log.
        "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "http.access=WARNING",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        # Else each thread of the C library's allocator keeps what it once needed.
        "MALLOC_ARENA_MAX": "1",
    }


def airflow_secrets(settings: Settings) -> Mapping[str, str]:
    """The keys that Airflow's processes share; made once, kept in a private file."""
    path = secrets_folder(settings) / "airflow.json"
    if not path.exists():
        made = {
            "jwt_secret": secrets.token_urlsafe(64),
            "secret_key": secrets.token_urlsafe(32),
            "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        }
        write_private(path, json.dumps(made, indent=2))
    kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return kept


def passwords_file(settings: Settings, *, demo: bool) -> Path:
    """The private file of Airflow's passwords; made where there is none yet.

    A demonstration has a file of its own, so that its well-known password never outlives it.
    """
    folder = secrets_folder(settings)
    path = folder / ("airflow-demo-passwords.json" if demo else "airflow-passwords.json")
    if not path.exists():
        password = USER if demo else secrets.token_urlsafe(12)
        write_private(path, json.dumps({USER: password}))
    return path


def announcements(settings: Settings, *, demo: bool) -> list[str]:
    """How to log in to Airflow, as it is told after a start: a generated password only once."""
    path = passwords_file(settings, demo=demo)
    shown = path.with_suffix(".shown")
    if shown.exists() and not demo:
        return [f"Airflow's password lies in {path}."]
    password = json.loads(path.read_text(encoding="utf-8"))[USER]
    write_private(shown, "")
    where = "" if demo else f" (kept in {path}, not shown again)"
    return [f"Airflow's user is {USER}, its password {password}{where}."]


def secrets_folder(settings: Settings) -> Path:
    """The private folder of generated secrets."""
    return private_folder(settings.home / "secrets")


def airflow_database(database: str) -> str:
    """The address of Airflow's database on the application's server, in the same user's name."""
    return urlsplit(database)._replace(path=f"/{DATABASE}").geturl()


def _with_driver(database: str, driver: str) -> str:
    url = urlsplit(database)
    return url._replace(scheme=f"postgresql+{driver}").geturl()
