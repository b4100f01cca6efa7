"""The web app's HTTP: what it sends, and the API's troubles in a person's words."""

import json
from datetime import date
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from client import ATTEMPTS, Client, problem_of
from fake_api import CITIES, VERSION, FakeApi, example_record, example_runs, problem
from jobchurn.contract import JOB_CHANGE
from problems import Problem


@pytest.fixture
def api():
    with FakeApi() as api:
        yield api


@pytest.fixture
def client(api):
    return Client(api.address, "https://public.example/", pause=0.001)


def test_the_model_tells_its_threshold_contract_and_known_texts(client):
    model = client.model()
    assert model.version == VERSION
    assert model.threshold == pytest.approx(1 / 3)
    assert model.contract == JOB_CHANGE.fingerprint
    assert list(model.levels["city"]) == CITIES


def test_a_prediction_is_sent_under_its_key_and_as_the_web_apps(client, api):
    answer = client.predict([example_record()], key="k-1")
    [request] = api.asked("/predict")
    assert request.key == "k-1"
    assert request.body["source"] == "webapp"
    assert answer.model_version == VERSION
    assert 0 <= answer.predictions[0]["probability"] <= 1
    assert not answer.replayed


def test_the_same_key_gets_the_first_answer_again_and_stores_nothing_new(client, api):
    first = client.predict([example_record()], key="k-1")
    second = client.predict([example_record()], key="k-1")
    assert second.predictions == first.predictions
    assert second.replayed
    assert len(api.rows) == 1


def test_a_partial_request_lists_what_was_refused(client):
    answer = client.predict(
        [example_record(), example_record() | {"gender": "?"}], key="k", partial=True
    )
    assert len(answer.predictions) == 1
    assert answer.refused[0]["record"] == 2


def test_explanations_come_one_for_each_record_and_store_nothing(client, api):
    [explanation] = client.explain([example_record()])
    assert set(explanation["contributions"]) == {c.name for c in JOB_CHANGE.features}
    assert api.rows == []


def test_pages_of_past_predictions_follow_each_other_without_gaps(client, api):
    for position in range(5):
        api.keep(example_record(position), "scheduled")
    seen, cursor = [], None
    while True:
        page = client.past_predictions(None, None, "all", limit=2, cursor=cursor)
        seen += [row["id"] for row in page.rows]
        cursor = page.next
        if cursor is None:
            break
    assert seen == [5, 4, 3, 2, 1]


def test_days_and_source_are_asked_for_only_where_they_are_given(client, api):
    client.past_predictions(date(2026, 1, 2), None, "webapp", limit=10)
    [request] = api.asked("/past-predictions")
    assert request.parameters == {"start": "2026-01-02", "source": "webapp", "limit": "10"}


def test_links_lead_to_the_public_address(client):
    url = urlsplit(client.export_address(date(2026, 1, 2), date(2026, 1, 3), "scheduled"))
    assert url.netloc == "public.example"
    assert url.path == "/past-predictions"
    assert parse_qs(url.query) == {
        "start": ["2026-01-02"],
        "end": ["2026-01-03"],
        "source": ["scheduled"],
        "format": ["csv"],
    }
    assert client.link("/reports/a b.html") == "https://public.example/reports/a%20b.html"


def test_ingestion_runs_come_as_the_api_lists_them(client, api):
    api.runs = example_runs(api.now)
    assert [run["file"] for run in client.ingestion_runs(2)] == ["raw_000.csv", "raw_001.csv"]


def test_an_api_that_is_away_is_named_with_the_cure():
    with FakeApi() as gone:
        address = gone.address
    with pytest.raises(Problem) as caught:
        Client(address, pause=0.001).model()
    assert address in caught.value.sentence
    assert "does not answer" in caught.value.sentence
    assert "jobchurn up" in caught.value.cure


def test_an_api_that_is_too_slow_is_said_to_be():
    asked = []

    def slow(request):
        asked.append(request)
        raise httpx.ReadTimeout("too slow", request=request)

    client = Client("http://slow.invalid", pause=0.001, transport=httpx.MockTransport(slow))
    with pytest.raises(Problem, match="did not answer in time"):
        client.model()
    assert len(asked) == 1  # nobody waits three times as long as an answer may take


def test_a_passing_trouble_is_asked_again(api):
    answers = iter([503, 429, 200])

    def passing(request):
        status = next(answers)
        return httpx.Response(status, json=api.model(), headers={"Retry-After": "0"})

    client = Client("http://api.invalid", pause=0.001, transport=httpx.MockTransport(passing))
    assert client.model().version == VERSION


def test_a_lasting_trouble_is_told_after_the_last_attempt(client, api):
    cure = "Train one: `jobchurn train`."
    api.trouble = (503, problem("No model is in charge yet.", cure=cure))
    with pytest.raises(Problem) as caught:
        client.model()
    assert (caught.value.sentence, caught.value.cure) == ("No model is in charge yet.", cure)
    assert len(api.requests) == ATTEMPTS


@pytest.mark.parametrize(
    ("status", "key", "said"),
    [
        (401, "", "asks for a key, and this web app has none"),
        (401, "jc_old", "no longer knows, this web app's key"),
        (403, "jc_narrow", "does not allow this web app"),
    ],
)
def test_who_has_no_right_is_told_who_can_mend_it_and_how(api, status, key, said):
    api.trouble = (status, problem("The request carries no key.", cure="Send `Authorization`."))
    with pytest.raises(Problem, match=said) as caught:
        Client(api.address, api_key=key).model()
    assert "jobchurn keys create" in caught.value.cure
    assert "`API_KEY`" in caught.value.cure
    assert "Authorization" not in caught.value.cure
    assert caught.value.details == ("The request carries no key.",)
    assert len(api.requests) == 1


def test_a_refusal_is_not_asked_again_and_names_field_and_repair(client, api):
    with pytest.raises(Problem) as caught:
        client.predict([example_record() | {"gender": "female"}], key="k")
    [line] = caught.value.details
    assert line.startswith("gender is 'female': not a known value; allowed: Male, Female, Other")
    assert line.endswith("did you mean 'Female'?")
    assert len(api.asked("/predict")) == 1


@pytest.mark.parametrize(
    ("status", "body", "sentence", "cure"),
    [
        (500, "<html>oops</html>", "answered 500 (Internal Server Error)", "jobchurn logs api"),
        (502, "", "answered 502 (Bad Gateway)", "Try again"),
        (404, '["no object"]', "answered 404 (Not Found)", "Correct what was sent"),
        (599, "", "answered 599 (no standard answer)", "jobchurn logs api"),
    ],
)
def test_an_answer_that_is_no_problem_document_is_worded_all_the_same(status, body, sentence, cure):
    found = problem_of(httpx.Response(status, text=body))
    assert sentence in found.sentence
    assert cure in found.cure


def test_an_answer_that_is_not_the_apis_is_a_problem_and_no_crash():
    def elsewhere(request):
        return httpx.Response(200, text="<html>a proxy's page</html>")

    client = Client("http://api.invalid", transport=httpx.MockTransport(elsewhere))
    with pytest.raises(Problem, match="not answer as the prediction service"):
        client.model()


def links_made(address, key="jc_key", status=200):
    """A client that holds a key, and the bodies with which it has asked for links."""
    asked = []

    def answer(request):
        asked.append(json.loads(request.content))
        path = f"{asked[-1]['path']}{'&' if '?' in asked[-1]['path'] else '?'}signature=s"
        return httpx.Response(status, json={"path": path, "url": f"http://elsewhere{path}"})

    client = Client(
        address, "https://public.example/", api_key=key, transport=httpx.MockTransport(answer)
    )
    return client, asked


def test_where_keys_are_asked_for_links_are_signed():
    client, asked = links_made("http://api.invalid")
    assert client.link("/reports/a.html") == "https://public.example/reports/a.html?signature=s"
    assert client.export_address(None, None, "all") == (
        "https://public.example/past-predictions?source=all&format=csv&signature=s"
    )
    assert client.cell_link("/runbook/{cell}", "drift") == (
        "https://public.example/runbook/drift?signature=s#drift"
    )
    assert [body["path"] for body in asked] == [
        "/reports/a.html",
        "/past-predictions?source=all&format=csv",
        "/runbook/drift",
    ]


def test_a_link_that_is_shown_again_is_not_asked_for_again():
    client, asked = links_made("http://api.invalid")
    assert client.link("/reports/a.html") == client.link("/reports/a.html")
    assert len(asked) == 1


def test_a_page_stands_where_no_link_can_be_signed():
    client, _ = links_made("http://api.invalid", status=403)
    assert client.link("/reports/a.html") == "https://public.example/reports/a.html"


def test_no_link_holds_the_key():
    client, _ = links_made("http://api.invalid", key="secret-key")
    assert "secret-key" not in client.link("/reports/a.html")


@pytest.mark.parametrize(("key", "sent"), [("jc_a_b", "Bearer jc_a_b"), ("", None)])
def test_every_request_carries_the_key_where_there_is_one(key, sent):
    asked = []

    def answer(request):
        asked.append(request.headers.get("Authorization"))
        return httpx.Response(200, json={"dashboards": []})

    transport = httpx.MockTransport(answer)
    Client("http://api.invalid", api_key=key, transport=transport).dashboards()
    assert asked == [sent]


def test_a_key_is_sent_nowhere_but_to_the_api():
    def answer(request):
        assert request.url.host == "api.invalid"
        return httpx.Response(302, headers={"Location": "http://elsewhere.invalid/"})

    client = Client("http://api.invalid", api_key="k", transport=httpx.MockTransport(answer))
    with pytest.raises(Problem, match="302"):
        client.dashboards()
