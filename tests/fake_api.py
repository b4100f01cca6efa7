"""A small API on loopback that answers as the design says, for the web app's tests.

It keeps predictions in memory, honours idempotency keys, and can be told to be away or not ready.
Run as a program (``python tests/fake_api.py PORT``) it serves a web app under development.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
import threading
from collections import namedtuple
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import fake_panels
from jobchurn.contract import JOB_CHANGE, Violation

VERSION = "lgbm-0123456789ab"
THRESHOLD = 1 / 3
CITIES = [f"city_{number}" for number in range(1, 124)]


Asked = namedtuple("Asked", "method path parameters body key")


class FakeApi:
    """The API.

    Attributes:
        address: where it answers.
        requests: what it was asked.
        rows: stored predictions, the oldest first.
        runs: ingested files, the newest first.
        trouble: (status, problem document) given to everything but ``/health``, or ``None``.
    """

    def __init__(self, port=0):
        self.requests, self.rows, self.answers, self.runs = [], [], {}, []
        self.trouble = None
        self.now = datetime.now(UTC)
        self.version = VERSION
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.fake = self
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def serve_forever(self):
        self._server.serve_forever()

    def asked(self, path):
        """What came in under a path."""
        return [request for request in self.requests if request.path == path]

    # --- what it answers ---------------------------------------------------------------------

    def model(self):
        features = [
            {"name": c.name, "label": c.label, "kind": c.kind, "levels": []}
            for c in JOB_CHANGE.features
        ]
        features[0]["levels"] = CITIES
        return {
            "version": self.version,
            "contract": JOB_CHANGE.fingerprint,
            "threshold": THRESHOLD,
            "features": features,
        }

    def predict(self, body, key):
        with self._lock:
            if key in self.answers:
                return self.answers[key] | {"replayed": True}
            good, refused = accepted(body["records"])
            if refused and not body.get("partial"):
                return None, refused
            predictions = [self.keep(record, body["source"]) for record in good]
            answer = {
                "predictions": predictions,
                "features": [features_of(record) for record in good],
                "model_version": self.version,
                "n": len(good),
                "refused": refused,
            }
            if key:
                self.answers[key] = answer
            return answer

    def keep(self, record, source, age=timedelta(0)):
        probability = probability_of(record)
        identity = len(self.rows) + 1
        prediction = {"prediction": int(probability >= THRESHOLD), "probability": probability}
        self.rows.append(
            {
                "id": identity,
                "created_at": (self.now - age).isoformat(),
                "source": source,
                "model_version": self.version,
                "features": features_of(record),
                "prediction": prediction,
            }
        )
        return prediction | {"id": identity}

    def past(self, asked):
        rows = self.rows[::-1]
        source = asked.get("source", "all")
        rows = [r for r in rows if source in ("all", r["source"])]
        rows = [r for r in rows if asked.get("start", "") <= r["created_at"][:10]]
        rows = [r for r in rows if r["created_at"][:10] <= asked.get("end", "9999")]
        first, limit = int(asked.get("cursor", 0)), int(asked.get("limit", 200))
        more = first + limit < len(rows)
        return {"rows": rows[first : first + limit], "next": str(first + limit) if more else None}

    def explain(self, body):
        good, _ = accepted(body["records"])
        return {
            "model_version": self.version,
            "explanations": [
                {"contributions": contributions_of(r), "baseline": -1.1, "score": score_of(r)}
                for r in good
            ],
        }

    def panels(self, name, asked):
        return fake_panels.dashboard(name, dict(asked), datetime.now(UTC))

    def answer(self, path, asked, body, key):
        """Status and content for a request."""
        if self.trouble and path != "/health":
            return self.trouble
        if path.removeprefix("/panels/") in fake_panels.TITLES:
            told = self.panels(path.removeprefix("/panels/"), asked)
            return (422, problem(told)) if isinstance(told, str) else (200, told)
        if path == "/predict":
            answered = self.predict(body, key)
            if isinstance(answered, tuple):
                return 422, problem("1 record cannot be taken.", answered[1][0]["errors"])
            return 200, answered
        contents = {
            "/health": lambda: {"status": "ok"},
            "/model": self.model,
            "/explain": lambda: self.explain(body),
            "/past-predictions": lambda: self.past(asked),
            "/panels": fake_panels.dashboards,
            "/ingestion-runs": lambda: {"runs": self.runs[: int(asked["limit"])], "next": None},
        }
        if path not in contents:
            return 404, problem("There is no such thing.")
        return 200, contents[path]()


class Handler(BaseHTTPRequestHandler):
    """Hands each request to the :class:`FakeApi` that the server carries."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.respond(None)

    def do_POST(self):
        self.respond(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def respond(self, body):
        url = urlsplit(self.path)
        every = parse_qs(url.query)
        asked = {name: v if url.path.startswith("/panels/") else v[0] for name, v in every.items()}
        fake, key = self.server.fake, self.headers.get("Idempotency-Key")
        fake.requests.append(Asked(self.command, url.path, asked, body, key))
        status, content = fake.answer(url.path, asked, body, key)
        replayed = isinstance(content, dict) and content.pop("replayed", False)
        data = json.dumps(content).encode()
        kind = "application/json" if status < 400 else "application/problem+json"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        if replayed:
            self.send_header("Idempotent-Replayed", "true")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Say nothing."""


def problem(detail, errors=(), cure="Correct it and try again."):
    return {"title": "Problem", "detail": detail, "cure": cure, "errors": list(errors)}


def accepted(records):
    """The records in canonical values, and the refused ones with their errors."""
    good, refused = [], []
    for number, record in enumerate(records, start=1):
        try:
            good.append(
                {
                    c.name: c.accept(record.get(c.name))
                    for c in JOB_CHANGE.columns
                    if c.name != "enrollee_id" or record.get(c.name) is not None
                }
            )
        except Violation as violation:
            error = {
                "field": violation.column,
                "rule": violation.rule,
                "value": violation.value,
                "allowed": violation.allowed,
                "nearest": violation.repair,
                "message": str(violation),
            }
            refused.append({"record": number, "errors": [error]})
    return good, refused


def features_of(record):
    return {column.name: record.get(column.name) for column in JOB_CHANGE.inputs}


def contributions_of(record):
    """Something like contributions: steady per value, between -0.5 and 0.5."""
    return {
        c.name: hashlib.sha256(f"{c.name}{record[c.name]}".encode()).digest()[0] / 255 - 0.5
        for c in JOB_CHANGE.features
    }


def score_of(record):
    return sum(contributions_of(record).values()) - 1.1


def probability_of(record):
    return 1 / (1 + math.exp(-1.5 * score_of(record)))


def example_runs(now):
    """Files as ``GET /ingestion-runs`` lists them: good, damaged, refused, repeated."""
    cases = [("none", 670, 0), ("low", 640, 31), ("medium", 560, 110), ("high", 0, 671)] * 3
    return [
        {
            "run_id": f"20261124T07{position:02d}00-3f9a2c",
            "file": f"raw_{position:03d}.csv",
            "sha256": f"{position:064x}",
            "trigger": ["dag", "cli", "start"][position % 3],
            "rows_total": good + bad,
            "rows_valid": good,
            "rows_invalid": bad,
            "criticality": criticality,
            "duplicate_of": "20261124T070000-3f9a2c" if position == 4 else None,
            "started_at": (now - timedelta(minutes=position)).isoformat(),
            "finished_at": (now - timedelta(minutes=position, seconds=-3)).isoformat(),
            "report": f"/reports/20261124T07{position:02d}00-3f9a2c.html",
            "issues": [{"rule": "range", "column": "training_hours", "rows": bad}] if bad else [],
            "notes": [],
        }
        for position, (criticality, good, bad) in enumerate(cases)
    ]


def example_record(position=0):
    """A record made of the contract's levels."""
    record = {}
    for place, column in enumerate(JOB_CHANGE.inputs):
        if column.levels:
            choices = column.levels if column.required else (None, *column.levels)
            record[column.name] = choices[(position * 7 + place) % len(choices)]
        elif column.name == "city":
            record[column.name] = CITIES[position * 11 % len(CITIES)]
        else:
            record[column.name] = [0.92, 0.624, 0.776][position % 3]
    return record | {"training_hours": 10 + position * 13 % 300, "enrollee_id": 100 + position}


if __name__ == "__main__":
    api = FakeApi(int(sys.argv[1]))
    if "empty" not in sys.argv:
        api.runs = example_runs(api.now)
        for position in range(250):
            age = timedelta(hours=250 - position)
            api.keep(example_record(position), ["webapp", "scheduled"][position % 2], age)
    api.serve_forever()
