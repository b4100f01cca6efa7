"""The headers of every answer: browsers run nothing, frame nothing, guess nothing, tell nobody."""

import pytest

from api_house import open_house, serving

PATHS = ["/", "/health", "/ready", "/model", "/past-predictions", "/past-predictions?format=csv"]
PATHS += ["/panels", "/metrics", "/openapi.json", "/runbook/drift", "/reports/r1.html"]
PATHS += ["/reports/none.html", "/nowhere", "/past-predictions?limit=x", "/model?signature=x"]
METHODS = ["GET", "HEAD", "OPTIONS", "POST", "TRACE", "BREW"]


@pytest.fixture
def client(store, tmp_path):
    house = open_house(store, tmp_path)
    (house.folders.reports / "r1.html").write_text("<!doctype html><p>report")
    with serving(house) as client:
        yield client


def test_every_answer_carries_them(client):
    for path in PATHS:
        for method in METHODS:
            check(client.request(method, path).headers)


def check(headers):
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    policy = headers["content-security-policy"].split("; ")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers
    assert len(headers.get_list("content-security-policy")) == 1


def test_a_range_costs_nothing_as_a_report_is_always_sent_whole(client):
    ranges = ["0-3", "0-0,1-1,2-2", "0-," * 5_000, "-1", "9999-", ""]
    for asked in ranges:
        answer = client.get("/reports/r1.html", headers={"Range": f"bytes={asked}"})
        assert answer.status_code == 200
        assert answer.text == "<!doctype html><p>report"
        assert answer.headers["accept-ranges"] == "none"


def test_a_report_is_sandboxed(client):
    policy = client.get("/reports/r1.html").headers["content-security-policy"].split("; ")
    assert "sandbox" in policy
    assert "form-action 'none'" in policy
    assert not [part for part in policy if part.startswith("script-src")]
