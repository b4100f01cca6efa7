"""What the documentation tells people to type is typed here, in a home of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ports import free_port

PORTS = ("API_PORT", "WEBAPP_PORT", "AIRFLOW_PORT", "POSTGRES_PORT")


@pytest.fixture
def run(tmp_path, database):
    """Runs a block of commands in a home on a database of its own."""
    home = tmp_path / "home"
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "JOBCHURN_HOME": str(home),
        "DATABASE_URL": database,
        "OMP_NUM_THREADS": "1",
        **{name: str(free_port()) for name in PORTS},
    }

    def runner(block):
        # The pages are written for the default home.
        block = block.replace(".venv/bin/", "").replace("var/data/", f"{home}/data/")
        return subprocess.run(
            ["sh", "-e", "-c", block],
            check=False,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )

    runner.home = home
    return runner
