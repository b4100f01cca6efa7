"""What runs inside the containers: secrets, their way into the environment, health checks."""

import importlib.util
import json
import os
import shutil
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from jobchurn.links import Links

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def loaded(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


READERS = ("postgres", "owner", "api", "ingestion", "app", "webapp", "airflow", "grafana")


make_secrets = loaded(DEPLOY / "init" / "make_secrets.py")


@pytest.fixture
def root(tmp_path):
    for reader in READERS:
        (tmp_path / reader).mkdir()
    return tmp_path


def contents(root):
    return {str(p.relative_to(root)): p.read_text() for p in root.rglob("*") if p.is_file()}


def test_secrets_are_made_once(root, capsys):
    make_secrets.main(root, demo=False)
    made = contents(root)
    told = capsys.readouterr().out
    make_secrets.main(root, demo=False)
    assert contents(root) == made
    assert capsys.readouterr().out == ""
    assert len(made) == 20
    # The owner knows how the two services log in, and the keys of two, as it lets them in.
    assert len(set(made.values())) == 16
    password = json.loads(made["airflow/passwords.json"])["admin"]
    assert told.splitlines() == [
        f"Airflow: sign in as admin with {password}",
        f"Grafana: sign in as admin with {made['grafana/GF_SECURITY_ADMIN_PASSWORD']}",
    ]


def test_two_installations_share_no_secret(root, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    for reader in READERS:
        (other / reader).mkdir()
    make_secrets.main(root, demo=False)
    make_secrets.main(other, demo=False)
    assert not set(contents(root).values()) & set(contents(other).values())


def test_addresses_name_a_database_and_a_user_of_their_own(root):
    make_secrets.main(root, demo=False)
    made = contents(root)
    app = urlsplit(made["owner/DATABASE_URL"])
    airflow = urlsplit(made["airflow/AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
    assert (app.username, app.path) == ("jobchurn", "/jobchurn")
    assert (airflow.username, airflow.path) == ("airflow", "/airflow")
    assert made["airflow/AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC"] == (
        f"postgresql+psycopg_async://airflow:{airflow.password}@postgres:5432/airflow"
    )
    assert app.password != airflow.password
    assert len(app.password) == 32
    passwords = {app.password, airflow.password}
    for service in ("api", "ingestion"):
        address = urlsplit(made[f"{service}/DATABASE_URL"])
        assert (address.username, address.path) == (f"jobchurn_{service}", "/jobchurn")
        assert made[f"owner/{service.upper()}_DATABASE_URL"] == made[f"{service}/DATABASE_URL"]
        passwords.add(address.password)
    assert len(passwords) == 4


def test_what_every_service_once_knew_the_owner_alone_knows(root):
    (root / "app" / "DATABASE_URL").write_text("as it was")
    make_secrets.main(root, demo=False)
    made = contents(root)
    assert made["owner/DATABASE_URL"] == "as it was"
    assert "app/DATABASE_URL" not in made


def test_only_files_for_images_of_other_users_can_be_read_by_others(root):
    make_secrets.main(root, demo=False)
    for path in root.rglob("*"):
        if path.is_file():
            shared = path.parent.name in ("postgres", "grafana")
            assert stat.S_IMODE(path.stat().st_mode) == (0o444 if shared else 0o600), path


def test_a_demonstration_has_well_known_passwords_that_go_with_it(root, capsys):
    make_secrets.main(root, demo=False)
    make_secrets.main(root, demo=True)
    demo = contents(root)
    assert json.loads(demo["airflow/passwords.json"]) == {"admin": "admin"}
    assert demo["grafana/GF_SECURITY_ADMIN_PASSWORD"] == "admin"
    capsys.readouterr()
    make_secrets.main(root, demo=False)
    after = contents(root)
    assert "admin with admin" not in capsys.readouterr().out
    assert json.loads(after["airflow/passwords.json"]) != {"admin": "admin"}
    assert after["grafana/GF_SECURITY_ADMIN_PASSWORD"] != "admin"
    unchanged = {name for name in demo if demo[name] == after[name]}
    assert len(unchanged) == 18


def test_grafana_s_links_open_the_runbook_for_half_a_year_at_least(root):
    make_secrets.main(root, demo=False)
    made = contents(root)
    links, page = Links(made["app/LINK_SECRET"]), f"/runbook/drift?{made['grafana/RUNBOOK_QUERY']}"
    now = datetime.now(UTC)
    assert links.admits(page, now + timedelta(days=183))
    assert not links.admits(page, now + timedelta(days=366))
    (root / "app" / "LINK_SECRET").write_text("another" * 8)
    make_secrets.main(root, demo=False)
    assert contents(root)["grafana/RUNBOOK_QUERY"] != made["grafana/RUNBOOK_QUERY"]


def entered(root, *command, **environment):
    return subprocess.run(
        ["sh", DEPLOY / "entrypoint.sh", *command],
        env={"PATH": os.environ["PATH"], "SECRETS": str(root)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_each_secret_file_becomes_a_variable_of_the_command(root):
    make_secrets.main(root, demo=False)
    for other in ("api", "ingestion"):  # no container has the address or the key of two
        shutil.rmtree(root / other)
    seen = entered(
        root, sys.executable, "-c", "import os, json; print(json.dumps(dict(os.environ)))"
    )
    environment = json.loads(seen.stdout)
    for name, content in contents(root).items():
        if name.endswith(".key"):
            assert Path(name).name not in environment
        elif name.endswith(".json"):
            assert content not in seen.stdout
        else:
            assert environment[Path(name).name] == content


def test_a_variable_that_is_set_wins_over_its_secret(root):
    (root / "app" / "DATABASE_URL").write_text("from the file")
    show = ("sh", "-c", 'printf %s "$DATABASE_URL"')
    assert entered(root, *show, DATABASE_URL="set").stdout == "set"
    assert entered(root, *show, DATABASE_URL="").stdout == "from the file"


def test_a_secret_may_hold_what_a_shell_would_read(root):
    text = """a "b" 'c' $HOME `id` $(id) \\ ; | & * #"""
    (root / "app" / "DATABASE_URL").write_text(text)
    assert entered(root, "sh", "-c", 'printf %s "$DATABASE_URL"').stdout == text


def test_the_commands_exit_code_is_the_containers(root):
    assert entered(root, "sh", "-c", "exit 7").returncode == 7


def test_without_secrets_the_command_runs_all_the_same(tmp_path):
    assert entered(tmp_path / "none", "echo", "here").stdout == "here\n"


@pytest.fixture
def address():
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(int(self.path[1:4]))
            self.end_headers()
            self.wfile.write(b'{"scheduler": {"status": "healthy"}}')

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("path", "wanted", "healthy"),
    [
        ("/200", [], True),
        ("/204", [], True),
        ("/503", [], False),
        ("/200", ["scheduler.status=healthy"], True),
        ("/200", ["scheduler.status=unhealthy"], False),
        ("/200", ["dag_processor.status=healthy"], False),
        ("/200", ["scheduler.status.deeper=healthy"], False),
    ],
)
def test_a_service_is_healthy_when_it_answers_so(address, path, wanted, healthy):
    checked = subprocess.run(
        [sys.executable, DEPLOY / "healthy.py", f"{address}{path}", *wanted],
        capture_output=True,
        check=False,
    )
    assert (checked.returncode == 0) == healthy
    assert b"Traceback" not in checked.stderr


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "file:///etc/passwd", "nonsense"])
def test_what_does_not_answer_is_not_healthy(url):
    checked = subprocess.run(
        [sys.executable, DEPLOY / "healthy.py", url], capture_output=True, check=False
    )
    assert checked.returncode == 1
    assert b"Traceback" not in checked.stderr
