"""The settings: spans of time that no clock can reckon with are refused, and named."""

from datetime import UTC, datetime, timedelta

import pytest

from jobchurn.access import Key
from jobchurn.errors import InvalidSettings
from jobchurn.settings import read_settings

SPANS = {"REMIND_MINUTES": 525_600, "DRIFT_WAIT_MINUTES": 525_600, "LOG_DAYS": 36_500}


@pytest.mark.parametrize("name", SPANS)
def test_a_span_longer_than_can_be_reckoned_with_is_refused_by_name(name, monkeypatch):
    monkeypatch.setenv(name, str(SPANS[name] + 1))
    with pytest.raises(InvalidSettings, match=name):
        read_settings()


def test_the_longest_spans_lead_to_moments_that_there_are(monkeypatch):
    for name, most in SPANS.items():
        monkeypatch.setenv(name, str(most))
    settings = read_settings()
    for span in (
        timedelta(days=settings.log_days),
        timedelta(minutes=settings.remind_minutes),
        timedelta(minutes=settings.drift_wait_minutes),
    ):
        assert datetime.now(UTC) - span < datetime.now(UTC)


def test_a_key_may_end_with_a_line_break_and_is_not_shown(monkeypatch):
    key = Key.make()
    monkeypatch.setenv("API_KEY", f"{key.text}\n")
    settings = read_settings()
    assert settings.api_key.get_secret_value() == key.text
    assert key.secret not in repr(settings)


def test_what_is_no_key_is_refused_and_not_repeated(monkeypatch):
    monkeypatch.setenv("API_KEY", "swordfish\r\nX-Other: 1")
    with pytest.raises(InvalidSettings, match="API_KEY") as refused:
        read_settings()
    assert "swordfish" not in str(refused.value)


ADDRESSES = ["API_URL", "API_PUBLIC_URL", "RUNBOOK_URL", "GRAFANA_URL"]


@pytest.mark.parametrize("name", ADDRESSES)
@pytest.mark.parametrize(
    "text",
    [
        "localhost:8000",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://",
        "http://:8000",
        "http://a b",
        "http://a\nb",
        "http://[::1",
        "http://a:0",
        "http://a:99999",
        "http://a:port",
        "http://me:swordfish@a",
        "http://a/?query=1",
        "http://a/#part",
    ],
)
def test_what_is_no_address_is_refused_by_name_and_not_repeated(name, text, monkeypatch):
    monkeypatch.setenv(name, text)
    with pytest.raises(
        InvalidSettings, match=f"^The environment cannot be used: {name}"
    ) as refused:
        read_settings()
    assert refused.value.cure
    assert "swordfish" not in str(refused.value)


@pytest.mark.parametrize("name", ADDRESSES)
@pytest.mark.parametrize(
    "text", ["http://127.0.0.1:8000", "https://jobs.example.org/churn/", "http://[::1]:8000"]
)
def test_an_address_is_taken_as_it_is_written(name, text, monkeypatch):
    monkeypatch.setenv(name, text)
    assert getattr(read_settings(), name.lower()) == text


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),  # noqa: S104  (compared, not bound)
        ("::", "http://127.0.0.1:8000"),
        ("192.168.1.7", "http://192.168.1.7:8000"),
        ("::1", "http://[::1]:8000"),
    ],
)
def test_the_api_is_asked_where_it_listens(monkeypatch, host, address):
    for name in ("API_URL", "API_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("API_HOST", host)
    assert read_settings().api_address == address


@pytest.mark.parametrize("name", ["JOBCHURN_HOME", "JOBCHURN_CSV", "POSTGRES_BIN"])
@pytest.mark.parametrize("text", ["~nobody-of-this-name/x", "a\nb", "a\udcff", "\x1b"])
def test_what_is_no_place_is_refused_by_name(name, text, monkeypatch):
    monkeypatch.setenv(name, text)
    with pytest.raises(InvalidSettings, match=f"^The environment cannot be used: {name}"):
        read_settings()
