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
