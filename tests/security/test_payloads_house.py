"""Hostile texts through the whole house: in by files and requests, out by all that it writes."""

import csv
import dataclasses
import io
import logging
import unicodedata
from urllib.parse import quote

import pytest

from api_house import RECORD, open_house, serving
from jobchurn.cli.work import runs_table, told
from jobchurn.contract import JOB_CHANGE, Kind
from jobchurn.flow import ingest
from jobchurn.flow.score import score_new
from security.payloads import ALL, SCRIPTS
from small_model import random_records

OPEN = next(column.name for column in JOB_CHANGE.columns if column.kind is Kind.TEXT)
CLOSED = next(c.name for c in JOB_CHANGE.columns if c.is_closed and not c.required)
LIMIT = JOB_CHANGE[OPEN].max_length
ADMITTED = [text for text in dict.fromkeys(p[:LIMIT] for p in ALL) if JOB_CHANGE[OPEN].admits(text)]
"""What the contract takes for an open text: no control characters, and not too long."""

NAMES = [
    "<script>alert(1)</script>.csv".replace("/", "∕"),
    "x\r\nSet-Cookie: a=b.csv",
    "x\n2026-11-24 07:30:00,000 CRITICAL forged.csv",
    "\x1b[2J\x1b]0;title\x07.csv",
    "\u202evsc.x\u2028y.csv",
    "=cmd|' C calc'!A0.csv",
    "{{7*7}}${7*7}.csv",
    "[x](javascript:alert(1)).csv",
    "x..\\..\\y.csv",
    "'; DROP TABLE predictions; --.csv",
    "raw\udcff\udcfe.csv",
]
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def hidden(text):
    return [c for c in text if unicodedata.category(c) in HIDDEN]


class Lines(logging.Handler):
    """Every line of the log, as a file of it would hold them."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        self.records = []

    def emit(self, record):
        if record.name.startswith("jobchurn"):
            self.records.append(self.format(record))


@pytest.fixture
def log():
    lines, root = Lines(), logging.getLogger("jobchurn")
    level = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(lines)
    yield lines.records
    root.removeHandler(lines)
    root.setLevel(level)


@pytest.fixture
def house(store, tmp_path):
    services = open_house(store, tmp_path / "home")
    settings = services.settings.model_copy(update={"settle_seconds": 0.0})
    return dataclasses.replace(services, settings=settings)


def write_raw(house, name, number):
    """A file with the texts in an open cell, in a closed one, and as the name of a column."""
    records = random_records(JOB_CHANGE, 4, seed=number)
    extra = ALL[number * 20 % len(ALL)].replace("\x00", "")
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([*(column.name for column in JOB_CHANGE.columns), extra])
    for place, record in enumerate(records):
        hostile = ALL[(number * 20 + place) % len(ALL)].replace("\x00", "")
        put = {OPEN: ADMITTED[number * 4 + place]} if place % 2 else {CLOSED: hostile}
        cells = (c.write((record | put)[c.name]) for c in JOB_CHANGE.columns)
        writer.writerow([*cells, hostile])
    (house.folders.raw_data / name).write_text(text.getvalue(), newline="")


def test_files_with_hostile_names_heads_and_cells_come_through_and_steer_nothing(
    house, log, capsys
):
    for number, name in enumerate(NAMES):
        write_raw(house, name, number)
    runs = list(ingest.ingest_all(house, trigger="cli"))
    scored = list(score_new(house))
    assert sorted(run.file for run in runs) == sorted(NAMES)
    assert scored
    assert not [line for line in log if hidden(line)]
    # The terminal.
    for run in runs:
        assert hidden(told(run)) == []
    runs_table(runs)
    assert hidden(capsys.readouterr().out.replace("\n", "")) == []
    # Names of files: nothing was written anywhere else.
    folders = (house.folders.good_data, house.folders.bad_data, house.folders.reports)
    assert all(path.parent in folders for f in folders for path in f.rglob("*"))
    assert {path.name for path in house.folders.root.iterdir()} <= {"data", "models", "secrets"}
    with serving(house) as client:
        listed = client.get("/ingestion-runs", params={"limit": 100})
        assert len(listed.json()["runs"]) == len(NAMES)
        assert not [run for run in listed.json()["runs"] if hidden(run["file"])]
        for run in listed.json()["runs"]:
            page = client.get(run["report"])
            assert page.status_code == 200
            assert not [
                text for text in SCRIPTS if text[0] == "<" and len(text) > 20 and text in page.text
            ]
        for dashboard in client.get("/panels").json()["dashboards"]:
            told_of = client.get(f"/panels/{dashboard['name']}").json()
            cells = [cell for panel in told_of["panels"] for row in panel["rows"] for cell in row]
            assert not [cell for cell in cells if isinstance(cell, str) and hidden(cell)]


def test_what_is_sent_to_the_api_is_answered_as_data_and_stands_in_no_head_and_no_log(house, log):
    with serving(house) as client:
        for payload in ALL:
            answers = asked_with(client, payload)
            for answer in answers:
                assert answer.status_code < 500, (payload, answer.text)
                kind = answer.headers["content-type"]
                assert kind in ("application/json", "application/problem+json"), payload
                assert answer.headers["x-content-type-options"] == "nosniff"
                if kind == "application/problem+json":
                    assert answer.content.isascii()
                for name, value in answer.headers.items():
                    assert name in KNOWN_HEADERS, (payload, name)
                    assert hidden(value) == [], payload
                    assert "evil.test" not in value
    assert not [line for line in log if hidden(line)]


KNOWN_HEADERS = {
    "allow",
    "cache-control",
    "content-length",
    "content-security-policy",
    "content-type",
    "cross-origin-resource-policy",
    "idempotent-replayed",
    "referrer-policy",
    "retry-after",
    "www-authenticate",
    "x-content-type-options",
    "x-frame-options",
    "x-request-id",
}


def asked_with(client, payload):
    """The answers to requests that hold the text in path, query, head and body."""
    quoted = quote(payload, safe="", errors="surrogatepass")
    headed = payload.encode("utf-8", "replace").translate(None, b"\r\n\x00") or b"x"
    yield client.get(f"/nowhere/{quoted}")
    yield client.get(f"/reports/x{quoted}")
    yield client.get(f"/past-predictions?start={quoted}")
    yield client.get(f"/past-predictions?{quoted}=1")
    yield client.get(f"/panels/service?var-{quoted}={quoted}")
    yield client.post(
        "/explain", json={"records": [RECORD | {CLOSED: payload, OPEN: payload, payload: payload}]}
    )
    yield client.post("/predict", json={"records": [], "source": payload})
    yield client.post("/predict", json={"records": []}, headers={b"Idempotency-Key": headed})
    yield client.get("/model", headers={b"X-Forwarded-For": headed, b"User-Agent": headed})
    yield client.post("/links", json={"path": payload})


def test_stored_texts_come_out_as_they_were_and_as_formulas_in_no_file(house):
    with serving(house) as client:
        records = [RECORD | {OPEN: text} for text in ADMITTED]
        assert client.post("/predict", json={"records": records}).status_code == 200
        rows = client.get("/past-predictions", params={"limit": 1_000}).json()["rows"]
        assert {row["features"][OPEN] for row in rows} == set(ADMITTED)
        answer = client.get("/past-predictions", params={"format": "csv"})
        assert answer.headers["content-type"].startswith("text/csv")
        assert answer.headers["content-disposition"].startswith("attachment;")
        table = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert len(table) == len(ADMITTED)
    for row in table:
        for cell in row.values():
            formula = cell[:1] in "=+-@＝＋－＠\t\r\n" and not is_number(cell)
            assert not formula or not cell, cell
    assert {row[OPEN] for row in table} == {
        f"'{text}" if text[0] in "=+-@＝＋－＠" else text for text in ADMITTED
    }


def is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def test_a_log_that_holds_a_text_as_it_came_is_noticed(log):
    logging.getLogger("jobchurn.flow").warning("%s waits", NAMES[2])
    assert [line for line in log if hidden(line)]


def test_there_is_enough_that_the_contract_admits():
    assert len(ADMITTED) > 150
