"""The gate: nothing without a key but what is open, and no scope reaches another's endpoints."""

import logging
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from starlette.routing import Route
from starlette.testclient import TestClient
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api_house import RECORD, open_house, serving
from jobchurn.access import Key, Scope
from jobchurn.api import create_app
from jobchurn.api.permits import for_everybody, needs, permit_of
from jobchurn.api.serve import _warn_of_plain_text
from jobchurn.settings import Settings
from locked_house import ENDPOINTS, OPEN, clients, key_for, locked_house, sent

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"]
REPORT = "/reports/r1.html"

FILLED = {
    "/panels/{dashboard}": "/panels/service",
    "/reports/{report_name}": REPORT,
    "/runbook/{rule}": "/runbook/drift",
    "/keys/{id}": "/keys/00000000",
}
BODIES = {
    "/predict": {"records": [RECORD]},
    "/explain": {"records": [RECORD]},
    "/links": {"path": REPORT},
}


@pytest.fixture
def house(store, tmp_path):
    house = locked_house(store, tmp_path)
    (house.folders.reports / "r1.html").write_text("<!doctype html><p>report")
    return house


def routes(app):
    return [route for route in app.routes if isinstance(route, Route)]


def ask(client, method, path, scope=None, **how):
    body = BODIES.get(path)
    if scope is Scope.SCHEDULED and path == "/predict":
        body = body | {"source": "scheduled"}  # what that scope is for; see test_lineage.py
    return client.request(method, FILLED.get(path, path), json=body, **how)


# What is open, and what is not


def test_every_route_says_whom_it_is_for(house):
    silent = [route.path for route in create_app(house).routes if permit_of(route) is None]
    assert silent == []


def test_nothing_is_open_but_health_and_readiness(house):
    found = {
        (method, route.path): set(permit_of(route).scopes)
        for route in routes(create_app(house))
        for method in route.methods
    }
    opened = {path for (_, path), scopes in found.items() if not scopes}
    assert opened == OPEN
    assert {asked: scopes for asked, scopes in found.items() if scopes} == ENDPOINTS


def test_without_a_key_nothing_is_answered_whatever_the_method(house):
    paths = [FILLED.get(path, path) for _, path in ENDPOINTS]
    paths += ["/nowhere", "/docs", "/health/", "/ready/..", "//health", "/health%2f..", "/HEALTH"]
    paths += ["/metrics/", "/%2e%2e/predict", "/reports/../keys", "/keys?/health"]
    with clients(house) as client:
        for number, path in enumerate(paths):
            asked = client(number)
            for method in METHODS:
                answer = asked.request(method, path)
                assert answer.status_code == 401, (method, path)
                assert answer.headers["www-authenticate"].startswith("Bearer ")
                assert "report" not in answer.text


@pytest.mark.parametrize("path", sorted(OPEN))
def test_health_and_readiness_are_told_to_everybody_also_with_a_wrong_key(house, path):
    with clients(house) as client:
        assert client().get(path).status_code == 200
        assert client().get(path, headers=sent(Key.make())).status_code == 200
        assert client().head(path).status_code == 200


def test_who_has_no_key_is_not_told_what_the_service_stands_on(house, caplog):
    house.store.missing = lambda: ["The database at db.internal:5432 cannot be used."]
    with clients(house) as client:
        answer = client().get("/ready")
    assert answer.status_code == 503
    assert "db.internal" not in answer.text
    assert "db.internal:5432" in caplog.text


@pytest.mark.parametrize(
    ("host", "warned"),
    [("127.0.0.1", False), ("::1", False), ("0.0.0.0", True), ("10.1.2.3", True)],  # noqa: S104
)
def test_an_api_that_others_reach_warns_that_it_knows_no_tls(host, warned, caplog):
    _warn_of_plain_text(Settings(api_host=host))
    assert ("TLS" in caplog.text) is warned


def test_a_route_that_says_nothing_is_for_nobody(house, store, caplog):
    app = create_app(house)

    @app.get("/forgotten")
    def forgotten():
        raise AssertionError("it was let in")

    key = key_for(store, *Scope)
    with TestClient(app, raise_server_exceptions=False) as client:
        for headers in ({}, sent(key)):
            assert client.get("/forgotten", headers=headers).status_code == 403
    open_here = create_app(replace(house, settings=Settings(jobchurn_home=house.settings.home)))
    open_here.get("/forgotten")(forgotten)
    with TestClient(open_here, raise_server_exceptions=False) as client:
        assert client.get("/forgotten").status_code == 403


def test_the_test_of_routes_notices_one_that_was_opened_by_mistake(house, monkeypatch):
    app = create_app(house)
    (metrics,) = (route for route in routes(app) if route.path == "/metrics")
    for_everybody(metrics.endpoint)
    try:
        with pytest.raises(AssertionError):
            test_nothing_is_open_but_health_and_readiness(house)
        with pytest.raises(AssertionError):
            test_without_a_key_nothing_is_answered_whatever_the_method(house)
    finally:
        needs(Scope.ADMIN)(metrics.endpoint)


# Scopes


@pytest.mark.parametrize("scope", Scope)
def test_a_scope_reaches_its_endpoints_and_no_others(house, store, scope):
    key = key_for(store, scope)
    with clients(house) as client:
        for (method, path), scopes in ENDPOINTS.items():
            answer = ask(client(), method, path, scope, headers=sent(key))
            if scope in scopes:
                assert answer.status_code in (200, 404), (method, path, answer.text)
                assert answer.status_code == 200 or path == "/keys/{id}"
            else:
                assert answer.status_code == 403, (method, path)
                challenge = answer.headers["www-authenticate"]
                assert 'error="insufficient_scope"' in challenge
                assert min(scopes) in challenge


def test_what_is_not_for_a_key_does_nothing(house, store):
    key = key_for(store, Scope.READ, Scope.ADMIN)
    with clients(house) as client:
        assert client().post("/predict", json=BODIES["/predict"], headers=sent(key)).is_error
        reader = key_for(store, Scope.READ)
        assert client().delete(f"/keys/{key.id}", headers=sent(reader)).is_error
    assert store.predictions.count() == 0
    assert {known.id for known in store.api_keys.alive()} == {key.id, reader.id}


def test_a_key_may_be_for_several_things(house, store):
    key = key_for(store, Scope.PREDICT, Scope.READ)
    with clients(house) as client:
        assert ask(client(), "POST", "/predict", headers=sent(key)).status_code == 200
        assert ask(client(), "GET", "/past-predictions", headers=sent(key)).status_code == 200
        assert ask(client(), "GET", "/metrics", headers=sent(key)).status_code == 403


def test_with_any_key_what_does_not_exist_is_not_found_and_a_wrong_method_is_named(house, store):
    key = key_for(store, Scope.PREDICT)
    with clients(house) as client:
        assert client().get("/nowhere", headers=sent(key)).status_code == 404
        assert client().put("/predict", headers=sent(key)).status_code == 405
        assert client().options("/metrics", headers=sent(key)).status_code == 405


def test_the_head_of_an_answer_is_for_whom_the_answer_is(house, store):
    reader, predicting = key_for(store, Scope.READ), key_for(store, Scope.PREDICT)
    with clients(house) as client:
        assert client().head("/past-predictions", headers=sent(reader)).status_code == 200
        assert client().head("/past-predictions", headers=sent(predicting)).status_code == 403


# Keys that are none


def altered(key):
    """Texts that are nearly the key, and headers that nearly carry it."""
    other = Key.make()
    text = key.text
    yield from (
        f"Bearer {text[:-1]}",
        f"Bearer {text}x",
        f"Bearer {text[:-1]}{'A' if text[-1] != 'A' else 'B'}",
        f"Bearer jc_{key.id}_{other.secret}",
        f"Bearer jc_{other.id}_{key.secret}",
        f"Bearer {text.upper()}",
        f"Bearer {text},{text}",
        f"Bearer {text} {text}",
        f"Bearer\t{text}",
        f"Basic {text}",
        f"Token {text}",
        text,
        "Bearer",
        "Bearer ",
        "",
        "Bearer " + "x" * 4000,
        f"Bearer {key.digest.hex()}",
        f"Bearer jc_{key.id}_{key.digest.hex()}",
    )


def test_a_key_that_is_not_ours_to_the_last_character_opens_nothing(house, store):
    key = key_for(store, *Scope)
    with clients(house) as client:
        for text in altered(key):
            answer = client().get("/model", headers={"Authorization": text})
            assert answer.status_code == 401, text
        answer = client().get("/model", headers={"Authorization": "Bearer jäcöb".encode()})
        assert answer.status_code == 401


def test_a_key_counts_in_one_place_alone(house, store):
    key = key_for(store, *Scope)
    elsewhere = [
        {"params": {"key": key.text, "access_token": key.text}},
        {"cookies": {"Authorization": f"Bearer {key.text}"}},
        {"headers": {"X-API-Key": key.text, "Proxy-Authorization": f"Bearer {key.text}"}},
        {"headers": [("Authorization", f"Bearer {key.text}")] * 2},
        {"auth": (key.id, key.secret)},
    ]
    with clients(house) as client:
        assert client().get("/model", headers=sent(key)).status_code == 200
        for how in elsewhere:
            assert client().get("/model", **how).status_code == 401, how


def test_an_expired_key_opens_nothing(house, store):
    key = key_for(store, *Scope, lasts=timedelta(seconds=-1))
    with clients(house) as client:
        assert client().get("/model", headers=sent(key)).status_code == 401


# On loopback


@pytest.mark.parametrize(
    ("changes", "required"),
    [
        ({}, False),
        ({"api_host": "::1"}, False),
        ({"api_host": "localhost"}, False),
        ({"api_keys": "always"}, True),
        ({"api_host": "0.0.0.0"}, True),  # noqa: S104  (compared, not bound)
        ({"api_host": "::"}, True),
        ({"api_host": "192.168.1.7"}, True),
        ({"api_host": "jobchurn.example"}, True),
        ({"api_host": "192.168.1.7", "api_keys": "beyond-loopback"}, True),
    ],
)
def test_keys_are_asked_for_as_soon_as_others_can_reach_the_api(changes, required):
    assert Settings(**changes).keys_required is required


def test_the_asking_for_keys_cannot_be_turned_off():
    for text in ("never", "off", "false", "0", "loopback"):
        with pytest.raises(ValueError, match="api_keys"):
            Settings(api_keys=text)


def test_on_loopback_nobody_is_asked_but_a_key_that_is_sent_counts(store, tmp_path):
    reader = key_for(store, Scope.READ)
    with serving(open_house(store, tmp_path)) as client:
        assert ask(client, "POST", "/predict").status_code == 200
        assert ask(client, "GET", "/metrics").status_code == 200
        assert ask(client, "GET", "/model", headers=sent(reader)).status_code == 200
        assert ask(client, "POST", "/predict", headers=sent(reader)).status_code == 403
        assert ask(client, "GET", "/model", headers=sent(Key.make())).status_code == 401


def test_keys_are_listed_and_revoked_with_a_key_alone_also_on_loopback(store, tmp_path):
    admin, other = key_for(store, Scope.ADMIN), key_for(store, Scope.READ)
    with serving(open_house(store, tmp_path)) as client:
        assert client.get("/keys").status_code == 401
        assert client.delete(f"/keys/{other.id}").status_code == 401
        listed = client.get("/keys", headers=sent(admin)).json()["keys"]
        assert {key["id"] for key in listed} == {admin.id, other.id}
        revoked = client.delete(f"/keys/{other.id}", headers=sent(admin)).json()
        assert revoked["id"] == other.id
        assert revoked["revoked_at"] is not None
    assert [known.id for known in store.api_keys.alive()] == [admin.id]


@pytest.mark.parametrize("name", ["X-Forwarded-For", "X-Real-IP", "Forwarded"])
def test_whoever_says_that_he_is_of_this_machine_needs_a_key_all_the_same(house, name):
    # Believed by everybody, which is the worst that could be configured.
    app = ProxyHeadersMiddleware(create_app(house), trusted_hosts="*")
    said = "for=127.0.0.1" if name == "Forwarded" else "127.0.0.1"
    with TestClient(app, base_url="http://127.0.0.1") as client:
        for _, path in ENDPOINTS:
            answer = client.get(FILLED.get(path, path), headers={name: said})
            assert answer.status_code == 401


# Links


def test_a_signed_link_opens_what_it_names_without_a_key_and_is_made_with_one_alone(house, store):
    reader, predicting = key_for(store, Scope.READ), key_for(store, Scope.PREDICT)
    with clients(house) as client:
        asked = {"json": {"path": REPORT}}
        assert client().post("/links", **asked).status_code == 401
        assert client().post("/links", **asked, headers=sent(predicting)).status_code == 403
        path = client().post("/links", **asked, headers=sent(reader)).json()["path"]
        assert "report" in client().get(path).text
        assert client().head(path).status_code == 200
        assert client().post(path).status_code == 401
        assert client().get(path.replace("r1", "r2")).status_code == 403
        assert client().get(REPORT).status_code == 401


def test_a_link_opens_no_endpoint_that_is_not_for_reading(house):
    end = house.store.models.list()[0].created_at + timedelta(days=1)
    with clients(house) as client:
        for path in ("/metrics", "/keys"):
            assert client().get(house.links.sign(path, end)).status_code == 403
        assert client().get(house.links.sign("/panels", end)).status_code == 200
        assert client().get(house.links.sign("/nowhere", end)).status_code == 404


# What is left behind


def test_no_key_stands_in_what_is_kept_or_told(house, store, database, caplog):
    caplog.set_level(logging.DEBUG)
    admin, wrong = key_for(store, *Scope), Key.make()
    with clients(house) as client:
        answers = [
            client().get("/model", headers=sent(admin)),
            client().get("/model", headers=sent(wrong)),
            client().get("/nowhere", headers=sent(admin)),
            client().get(f"/{wrong.text}"),
            client().get("/keys", headers=sent(admin)),
            client().get("/metrics", headers=sent(admin)),
        ]
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT r::text FROM request_log r").fetchall()
    told = "".join(answer.text + str(answer.headers) for answer in answers)
    # The test's own client writes down what it asks.
    logged = "".join(r.getMessage() for r in caplog.records if not r.name.startswith("httpx"))
    assert "carries no key" in logged
    for secret in (admin.secret, wrong.secret):
        assert secret not in told + logged + str(rows)
    assert len(rows) >= 4
