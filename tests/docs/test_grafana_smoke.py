"""deploy/smoke_grafana.sh: what it says of a Grafana that is well, and of others."""

import base64
import json
import os
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from grafana_sample import OTHER, RULES, SMALL
from jobchurn.grafana.files import built_of

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="the script needs curl")

SCRIPT = Path(__file__).parents[2] / "deploy" / "smoke_grafana.sh"
PASSWORD = 'cor"rect \\ horse'
NAMES = [rule.name for rule in RULES[:2]]


def well():
    """What a Grafana answers with which all is well: way → status, content."""
    return {
        "/api/health": (200, {"database": "ok", "version": "12.4.10"}),
        "/api/datasources/uid/jobchurn": (
            200,
            {
                "type": "grafana-postgresql-datasource",
                "user": "jobchurn_reader",
                "url": "postgres:5432",
            },
        ),
        "/api/datasources/uid/jobchurn/health": (
            200,
            {"status": "OK", "message": "Database Connection OK"},
        ),
        "/api/dashboards/uid/ingestion": (
            200,
            {"dashboard": {"title": "Small", "panels": [{"id": p.id} for p in SMALL.panels]}},
        ),
        "/api/prometheus/grafana/api/v1/rules": (
            200,
            {
                "data": {
                    "groups": [
                        {
                            "rules": [
                                {"uid": NAMES[0], "name": "A", "state": "inactive", "health": "ok"},
                                # As older ones answer: without the uid.
                                {"name": RULES[1].title, "state": "firing", "health": "ok"},
                            ]
                        }
                    ]
                }
            },
        ),
        **{
            f"/api/v1/provisioning/alert-rules/{rule.name}": (
                200,
                {"uid": rule.name, "title": rule.title},
            )
            for rule in RULES[:2]
        },
        "/api/v1/provisioning/contact-points": (
            200,
            [
                {"uid": "jobchurn-teams", "name": "jobchurn", "type": "teams"},
                {"uid": "", "name": "email receiver", "type": "email"},
            ],
        ),
        "/api/v1/provisioning/policies": (
            200,
            {
                "receiver": "jobchurn",
                "routes": [
                    {"object_matchers": [["severity", "=", word]], "repeat_interval": again}
                    for word, again in (("critical", "1h"), ("warning", "1d"))
                ],
            },
        ),
        "/api/ds/query": (
            200,
            {"results": {"A": {"frames": [{"schema": {"fields": [{"name": "value"}]}}]}}},
        ),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of files, of one dashboard and two rules."""
    root = tmp_path_factory.mktemp("grafana")
    for path, text in built_of((SMALL, OTHER), RULES[:2]).items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (root / "dashboards" / "small.json").rename(root / "dashboards" / "ingestion.json")
    (root / "dashboards" / "other.json").unlink()
    return root


@pytest.fixture
def grafana():
    """A server with ``answers``, which notes what it was ``asked``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            length = int(self.headers.get("Content-Length") or 0)
            server.asked.append((self.path, self.rfile.read(length)))
            given = self.headers.get("Authorization", "")
            if given != "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode():
                status, content = 401, {"message": "Invalid username or password"}
            else:
                status, content = server.answers.get(self.path, (404, {"message": "Not found"}))
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.answers, server.asked = well(), []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def smoke(folder, grafana):
    """Runs the script; the exit code, and what it said in lines."""

    def run(**environment):
        done = subprocess.run(
            ["sh", SCRIPT],
            env={
                "PATH": os.environ["PATH"],
                "GRAFANA_URL": grafana.url + "/",
                "GRAFANA_PASSWORD": PASSWORD,
                "GRAFANA_FOLDER": str(folder),
            }
            | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert PASSWORD not in done.stdout + done.stderr
        return done.returncode, (done.stdout + done.stderr).splitlines()

    return run


def failures(lines):
    return {line.removeprefix("FAIL  ").split(":")[0] for line in lines if line[:4] == "FAIL"}


def test_a_grafana_that_is_well_passes_every_check(smoke, grafana):
    assert smoke() == (
        0,
        [
            "ok    health: Grafana 12.4.10",
            "ok    data source jobchurn: jobchurn_reader at postgres:5432",
            "ok    data source answers: Database Connection OK",
            "ok    dashboard ingestion: Small, 7 panels",
            "ok    rule slow: firing",
            "ok    rule zeal: inactive",
            "ok    contact point jobchurn: teams",
            "ok    notification policy: critical again after 1h, warning again after 1d",
            "ok    query of a panel: columns value",
            "All is well.",
        ],
    )
    [(_, body)] = [each for each in grafana.asked if each[0] == "/api/ds/query"]
    [query] = json.loads(body)["queries"]
    assert query["rawSql"] == SMALL.panels[0].sql
    assert query["datasource"]["uid"] == "jobchurn"


def test_a_grafana_that_lacks_everything_fails_every_check_but_that_of_its_life(smoke, grafana):
    grafana.answers = {"/api/health": well()["/api/health"]}
    code, lines = smoke()
    assert code == 1
    assert failures(lines) == {
        "data source jobchurn",
        "dashboard ingestion",
        "states of the rules",
        "contact point jobchurn",
        "notification policy",
        "query of a panel",
    }
    assert lines[-1] == "6 of the checks failed."


def test_a_grafana_in_which_everything_is_amiss_fails_every_check_and_says_why(smoke, grafana):
    answers = grafana.answers
    answers["/api/health"] = (200, {"database": "ok", "version": "11.6.0"})
    answers["/api/datasources/uid/jobchurn"][1]["user"] = "postgres"
    answers["/api/datasources/uid/jobchurn/health"] = (
        400,
        {"status": "ERROR", "message": "password authentication failed"},
    )
    answers["/api/dashboards/uid/ingestion"][1]["dashboard"]["panels"].pop(2)
    [group] = answers["/api/prometheus/grafana/api/v1/rules"][1]["data"]["groups"]
    group["rules"] = [
        {
            "uid": NAMES[0],
            "name": "A",
            "state": "firing",
            "health": "error",
            "lastError": "no table",
        }
    ]
    answers["/api/v1/provisioning/contact-points"] = (200, [])
    answers["/api/v1/provisioning/policies"][1]["routes"].pop()
    answers["/api/ds/query"] = (
        400,
        {"results": {"A": {"error": "permission denied", "status": 400}}},
    )
    code, lines = smoke()
    assert code == 1
    assert lines == [
        "FAIL  health: Grafana 11.6.0 is older than 12",
        "FAIL  data source jobchurn: it signs in as 'postgres', not as jobchurn_reader",
        "FAIL  data source answers: password authentication failed",
        "FAIL  dashboard ingestion: panels are missing: [3]",
        "FAIL  rule slow: Grafana does not judge it",
        "FAIL  rule zeal: error: no table",
        "FAIL  contact point jobchurn: it is missing",
        "FAIL  notification policy: no route for what is warning",
        "FAIL  query of a panel: permission denied",
        "9 of the checks failed.",
    ]


def test_answers_that_are_no_json_fail_and_do_not_end_the_checks(smoke, grafana):
    answers = dict.fromkeys(grafana.answers, (200, b"<html>"))
    grafana.answers = answers | {"/api/health": well()["/api/health"]}
    code, lines = smoke()
    assert code == 1
    assert lines[-1].endswith("of the checks failed.")
    assert "query of a panel" in failures(lines)


def test_what_was_not_judged_yet_and_whom_nobody_tells_is_said_and_no_failure(smoke, grafana):
    [group] = grafana.answers["/api/prometheus/grafana/api/v1/rules"][1]["data"]["groups"]
    group["rules"][0]["health"] = "unknown"
    points = [{"uid": "jobchurn-nobody", "name": "jobchurn", "type": "webhook"}]
    grafana.answers["/api/v1/provisioning/contact-points"] = (200, points)
    code, lines = smoke()
    assert code == 0
    assert "ok    rule zeal: not judged yet, which takes a minute from the start" in lines
    assert "ok    contact point jobchurn: nobody is told: no address is set" in lines


def test_a_wrong_password_is_named_as_such(smoke):
    code, lines = smoke(GRAFANA_PASSWORD="wrong")
    assert code == 1
    assert lines[0] == "FAIL  health: Grafana refuses the sign-in (HTTP 401)"


def test_where_nothing_answers_no_more_is_asked(smoke):
    code, lines = smoke(GRAFANA_URL="http://127.0.0.1:1")
    assert code == 1
    assert lines == [
        "FAIL  health: no answer from http://127.0.0.1:1",
        "Nothing more can be asked.",
    ]


def test_without_a_password_nothing_is_asked(smoke, grafana):
    code, lines = smoke(GRAFANA_PASSWORD="")
    assert code == 2
    assert "GRAFANA_PASSWORD" in lines[0]
    assert grafana.asked == []


def test_the_password_is_no_argument_of_any_program(smoke, tmp_path):
    noting = tmp_path / "curl"
    noting.write_text(
        f'#!/bin/sh\necho "$@" >>{tmp_path}/arguments\nexec {shutil.which("curl")} "$@"\n'
    )
    noting.chmod(0o755)
    assert smoke(PATH=f"{tmp_path}:{os.environ['PATH']}")[0] == 0
    arguments = (tmp_path / "arguments").read_text()
    assert "/api/health" in arguments
    assert "horse" not in arguments
    assert base64.b64encode(f"admin:{PASSWORD}".encode()).decode() not in arguments
