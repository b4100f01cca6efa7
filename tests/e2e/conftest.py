"""A running stack and a browser for the end-to-end tests.

``API_URL`` and ``WEBAPP_URL`` (as ``jobchurn env`` prints them) name a stack to test; without them
one is started in a folder of its own, and ended afterwards.
"""

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from playwright.sync_api import expect, sync_playwright

from fake_api import FakeApi
from ports import free_port

JOBCHURN = Path(sys.executable).with_name("jobchurn")
ROOT = Path(__file__).parents[2]
FIRST_START_SECONDS = 900
PATIENCE_MILLISECONDS = 45_000


@pytest.fixture(scope="session")
def stack(tmp_path_factory):
    """The addresses ``api`` and ``webapp`` of a stack that has ingested and predicted a file."""
    api, webapp = os.environ.get("API_URL"), os.environ.get("WEBAPP_URL")
    if api and webapp:
        yield SimpleNamespace(api=api, webapp=webapp)
        return
    ports = {name: free_port() for name in ("API_PORT", "WEBAPP_PORT", "POSTGRES_PORT")}
    home = tmp_path_factory.mktemp("home")
    environment = os.environ | {name: str(port) for name, port in ports.items()}
    environment |= {"JOBCHURN_HOME": str(home), "OMP_NUM_THREADS": "1"}

    def jobchurn(*arguments):
        subprocess.run(
            [JOBCHURN, *arguments], env=environment, check=True, timeout=FIRST_START_SECONDS
        )

    try:
        jobchurn("up", "--only", "postgres,api,webapp", "--detach")
        jobchurn("ingest")
        jobchurn("predict", "--new")
        jobchurn("watch")
        yield SimpleNamespace(
            api=f"http://127.0.0.1:{ports['API_PORT']}",
            webapp=f"http://127.0.0.1:{ports['WEBAPP_PORT']}",
        )
    finally:
        jobchurn("down")


@contextmanager
def webapp_on(api):
    """The address of a web app that asks the API at an address."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", ROOT / "webapp" / "Home.py"]
    command += ["--server.address", "127.0.0.1", "--server.port", str(port)]
    environment = os.environ | {"API_URL": api}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        transport = httpx.HTTPTransport(retries=8)
        with httpx.Client(transport=transport) as client:
            client.get(f"http://127.0.0.1:{port}/_stcore/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="session")
def lonely_webapp():
    """The address of a web app whose API is away."""
    with webapp_on(f"http://127.0.0.1:{free_port()}") as address:
        yield address


@pytest.fixture(scope="session")
def misled_webapp():
    """A web app's address, and its API, which says what a test lets it say."""
    with FakeApi() as api, webapp_on(api.address) as address:
        yield SimpleNamespace(address=address, api=api)


@pytest.fixture(scope="session")
def browser():
    """Debian's Chromium, headless."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if program is None:
        pytest.fail("These tests need a browser: apt-get install chromium")
    # What a browser asks of its maker is not asked here: there may be no network to ask.
    arguments = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    arguments += ["--disable-gpu"]
    # Chromium's own sandbox refuses to run as root.
    arguments += ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """A fresh visit at 1280 pixels; what the browser's console calls an error fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MILLISECONDS)
    expect.set_options(timeout=PATIENCE_MILLISECONDS)
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert not errors, json.dumps(errors)
