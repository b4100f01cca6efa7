"""Many records at once over HTTP: the same answers and rows, in whatever form they come."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api_house import RECORD, open_house, serving
from bulk_bodies import BODIES, as_arrow, as_csv, as_json, as_ndjson, ask, send, stream_of
from jobchurn.api.body import JSON, LARGE
from jobchurn.api.bulk import objects
from jobchurn.api.bulk.forms import ARROW, CSV, FORMS, NDJSON
from jobchurn.api.routes import predictions as route
from jobchurn.contract import JOB_CHANGE
from jobchurn.flow import bulk
from small_model import random_records, small_model

LINEAGE = {"run": "20261124T073000-3f9a2c", "file": "räw\n1.csv", "first_row": 11}
WRONG = RECORD | {"gender": "male", "training_hours": -1}

every_form = pytest.mark.parametrize("form", FORMS)
beside_json = pytest.mark.parametrize("form", [NDJSON, CSV, ARROW])


@pytest.fixture
def house(store, tmp_path):
    return open_house(store, tmp_path)


@pytest.fixture
def client(house, monkeypatch):
    """A client for whom every request is a large one, of many pieces."""
    monkeypatch.setattr(route, "LARGE", 0)
    monkeypatch.setattr(bulk, "PIECE", 7)
    with serving(house) as client:
        yield client


def told_of(answer):
    """An answer without what differs between two equal requests."""
    assert answer.status_code == 200, answer.text
    told = answer.json()
    for prediction in told["predictions"]:
        del prediction["id"]
    return told | {"created_at": None}


def rows_of(database):
    """All that is stored, but for numbers and times."""
    with psycopg.connect(database) as connection:
        cursor = connection.execute("SELECT * FROM predictions ORDER BY id")
        names = [column.name for column in cursor.description]
        return [
            {n: v for n, v in zip(names, row, strict=True) if n not in ("id", "created_at")}
            for row in cursor
        ]


@every_form
def test_the_answer_and_the_rows_are_those_of_a_small_request(client, database, monkeypatch, form):
    records = random_records(JOB_CHANGE, 50)
    monkeypatch.setattr(route, "LARGE", LARGE)
    expected = client.post("/predict", json={"records": records})
    monkeypatch.setattr(route, "LARGE", 0)
    before = rows_of(database)
    answer = ask(client, form, records)
    assert told_of(answer) == told_of(expected)
    assert rows_of(database)[50:] == before
    found = answer.json()
    past = client.get("/past-predictions", params={"limit": 50}).json()["rows"][::-1]
    assert [row["id"] for row in past] == [p["id"] for p in found["predictions"]]
    assert [row["features"] for row in past] == found["features"]
    assert {row["created_at"] for row in past} == {found["created_at"].replace("Z", "+00:00")}


@pytest.mark.parametrize("form", [JSON, NDJSON])
def test_plain_records_are_never_made_dictionaries(client, monkeypatch, form):
    monkeypatch.setattr(objects, "submitted", None)
    assert ask(client, form, random_records(JOB_CHANGE, 20)).status_code == 200


words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=9)


def values_of(column):
    """Canonical values of a column."""
    if column.max_length:
        return words
    ends = [column.minimum, column.maximum] if column.is_numeric else column.levels
    known = [column.accept(value) for value in (*column.examples, *ends) if column.admits(value)]
    return st.sampled_from(known if column.required else [*known, None])


@given(
    records=st.lists(
        st.fixed_dictionaries({column.name: values_of(column) for column in JOB_CHANGE.columns}),
        max_size=20,
    ),
    coded=st.booleans(),
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_same_records_are_the_same_in_every_form(client, database, records, coded):
    bodies = {
        **{form: as_one(records) for form, as_one in BODIES.items()},
        ARROW: as_arrow(records, coded=coded),
    }
    start = len(rows_of(database))
    answers = [told_of(send(client, form, body)) for form, body in bodies.items()]
    assert all(answer == answers[0] for answer in answers)
    rows = rows_of(database)[start:]
    count = len(records)
    assert len(rows) == 4 * count
    assert all(rows[n * count : (n + 1) * count] == rows[:count] for n in range(4))


@every_form
def test_one_refused_record_refuses_all_and_nothing_is_stored(client, store, form):
    answer = ask(client, form, [RECORD, WRONG, RECORD], key="k")
    assert answer.status_code == 422
    problem = answer.json()
    found = [(e["record"], e["field"], e["rule"], e["nearest"]) for e in problem["errors"]]
    assert found == [(2, "gender", "domain", "Male"), (2, "training_hours", "range", None)]
    assert "partial" in problem["cure"]
    assert store.predictions.count() == 0
    # Nor is the key used up.
    assert ask(client, form, [RECORD], key="k").status_code == 200


@every_form
def test_a_partial_request_predicts_the_good_records_and_lists_the_refused(client, store, form):
    records = [WRONG, RECORD, WRONG | {"city": None}, RECORD | {"city": "x"}]
    answer = ask(client, form, records, partial=True)
    told = answer.json()
    assert [p["record"] for p in told["predictions"]] == [2, 4]
    assert [f["city"] for f in told["features"]] == [RECORD["city"], "x"]
    assert [(r["record"], len(r["errors"])) for r in told["refused"]] == [(1, 2), (3, 3)]
    assert store.predictions.count() == 2
    positions = [row["position"] for row in rows_of_store(store)]
    assert positions == [1, 3]


def rows_of_store(store):
    return rows_of(store._engine.url.render_as_string(hide_password=False).replace("+psycopg", ""))


@every_form
def test_a_partial_request_without_a_good_record_stores_nothing(client, store, form):
    told = ask(client, form, [WRONG], partial=True).json()
    assert (told["n"], told["created_at"], len(told["refused"])) == (0, None, 1)
    assert store.predictions.count() == 0


@every_form
def test_no_records_are_answered_with_none(client, store, form):
    first = ask(client, form, [], key="k")
    assert first.json()["predictions"] == first.json()["features"] == []
    assert ask(client, form, [], key="k").json() == first.json()
    assert store.predictions.count() == 0


@every_form
def test_where_records_come_from_is_kept(client, store, form):
    ask(client, form, [RECORD, WRONG, RECORD], partial=True, source="scheduled", lineage=LINEAGE)
    rows, _ = store.predictions.page()
    assert [(r.source, r.run_id, r.file_name, r.row_number) for r in rows] == [
        ("scheduled", LINEAGE["run"], LINEAGE["file"], 13),
        ("scheduled", LINEAGE["run"], LINEAGE["file"], 11),
    ]


def test_a_repeat_in_another_form_gets_the_first_answer(client, store, house):
    records = random_records(JOB_CHANGE, 20)
    first = ask(client, CSV, records, key="k")
    other = small_model(JOB_CHANGE, seed=1)
    house.registry.add(other)
    house.registry.promote(other.version)
    client.app.state.door.champion.look()
    for form in FORMS:
        again = ask(client, form, records, key="k")
        assert again.json() == first.json()
        assert again.headers["idempotent-replayed"] == "true"
    assert store.predictions.count() == 20


@pytest.mark.parametrize("large_first", [False, True])
def test_small_and_large_requests_share_their_keys(client, store, monkeypatch, large_first):
    records = random_records(JOB_CHANGE, 20)
    answers = []
    for is_large in (large_first, not large_first):
        monkeypatch.setattr(route, "LARGE", 0 if is_large else LARGE)
        answers.append(ask(client, JSON, records, key="k"))
    assert answers[1].json() == answers[0].json()
    assert answers[1].headers["idempotent-replayed"] == "true"
    assert store.predictions.count() == 20


@every_form
def test_a_key_that_was_used_for_other_records_is_refused(client, store, form):
    records = random_records(JOB_CHANGE, 5)
    assert ask(client, form, records, key="k").status_code == 200
    for other in (records[:4], records[::-1], [*records[:4], records[4] | {"city": "x"}]):
        answer = ask(client, form, other, key="k")
        assert answer.status_code == 422
        assert answer.json()["type"] == "urn:jobchurn:problem:idempotency-conflict"
    assert store.predictions.count() == 5


def test_one_key_sent_by_eight_at_once_is_stored_once(client, store):
    together = threading.Barrier(8)
    records = random_records(JOB_CHANGE, 40)

    def one(number):
        together.wait()
        return ask(client, FORMS[number % 4], records, key="k")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8
    assert len({answer.text for answer in answers}) == 1
    assert store.predictions.count() == 40


def test_a_request_that_cannot_be_stored_leaves_nothing(client, store, database):
    records = random_records(JOB_CHANGE, 40)
    with psycopg.connect(database, autocommit=True) as connection:
        # The last piece is refused by the database: those before it go with it.
        connection.execute("ALTER TABLE predictions ADD CONSTRAINT few CHECK (position < 38)")
        assert ask(client, ARROW, records, key="k").status_code == 500
        assert store.predictions.count() == 0
        connection.execute("ALTER TABLE predictions DROP CONSTRAINT few")
    assert ask(client, ARROW, records, key="k").status_code == 200
    assert store.predictions.count() == 40


@pytest.mark.parametrize(
    ("wishes", "field"),
    [
        ({"source": "nobody"}, "source"),
        ({"partial": "yes"}, "partial"),
        ({"partial": ""}, "partial"),
        ({"run": "r"}, "file"),
        ({**LINEAGE, "first_row": "0"}, "first_row"),
        ({**LINEAGE, "first_row": "x"}, "first_row"),
        ({**LINEAGE, "run": "no run!"}, "run"),
        ({"nonsense": "1"}, "nonsense"),
    ],
)
@beside_json
def test_a_wish_that_cannot_be_is_refused(client, store, form, wishes, field):
    answer = send(client, form, BODIES[form]([RECORD]), **wishes)
    assert answer.status_code == 422
    assert field in {error["field"] for error in answer.json()["errors"]}
    assert store.predictions.count() == 0


def test_a_wish_that_stands_twice_is_refused(client):
    answer = client.post(
        "/predict?partial=true&partial=false",
        content=as_csv([RECORD]),
        headers={"Content-Type": CSV},
    )
    assert answer.status_code == 422


@pytest.mark.parametrize("large", [0, LARGE])
def test_a_json_body_has_no_wishes_in_the_query(client, monkeypatch, large):
    monkeypatch.setattr(route, "LARGE", large)
    answer = send(client, JSON, as_json([RECORD]), partial="true")
    assert answer.status_code == 422
    assert "in the body" in answer.json()["cure"]


@pytest.mark.parametrize(
    ("head", "field", "rule"),
    [
        ("enrollee_id,citty", "citty", "unknown field"),
        ("city,gender", "training_hours", "required"),
    ],
)
def test_a_table_of_other_columns_is_refused_as_a_whole(client, head, field, rule):
    names = head.split(",")
    table = pa.table({name: pa.array([], pa.string()) for name in names})
    for form, body in ((CSV, f"{head}\n".encode()), (ARROW, stream_of(table))):
        if form == CSV and "city" not in names:
            continue  # no required column at all: then it is no header
        answer = send(client, form, body, partial="true")
        assert answer.status_code == 422
        assert (field, rule) in {(e["field"], e["rule"]) for e in answer.json()["errors"]}


def test_columns_of_a_table_may_stand_in_any_order_and_optional_ones_be_absent(client):
    names = [column.name for column in JOB_CHANGE.inputs if column.required][::-1]
    record = {name: RECORD[name] for name in names}
    text = ",".join(names) + "\n" + ",".join(str(value) for value in record.values()) + "\n"
    expected = told_of(ask(client, NDJSON, [record]))
    assert told_of(send(client, CSV, text.encode())) == expected
    table = pa.table({name: [value] for name, value in record.items()})
    assert told_of(send(client, ARROW, stream_of(table))) == expected


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        (b"1,2", "too few cells"),
        (b'a"b,c', "stray quote"),
        (b"\xff" + b"," * 13, "encoding"),
        (b"\x00" + b"," * 13, "nul"),
    ],
)
def test_a_broken_line_of_csv_is_a_refused_record(client, broken, rule):
    head, line, _ = as_csv([RECORD]).split(b"\n")
    body = b"\n".join([head, line, broken, line, b""])
    answer = send(client, CSV, body)
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert (error["record"], error["rule"]) == (2, rule)
    told = send(client, CSV, body, partial="true").json()
    assert [p["record"] for p in told["predictions"]] == [1, 3]


@pytest.mark.parametrize("broken", [b"{", b"nonsense", b'{"a": 1, "a": 2}', b"[" * 40 + b"]" * 40])
def test_a_broken_line_of_ndjson_is_a_refused_record(client, broken):
    line = json.dumps(RECORD).encode()
    body = b"\n".join([line, b"  ", broken, line + b"\r", b""])
    answer = send(client, NDJSON, body)
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert (error["record"], error["rule"]) == (2, "json")
    told = send(client, NDJSON, body, partial="true").json()
    assert [p["record"] for p in told["predictions"]] == [1, 3]


def test_lines_that_are_no_objects_are_refused_records(client):
    told = send(client, NDJSON, b'1\n"x"\nnull\n[]\n{}\n', partial="true").json()
    assert [refusal["record"] for refusal in told["refused"]] == [1, 2, 3, 4, 5]


@every_form
def test_more_records_than_are_taken_are_refused(house, store, tmp_path, form):
    house.settings.__dict__["max_records"] = 3
    with serving(house) as client:
        assert ask(client, form, [RECORD] * 3).status_code == 200
        answer = ask(client, form, [RECORD] * 4)
    assert answer.status_code == 413
    assert answer.json()["limit"] == 3
    assert store.predictions.count() == 3


@every_form
def test_a_larger_body_than_is_taken_is_refused(house, form):
    house.settings.__dict__["max_body_bytes"] = 20_000
    with serving(house) as client:
        answer = ask(client, form, random_records(JOB_CHANGE, 1_000))
    assert answer.status_code == 413
    assert answer.json()["limit"] == 20_000


def test_a_body_of_another_type_is_told_which_there_are(client):
    answer = client.post("/predict", content=b"x", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415
    assert all(form in answer.json()["cure"] for form in FORMS)
    answer = client.post("/explain", content=b"x", headers={"Content-Type": CSV})
    assert answer.status_code == 415


def test_lines_may_end_in_both_ways_and_the_last_one_need_not(client):
    records = random_records(JOB_CHANGE, 3)
    expected = told_of(ask(client, NDJSON, records))
    for form, body in ((NDJSON, as_ndjson(records)), (CSV, as_csv(records))):
        assert told_of(send(client, form, body.replace(b"\n", b"\r\n"))) == expected
        assert told_of(send(client, form, body.removesuffix(b"\n"))) == expected
