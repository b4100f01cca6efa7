"""A whole run of a real stack that is given secrets, and has every reason to tell them.

Everything that a stack is told, or makes for itself, and that is not for others is a secret here;
whatever it writes, shows or answers meanwhile is kept, to be searched afterwards.
"""

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import httpx
import psycopg

from api_house import RECORD
from client import Client
from ingest_house import HEADER, damaged, good_lines
from jobchurn import synth
from jobchurn.access import Key
from problems import Problem
from security.leaks import ProcessList, Search
from stacks import REAL, Stack, eventually, free_port
from webhook import listener

AIRFLOWS = {
    "password of airflow",
    "Airflow's jwt_secret",
    "Airflow's secret_key",
    "Airflow's fernet_key",
}
TOLD = {
    "postgres": set(),
    "api": {"password of jobchurn_api", "LINK_SECRET"},
    "webapp": {"key of webapp"},
    "airflow-api-server": AIRFLOWS,
    "airflow-dag-processor": AIRFLOWS,
    "airflow-scheduler": AIRFLOWS
    | {"password of jobchurn_ingestion", "key of airflow-scheduler", "LINK_SECRET"}
    | {"webhook", "password of an alert address", "password of a mail box"},
}
"""Program → the secrets that it needs, and may be told. Written down here once more, on purpose."""

OWNERS = "password of jobchurn"
"""The secret of the database's owner, whom no program needs; ``jobchurn env`` tells it."""


SESSION = """
import contextlib, io, json, os, sys
from jobchurn.cli import main
said = []
for words, variables in json.load(sys.stdin):
    sys.argv, os.environ = ["jobchurn", *words], os.environ | variables
    with contextlib.redirect_stdout(io.StringIO()) as out:
        with contextlib.redirect_stderr(io.StringIO()) as err:
            try:
                code = main()
            except SystemExit as end:
                code = end.code
    said.append([code or 0, out.getvalue(), err.getvalue()])
json.dump(said, sys.stdout)
"""
"""Commands one after the other, in one process: what takes time is to load everything."""


def odd(length=24):
    """A password that is written in another way wherever something is quoted."""
    return f'p"&<{secrets.token_hex(length // 2)}/+ü%\\'


class WholeRun:
    """What a stack was given, and what was seen of it.

    Attributes:
        stack: the stack.
        folder: beside its home.
        processes: what the kernel told of all processes meanwhile.
        told: what was shown or answered, by whom.
        known: the secrets, by what they are called.
    """

    def __init__(self, folder, only):
        self.folder = folder
        self.only = only
        self.processes = ProcessList()
        self.told = {}
        self.known = {
            "LINK_SECRET": secrets.token_urlsafe(32),
            "GRAFANA_DATABASE_PASSWORD": secrets.token_urlsafe(18),
            "webhook": secrets.token_urlsafe(18),
            "password of an alert address": odd(),
            "password of a mail box": odd(),
            "a wrong key": Key.make().secret,
            "password of another database": odd(),
        }
        synth.write_csv(folder / "some.csv", rows=1500, seed=7)

    def go(self):
        """Start the stack, have it do everything, and let it fail at everything."""
        with listener() as hook, listener(status=500) as broken, self.processes.watching():
            self.stack = Stack(
                self.folder, database=None, program=REAL, **self._settings(hook, broken)
            )
            self.home = self.stack.home
            self._start()
            self._learn()
            self._work()
            self._ask()
            self._break()
            self._look()
            self._learn_links(hook)
        return self

    def end(self):
        self.stack.end()

    @property
    def has_airflow(self):
        return "airflow" in self.only

    @property
    def search(self):
        return Search(self.known)

    def databases(self):
        """The addresses of all databases of the embedded server, as its owner reaches them."""
        told = json.loads((self.home / "run" / "stack.json").read_text())
        own = told["environment"]["DATABASE_URL"]
        others = ["postgres", *(["airflow"] if self.has_airflow else [])]
        return [own, *(urlsplit(own)._replace(path=f"/{name}").geturl() for name in others)]

    # What it is given, and what it makes

    def _settings(self, hook, broken):
        said, mail = (
            quote(self.known[f"password of {whose}"], safe="")
            for whose in ("an alert address", "a mail box")
        )
        secret = self.known["webhook"]
        return {
            "JOBCHURN_CSV": str(self.folder / "some.csv"),
            "START_FILES": "2",
            "OMP_NUM_THREADS": "1",
            "AIRFLOW_PORT": str(free_port()),
            "API_KEYS": "always",
            "DATABASE_SECONDS": "3",
            "SETTLE_SECONDS": "0",
            "LINK_SECRET": self.known["LINK_SECRET"],
            "GRAFANA_DATABASE_PASSWORD": self.known["GRAFANA_DATABASE_PASSWORD"],
            "TEAMS_WEBHOOK": f"http://127.0.0.1:{hook.port}/workflows/{secret}/run?sig={secret}",
            "ALERT_URLS": f"json://teller:{said}@127.0.0.1:{broken.port}/alerts "
            f"mailto://teller:{mail}@127.0.0.1:{free_port()}?from=a@b.example&to=c@d.example",
        }

    def _learn(self):
        """Take in the secrets that the stack has made for itself."""
        for path in (self.home / "secrets").iterdir():
            if path.suffix == ".database-password":
                self.known[f"password of {path.stem}"] = path.read_text()
        for program in ("webapp", "airflow-scheduler"):
            spec = self.home / "run" / f"{program}.json"
            if spec.exists():
                text = json.loads(spec.read_text())["environment"]["API_KEY"]
                self.known[f"key of {program}"] = Key.parse(text).secret
        if self.has_airflow:
            kept = json.loads((self.home / "secrets" / "airflow.json").read_text())
            self.known |= {f"Airflow's {name}": secret for name, secret in kept.items()}
            passwords = json.loads((self.home / "secrets" / "airflow-passwords.json").read_text())
            self.known["Airflow's sign-in"] = passwords["admin"]

    def _learn_links(self, hook):
        """Take in the signatures of all links: whoever has one is let in."""
        texts = [content.decode() for _, _, content in hook.received] + self._links
        signatures = {
            value
            for text in texts
            for address in re.findall(r"/[^\s\"'<>)\\]*signature=[\w-]+", text)
            for name, value in parse_qsl(urlsplit(address).query)
            if name == "signature"
        }
        assert len(signatures) >= 2, texts
        for number, signature in enumerate(sorted(signatures)):
            self.known[f"signature {number}"] = signature

    # What it does

    def _start(self):
        done = self.stack.command("up", "--detach", f"--only={self.only}", timeout=900)
        assert done.returncode == 0, done.stdout + done.stderr
        self.told["up"] = done.stdout + done.stderr

    def _commands(self, *commands):
        """Commands of the command line; what each says on stdout.

        Args:
            commands: each as it is typed, or with variables under which it is to fail.
        """
        given = [one if isinstance(one, tuple) else (one, {}) for one in commands]
        done = subprocess.run(
            [sys.executable, "-c", SESSION],
            input=json.dumps([(words.split(), variables) for words, variables in given]),
            env=self.stack.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        self.told[f"{commands[0]}, and on"] = done.stderr
        answers = json.loads(done.stdout)
        for (words, variables), (code, out, err) in zip(given, answers, strict=True):
            assert (code == 0) is (not variables), (words, out, err)
            # A key is shown to whoever makes it.
            self.told[words] = err if words.startswith("keys create") else out + err
        return [out for _, out, _ in answers]

    def _work(self):
        """Files come in, good ones and bad ones, and are judged, told of, and scored."""
        raw = self.home / "data" / "raw_data"
        lines = good_lines(20, seed=3)
        (raw / "good.csv").write_text("\n".join([HEADER, *lines]) + "\n")
        bad = [damaged(line) for line in lines[:15]] + lines[15:]
        (raw / "bad.csv").write_text("\n".join([HEADER, *bad]) + "\n")
        (raw / "broken.csv").write_bytes(b"\x00\xff;;\n" * 9)
        made = [
            "keys create looking --scope read --scope admin",
            "keys create predicting --scope predict",
        ]
        by_hand = ["ingest --all", "predict --new"]
        said = self._commands(*made, *([] if self.has_airflow else by_hand))
        self.looking, self.predicting = (Key.parse(text.strip()) for text in said[:2])
        self.known["key looking"] = self.looking.secret
        self.known["key predicting"] = self.predicting.secret
        if self.has_airflow:
            # One file at least comes through by Airflow alone, up to its predictions.
            eventually(lambda: self._told_by_api("/past-predictions?source=scheduled"), 900)
            self._commands(*by_hand)

    def _told_by_api(self, path):
        address = f"http://127.0.0.1:{self.stack.environment['API_PORT']}"
        key = {"Authorization": f"Bearer {self.looking.text}"}
        return httpx.get(f"{address}{path}", headers=key, timeout=60).json()["rows"]

    def _ask(self):
        """The API is asked for everything, by those who may, and by those who may not."""
        address = f"http://127.0.0.1:{self.stack.environment['API_PORT']}"
        looking, predicting = (
            {"Authorization": f"Bearer {key.text}"} for key in (self.looking, self.predicting)
        )
        wrong = {"Authorization": f"Bearer jc_00000000_{self.known['a wrong key']}"}
        web = Client(address, api_key=self.predicting.text)
        self.told["the web app's client"] = str(web.predict([RECORD], key="named"))
        with httpx.Client(base_url=address, timeout=60) as api:
            paths = api.get("/openapi.json", headers=looking).json()["paths"]
            for path in self._filled(paths, api.get("/ingestion-runs", headers=looking).json()):
                for who, headers in (("looking", looking), ("nobody", {}), ("wrong", wrong)):
                    answer = api.get(path, headers=headers)
                    assert answer.status_code < 500, (path, answer.text)
                    self.told[f"GET {path}, {who}"] = f"{answer.headers}{answer.text}"
            asked = [
                ("POST", "/predict", {"json": {"records": [RECORD]}}),
                ("POST", "/predict", {"json": {"records": [{"no": "such"}]}}),
                ("POST", "/predict", {"content": b"{", "headers": {"Content-Type": "text/plain"}}),
                ("POST", "/explain", {"json": {"records": [RECORD]}}),
                ("PUT", "/predict", {}),
                ("GET", "/nowhere", {}),
            ]
            for method, path, how in asked:
                how["headers"] = how.get("headers", {}) | predicting
                answer = api.request(method, path, **how)
                self.told[f"{method} {path} {answer.status_code}"] = answer.text
            # Where a key does not belong: the answer may name the address, which the asker knows.
            for key in (self.looking.text, wrong["Authorization"][7:]):
                api.get(f"/reports/{key}.html", headers=looking)
                api.get("/model", params={"key": key}, headers={"X-API-Key": key, "Cookie": key})
            made = api.post("/links", json={"path": "/past-predictions"}, headers=looking).json()
            self._links = [made["path"]]
            assert api.get(made["path"]).status_code == 200
            assert api.get(made["path"] + "x").status_code == 403

    def _filled(self, paths, runs):
        """The paths of everything that is read, each with a name that exists, and with none."""
        report = next(run["report"] for run in runs["runs"] if run["report"]).rpartition("/")[2]
        names = {
            "dashboard": ["service", "nothing"],
            "report_name": [report, "nothing.html"],
            "rule": ["drift", "nothing"],
        }
        for path, operations in paths.items():
            if "get" not in operations:
                continue
            parameter = re.search(r"\{(\w+)\}", path)
            for name in names[parameter[1]] if parameter else [""]:
                yield path.replace(parameter[0], name) if parameter else path

    # What fails

    def _break(self):
        """The database is killed under those who ask."""
        os.kill(self.stack.pid("postgres"), signal.SIGKILL)
        address = f"http://127.0.0.1:{self.stack.environment['API_PORT']}"
        web = Client(address, api_key=self.predicting.text)

        def refused():
            try:
                web.predict([RECORD], key=secrets.token_hex(8))
            except Problem as problem:
                self.told["the web app, without a database"] = f"{problem!r} {problem.__dict__}"
                return True
            return False

        eventually(lambda: refused() or self._is_up(), 60)
        eventually(self._is_up)

    def _is_up(self):
        try:
            psycopg.connect(self.databases()[0], connect_timeout=5).close()
        except psycopg.OperationalError as trouble:
            self.told["a client without a database"] = str(trouble)
            return False
        return True

    def _look(self):
        """Whatever shows how it fares, a copy of all of it, and databases that cannot be used."""
        self.backup = self.folder / "backup"
        password = self.known["password of another database"]
        quoted, port = quote(password, safe=""), free_port()
        unusable = [
            f"postgresql://teller:{quoted}@127.0.0.1:{port}/none",
            f"postgresql://teller:{password}@127.0.0.1:{port}/none",
            f"host=127.0.0.1 port={port} user=teller password='{quoted}'",
        ]
        self._commands(
            "status --json",
            "doctor",
            "logs --lines 200",
            "keys list --all --json",
            "runs --json",
            "trace good.csv:3",
            "watch --json",
            f"backup {self.backup}",
            *(
                (f"runs --limit {number}", {"DATABASE_URL": url})
                for number, url in enumerate(unusable, start=1)
            ),
        )

    # What may hold secrets

    def may_hold(self, path, name):
        """Whether a private file of the home may hold a secret."""
        place = Path(path)
        if place.parts[0] == "secrets":
            return True
        if path == "run/stack.json":
            return name == OWNERS
        return place.parts[0] == "run" and name in TOLD.get(place.stem, ())

    def copied(self, path, _name):
        """Whether a private file of a backup may hold a secret: those of ``secrets/`` do."""
        return "secrets" in Path(path).parts

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)
