"""What each program loads before it does anything: a start is quick, and what waits stays small."""

import subprocess
import sys

import pytest

DATA = (
    "great_expectations",
    "lightgbm",
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "scipy",
    "sklearn",
)
DATABASE = ("alembic", "psycopg", "sqlalchemy")
SERVING = ("airflow", "fastapi", "starlette", "streamlit", "uvicorn")
ALL = (*DATA, *DATABASE, *SERVING, "altair", "apprise", "httpx", "jsonschema")

WITHOUT = {
    "import jobchurn.stack.gate": (*ALL, "asyncio", "pydantic", "rich", "typer"),
    "import jobchurn.cli": (*ALL, "asyncio", "pydantic"),
    # What the guard and the keeper are forked from.
    "import jobchurn.cli, jobchurn.settings, jobchurn.stack.up": ALL,
    "import supervisor.supervisord": (*ALL, "jobchurn", "pydantic"),
    "import jobchurn.stack.tell": (*SERVING, "great_expectations", "lightgbm", "pandas", "sklearn"),
    "import jobchurn.api.serve": (
        *(name for name in (*DATA, "airflow", "streamlit") if name != "numpy"),
        *("altair", "apprise", "httpx", "jsonschema", "msgspec"),
    ),
    # The web app needs what shows pages; what makes frames and plots comes with the first of them.
    "import streamlit.web.cli": (*DATA, *DATABASE, "airflow", "altair", "fastapi", "jsonschema"),
}
"""What starts a program → what has no place in it."""


@pytest.mark.parametrize("statement", WITHOUT)
def test_a_program_starts_without_what_it_does_not_need(statement):
    names = WITHOUT[statement]
    program = f"{statement}; import sys; print([name for name in {names} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
