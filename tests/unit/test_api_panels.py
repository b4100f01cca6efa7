"""Dashboards over HTTP, with a database that answers as the tests say."""

import threading
import time
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from jobchurn.api import create_app, dashboards, door
from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import DatabaseUnreachable, QueryRefused, ReaderMissing
from jobchurn.files import Folders
from jobchurn.flow.services import Services
from jobchurn.panels import (
    Annotation,
    Colour,
    Dashboard,
    Panel,
    PanelKind,
    State,
    Threshold,
    Unit,
    Variable,
)
from jobchurn.policy import DecisionPolicy
from jobchurn.settings import Settings
from jobchurn.store import Frame

SLOW = DatabaseUnreachable("The database did not answer in time.", "Try again.")
MISSING = ReaderMissing("There is no role that can only read.", "Run CREATE ROLE.")

DOOR = Variable(
    name="door", label="Door", options=("web", "batch"), several=True, words={"web": "Web app"}
)
SIGHT = Variable(name="sight", label="Sight", sql="SELECT sights")

NUMBERS = Dashboard(
    name="numbers",
    title="Numbers",
    description="How many there are.",
    hours=3,
    refresh_seconds=10,
    variables=(DOOR, SIGHT),
    annotations=(Annotation(name="Promoted", sql="SELECT moments"),),
    panels=(
        Panel(
            id=1,
            kind=PanelKind.STAT,
            title="One",
            description="The first.",
            sql="SELECT one WHERE $__timeFilter(at) AND door IN (${door:sqlstring})",
            unit=Unit.SHARE,
            thresholds=(Threshold(None, Colour.GOOD), Threshold(0.5, Colour.BAD)),
            lowest=0.0,
        ),
        Panel(
            id=4,
            kind=PanelKind.TIMELINE,
            title="Four",
            description="The fourth.",
            sql="SELECT four WHERE sight IN (${sight:sqlstring})",
            states=(State(1, "well", Colour.GOOD),),
            links={"report": "/reports/{cell}"},
            units={"seconds": Unit.SECONDS},
        ),
    ),
)
PLAIN = Dashboard(
    name="plain",
    title="Plain",
    description="Has no choices.",
    panels=(Panel(id=1, kind=PanelKind.TABLE, title="All", description="All.", sql="SELECT all_"),),
)


class Asked:
    """Stands in for the database: answers by the query's first words, and remembers them."""

    def __init__(self):
        self.queries = []
        self.answers = {
            "SELECT sights": Frame(("sight",), [("far",), ("it's near",), (None,)], more=False),
            "SELECT moments": Frame(("time", "text"), [(1_767_322_800, "lgbm-2")], more=False),
        }

    def read(self, sql, *, seconds, rows):
        self.queries.append((sql, seconds, rows))
        answer = self.answers.get(" ".join(sql.split()[:2]), Frame(("value",), [], more=False))
        if callable(answer):
            answer = answer()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def asked(self, start):
        return [sql for sql, *_ in self.queries if sql.startswith(start)]


@pytest.fixture
def asked():
    return Asked()


@pytest.fixture
def client(asked, tmp_path, monkeypatch):
    monkeypatch.setattr(door, "dashboards_of", lambda _: (NUMBERS, PLAIN))
    folders = Folders(tmp_path)
    folders.make()
    services = Services(
        settings=Settings(jobchurn_home=tmp_path),
        contract=JOB_CHANGE,
        folders=folders,
        store=SimpleNamespace(
            panels=asked,
            predictions=SimpleNamespace(gathered=None),
            request_log=SimpleNamespace(write=lambda _: None),
            api_keys=SimpleNamespace(alive=list),
            missing=list,
        ),
        registry=SimpleNamespace(champion=lambda: SimpleNamespace(version="lgbm-1")),
        policy=DecisionPolicy(2),
    )
    with TestClient(
        create_app(services), base_url="http://127.0.0.1", raise_server_exceptions=False
    ) as client:
        yield client


def refused(answer, status=422):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()


def test_the_dashboards_are_listed(client):
    assert client.get("/panels").json() == {
        "dashboards": [
            {"name": "numbers", "title": "Numbers", "description": "How many there are."},
            {"name": "plain", "title": "Plain", "description": "Has no choices."},
        ]
    }


def test_a_dashboard_is_answered_whole(client, asked):
    asked.answers["SELECT one"] = Frame(("value",), [(Decimal("0.25"),)], more=False)
    asked.answers["SELECT four"] = Frame(
        ("time", "metric", "value"),
        [
            (1_767_322_800.0, "a", float("nan")),
            (datetime(2026, 1, 2, 3, tzinfo=UTC), "b", float("inf")),
        ],
        more=True,
    )
    told = client.get("/panels/numbers?from=2026-01-02T00:00:00Z&to=2026-01-02T06:00:00Z").json()
    assert told == {
        "dashboard": {
            "name": "numbers",
            "title": "Numbers",
            "description": "How many there are.",
            "hours": 3,
            "refresh_seconds": 10,
        },
        "from": "2026-01-02T00:00:00+00:00",
        "to": "2026-01-02T06:00:00+00:00",
        "interval_seconds": 120,
        "variables": [
            {
                "name": "door",
                "label": "Door",
                "several": True,
                "options": [
                    {"value": "web", "text": "Web app"},
                    {"value": "batch", "text": "batch"},
                ],
                "chosen": ["web", "batch"],
            },
            {
                "name": "sight",
                "label": "Sight",
                "several": False,
                "options": [
                    {"value": "far", "text": "far"},
                    {"value": "it's near", "text": "it's near"},
                ],
                "chosen": ["far"],
            },
        ],
        "annotations": [
            {"time": "2026-01-02T03:00:00+00:00", "name": "Promoted", "text": "lgbm-2"}
        ],
        "panels": [
            {
                "id": 1,
                "kind": "stat",
                "title": "One",
                "description": "The first.",
                "unit": "percentunit",
                "units": {},
                "thresholds": [{"at": None, "colour": "good"}, {"at": 0.5, "colour": "bad"}],
                "states": [],
                "links": {},
                "lowest": 0.0,
                "highest": None,
                "width": 12,
                "height": 8,
                "empty": "Nothing happened in this time range: choose a longer one.",
                "columns": ["value"],
                "rows": [[0.25]],
                "more": False,
                "error": None,
            },
            {
                "id": 4,
                "kind": "timeline",
                "title": "Four",
                "description": "The fourth.",
                "unit": "none",
                "units": {"seconds": "s"},
                "thresholds": [],
                "states": [{"value": 1, "word": "well", "colour": "good"}],
                "links": {"report": "/reports/{cell}"},
                "lowest": None,
                "highest": None,
                "width": 12,
                "height": 8,
                "empty": "Nothing happened in this time range: choose a longer one.",
                "columns": ["time", "metric", "value"],
                "rows": [
                    ["2026-01-02T03:00:00+00:00", "a", None],
                    ["2026-01-02T03:00:00+00:00", "b", None],
                ],
                "more": True,
                "error": None,
            },
        ],
    }


def test_queries_are_expanded_with_what_is_chosen(client, asked):
    client.get(
        "/panels/numbers",
        params={
            "from": "2026-01-02T00:00:00Z",
            "to": "2026-01-02T06:00:00Z",
            "var-door": "batch",
            "var-sight": "it's near",
        },
    )
    [one] = asked.asked("SELECT one")
    assert one == (
        "SELECT one WHERE at BETWEEN '2026-01-02T00:00:00Z' AND '2026-01-02T06:00:00Z'"
        " AND door IN ('batch')"
    )
    [four] = asked.asked("SELECT four")
    assert four == "SELECT four WHERE sight IN ('it''s near')"


def test_a_dashboard_is_its_latest_hours_by_default(client):
    told = client.get("/panels/numbers").json()
    start, end = (datetime.fromisoformat(told[name]) for name in ("from", "to"))
    assert (end - start).total_seconds() == 3 * 3600
    assert abs((datetime.now(UTC) - end).total_seconds()) < 60


def test_only_wanted_panels_are_asked(client, asked):
    told = client.get("/panels/numbers?panel=4&panel=4").json()
    assert [panel["id"] for panel in told["panels"]] == [4]
    assert not asked.asked("SELECT one")


def test_the_head_of_a_dashboard_can_be_had_alone(client):
    head = client.head("/panels/plain")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["cache-control"] == "no-store"


def test_several_values_are_chosen_in_the_order_on_offer(client):
    told = client.get("/panels/numbers?var-door=batch&var-door=web&var-door=batch").json()
    assert told["variables"][0]["chosen"] == ["web", "batch"]


HOSTILE = [
    "x'; DROP TABLE predictions; --",
    "web\x00",
    "web') OR ('1'='1",
    "",
    "${door}",
    "x" * 9000,
]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("name", ["var-door", "var-sight"])
def test_a_value_that_is_not_on_offer_never_reaches_a_query(client, asked, name, value):
    problem = refused(client.get("/panels/numbers", params={name: value}))
    fault = problem["errors"][-1]
    assert fault["field"] == name
    assert fault["allowed"] in ("web, batch", "far, it's near")
    assert not asked.asked("SELECT one")
    assert all("DROP" not in sql for sql, *_ in asked.queries)


def test_what_was_likely_meant_is_said(client):
    [fault] = refused(client.get("/panels/numbers?var-door=bach"))["errors"]
    assert fault["nearest"] == "batch"
    assert "did you mean batch?" in fault["message"]


def test_a_variable_of_one_value_takes_no_second(client):
    answer = client.get("/panels/numbers", params={"var-sight": ["far", "it's near"]})
    assert "only one value" in refused(answer)["detail"]


@pytest.mark.parametrize(
    ("query", "field", "nearest"),
    [
        ("form=now-1h", "form", "from"),
        ("var-dor=web", "var-dor", "var-door"),
        ("door=web", "door", "var-door"),
        ("var-=web", "var-", None),
        ("%00=1", "'\\x00'", None),
        ("start=now-1h", "start", None),
        ("Panel=1", "Panel", "panel"),
    ],
)
def test_a_parameter_that_there_is_not_is_refused(client, asked, query, field, nearest):
    [fault] = refused(client.get(f"/panels/numbers?{query}"))["errors"]
    assert fault["field"] == field
    assert nearest is None or fault["nearest"] == nearest
    assert "var-sight" in fault["allowed"]
    assert not asked.queries


def test_a_variable_of_another_dashboard_is_refused(client):
    refused(client.get("/panels/plain?var-door=web"))


@pytest.mark.parametrize(
    "query",
    [
        "panel=2",
        "panel=0",
        "panel=-1",
        "panel=x",
        "panel=",
        "panel=1.5",
        "panel=" + "9" * 300,
        "panel=%00",
        "panel=1&panel=2",
        "&".join(["panel=1"] * 5_000),
        "&".join(f"panel={number}" for number in range(5_000)),
        "&".join(f"x{number}=1" for number in range(5_000)),
        "from=now&to=now-1h",
        "from=now-401d",
        "from=1970-01-01T00:00:00Z&to=2100-01-01T00:00:00Z",
        "from=now-99999999999999d",
        "from=%00",
        "from=" + "9" * 5_000,
        "from='; DROP TABLE predictions; --",
        "to=2026-01-01",
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_asked(client, asked, query):
    problem = refused(client.get(f"/panels/numbers?{query}"))
    assert problem["cure"]
    assert len(problem.get("errors") or []) <= 100
    assert not asked.queries


@pytest.mark.parametrize(
    "name", ["nothing", "Numbers", "numbers%00", "..%2fnumbers", "numbers'--", "x" * 5_000]
)
def test_a_dashboard_that_there_is_not_is_not_found(client, name):
    assert refused(client.get(f"/panels/{name}"), 404)["cure"]


def test_a_panel_that_fails_says_so_and_the_others_are_answered(client, asked):
    asked.answers["SELECT one"] = SLOW
    asked.answers["SELECT four"] = Frame(("value",), [(4,)], more=False)
    one, four = client.get("/panels/numbers").json()["panels"]
    assert one["error"] == "The database did not answer in time. Try again."
    assert (one["columns"], one["rows"], one["title"]) == ([], [], "One")
    assert (four["error"], four["rows"]) == (None, [[4]])


@pytest.mark.parametrize("trouble", [SLOW, MISSING])
def test_a_database_that_answers_no_panel_is_a_problem(client, asked, trouble):
    asked.answers |= {"SELECT one": trouble, "SELECT four": trouble}
    answer = client.get("/panels/numbers")
    problem = refused(answer, 503)
    assert (problem["detail"], problem["cure"]) == (trouble.message, trouble.cure)
    assert "retry-after" in answer.headers


def test_a_database_that_says_not_what_is_on_offer_is_a_problem(client, asked):
    asked.answers["SELECT sights"] = MISSING
    assert refused(client.get("/panels/numbers"), 503)["detail"] == MISSING.message
    assert client.get("/panels/plain").status_code == 200


def test_queries_that_the_database_refuses_are_no_reason_to_come_back(client, asked):
    refusal = QueryRefused("The database refuses the query: no.", "Tell somebody.")
    asked.answers |= {"SELECT one": refusal, "SELECT four": refusal}
    answer = client.get("/panels/numbers")
    assert answer.status_code == 200
    assert {panel["error"] for panel in answer.json()["panels"]} == {str(refusal)}


def test_a_fault_of_ours_in_a_panel_tells_nothing_of_the_inside(client, asked, caplog):
    asked.answers["SELECT one"] = ZeroDivisionError("the secret of the inside")
    answer = client.get("/panels/numbers")
    one, four = answer.json()["panels"]
    assert "secret" not in one["error"]
    assert answer.headers["x-request-id"] in one["error"]
    assert answer.headers["x-request-id"] in caplog.text
    assert "the secret of the inside" in caplog.text
    assert four["error"] is None


def test_marks_that_cannot_be_asked_leave_the_panels_alone(client, asked, caplog):
    asked.answers["SELECT moments"] = SLOW
    told = client.get("/panels/numbers").json()
    assert told["annotations"] == []
    assert [panel["error"] for panel in told["panels"]] == [None, None]
    assert "Promoted" in caplog.text


def test_a_variable_with_nothing_on_offer_leaves_its_panels_empty(client, asked):
    asked.answers["SELECT sights"] = Frame(("sight",), [], more=False)
    told = client.get("/panels/numbers").json()
    assert (told["variables"][1]["options"], told["variables"][1]["chosen"]) == ([], [])
    assert told["panels"][1]["error"] is None
    assert not asked.asked("SELECT four")
    assert asked.asked("SELECT one")
    assert "nothing yet" in refused(client.get("/panels/numbers?var-sight=far"))["detail"]


def test_each_query_has_its_time_and_all_have_theirs(client, asked, monkeypatch):
    assert client.get("/panels/numbers").status_code == 200
    assert {seconds for _, seconds, _ in asked.queries} == {dashboards.QUERY_SECONDS}
    monkeypatch.setattr(dashboards, "DASHBOARD_SECONDS", 0.3)
    asked.queries.clear()
    asked.answers["SELECT one"] = lambda: time.sleep(0.35) or Frame(("value",), [(1,)], more=False)
    one, four = client.get("/panels/numbers").json()["panels"]
    assert (one["error"], one["rows"]) == (None, [[1]])
    assert "all the time" in four["error"]
    assert all(seconds <= 0.3 for _, seconds, _ in asked.queries)
    assert not asked.asked("SELECT four")


def test_few_queries_are_asked_at_once_however_many_look(client, asked):
    lock, now, most = threading.Lock(), [0], [0]

    def count():
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.02)
        with lock:
            now[0] -= 1
        return Frame(("value",), [], more=False)

    asked.answers["SELECT all_"] = count
    looking = [threading.Thread(target=client.get, args=("/panels/plain",)) for _ in range(12)]
    for thread in looking:
        thread.start()
    for thread in looking:
        thread.join()
    assert len(asked.asked("SELECT all_")) == 12
    assert most[0] == 2


parameters = st.lists(
    st.tuples(
        st.sampled_from(["from", "to", "panel", "var-door", "var-sight", "x"]) | st.text(),
        st.sampled_from(["now", "now-1h", "1", "4", "web", "far", "it's near"]) | st.text(),
    ),
    max_size=5,
)


@given(parameters)
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_asked_is_answered_or_refused(client, parameters):
    assert client.get("/panels/numbers", params=parameters).status_code in (200, 422)
