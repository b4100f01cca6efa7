"""An Airflow whose DAGs are run when asked, in a process of its own."""

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import psycopg
from psycopg import sql

from jobchurn.settings import Settings
from jobchurn.stack.airflow import CONNECTION_VARIABLE, airflow_environment
from ports import free_port

DRIVER = Path(__file__).with_name("integration") / "airflow_driver.py"


def environment_of(home, database):
    """The environment of the stack's Airflow, save for a database of these tests' own."""
    settings = Settings(jobchurn_home=home, airflow_port=free_port())
    airflow = airflow_environment(settings, database, demo=False)
    return (
        os.environ
        | airflow
        | {
            CONNECTION_VARIABLE: database.replace("postgresql:", "postgresql+psycopg:"),
            f"{CONNECTION_VARIABLE}_ASYNC": database.replace(
                "postgresql:", "postgresql+psycopg_async:"
            ),
            "OMP_NUM_THREADS": "1",
        }
    )


class Airflow:
    """An Airflow without a scheduler: runs a DAG's tasks in order, when asked."""

    def __init__(self, server, home):
        """Make it a database on a server, and a home in a folder."""
        name = f"airflow_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        environment = environment_of(home, f"{server.rpartition('/')[0]}/{name}")
        self.log = log = home / "airflow.log"
        subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            env=environment,
            check=True,
            stdout=log.open("ab"),
            stderr=subprocess.STDOUT,
            timeout=300,
        )
        self.process = subprocess.Popen(
            [sys.executable, str(DRIVER), "serve"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("ab"),
            text=True,
        )

    def run(self, dag, environment):
        request = {"dag": dag, "environment": environment}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, self.log.read_text()[-5000:]
        return json.loads(answer)

    def end(self):
        self.process.communicate(timeout=60)
