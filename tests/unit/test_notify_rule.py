"""What people are told about a rule: in words, as a card, and again after a restart."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobchurn.notify import News, RuleAlert, Tone, card_of, quantity, text_of
from jobchurn.notify.card import MAX_BYTES
from jobchurn.panels import Severity, Unit

SINCE = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
AT = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def told(news=News.FIRED, **changes):
    fields = {
        "rule": "bad-rows",
        "summary": "Many rows are bad",
        "meaning": "Rows that came in are not predicted.",
        "severity": Severity.WARNING,
        "news": news,
        "value": 0.55,
        "above": 0.4,
        "unit": Unit.SHARE,
        "since": SINCE,
        "at": AT,
        "details": ("hours: range, 80 rows",),
        "runbook": "https://jobs.example/runbook/bad-rows",
        "dashboard": "https://grafana.example/d/ingestion",
    }
    return RuleAlert(**fields | changes)


def texts_in(node):
    if isinstance(node, dict):
        for name, value in node.items():
            if name not in ("$schema", "url", "contentType"):
                yield from texts_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from texts_in(value)
    elif isinstance(node, str):
        yield node


def test_a_message_says_what_it_means_how_much_it_is_and_where_to_go_on():
    assert text_of(told()).splitlines() == [
        "Rows that came in are not predicted.",
        "Value: 55.0% (alarm above 40.0%)",
        "Since: 2026-11-24 07:30 UTC",
        "Rule: bad-rows",
        "- hours: range, 80 rows",
        "Runbook: https://jobs.example/runbook/bad-rows",
        "Dashboard: https://grafana.example/d/ingestion",
    ]


def test_an_all_clear_says_from_when_until_when_and_nothing_alarming():
    over = told(News.OVER, value=0.1, details=(), dashboard=None, meaning="Few rows are bad.")
    assert text_of(over).splitlines() == [
        "Few rows are bad.",
        "Value: 10.0% (alarm above 40.0%)",
        "Since: 2026-11-24 07:30 UTC",
        "Rule: bad-rows",
        "Over: 2026-11-24 08:00 UTC",
        "Runbook: https://jobs.example/runbook/bad-rows",
    ]


@pytest.mark.parametrize(
    ("news", "severity", "headline", "tone"),
    [
        (News.FIRED, Severity.WARNING, "Warning: Many rows are bad", Tone.WARNING),
        (News.FIRED, Severity.CRITICAL, "Critical: Many rows are bad", Tone.URGENT),
        (News.REMINDER, Severity.CRITICAL, "Still critical: Many rows are bad", Tone.URGENT),
        (News.OVER, Severity.CRITICAL, "Over: Many rows are bad", Tone.GOOD),
    ],
)
def test_the_headline_and_its_tone_follow_the_news(news, severity, headline, tone):
    message = told(news, severity=severity)
    assert (message.headline, message.title, message.tone) == (headline, headline, tone)


def test_the_all_clear_is_green_and_has_its_links_as_buttons():
    card = card_of(told(News.OVER))["attachments"][0]["content"]
    assert card["body"][0]["color"] == "Good"
    assert card["body"][0]["text"] == "Over: Many rows are bad"
    assert card["actions"] == [
        {
            "type": "Action.OpenUrl",
            "title": "Open the runbook",
            "url": "https://jobs.example/runbook/bad-rows",
        },
        {
            "type": "Action.OpenUrl",
            "title": "Open the dashboard",
            "url": "https://grafana.example/d/ingestion",
        },
    ]


@given(
    lines=st.lists(
        st.one_of(
            st.text(max_size=400),
            st.sampled_from(["<at>all</at>", "[a](https://evil.example)", "${x} {{y}}", "@all"]),
        ),
        max_size=40,
    )
)
def test_no_detail_comes_alive_and_every_card_is_small(lines):
    message = told(details=tuple(lines))
    card = card_of(message)
    assert len(json.dumps(card)) < MAX_BYTES
    assert json.loads(json.dumps(card, ensure_ascii=False).encode("utf-8")) == card
    for text in texts_in(card):
        assert text.isprintable()
        for active in ("<", ">", "@", "{{", "${", "](", "://", "www."):
            assert active not in text
    assert len(text_of(message).splitlines()) <= 20


def test_of_many_details_the_first_are_shown_and_the_others_counted():
    message = told(details=tuple(f"line {number}" for number in range(30)))
    assert len(message.lines) == 12
    assert message.unlisted == "and 18 more; the dashboard shows them all"


@pytest.mark.parametrize("news", News)
def test_a_message_that_was_kept_says_the_same(news):
    message = told(news)
    assert RuleAlert.from_body(json.loads(json.dumps(message.to_body()))) == message


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.4567, Unit.SHARE, "45.7%"),
        (0.0001, Unit.SHARE, "under 0.1%"),
        (0.0, Unit.SHARE, "0.0%"),
        (1.2345, Unit.SECONDS, "1.23 s"),
        (12.0, Unit.MINUTES, "12 minutes"),
        (1.0, Unit.MINUTES, "1 minute"),
        (0.373, Unit.MINUTES, "0.4 minutes"),
        (1234.56, Unit.MINUTES, "1,235 minutes"),
        (3.0, Unit.COUNT, "3"),
        (12_345.6, Unit.NUMBER, "12,346"),
        (2.5, Unit.PER_SECOND, "2.5 per second"),
        (999.0, Unit.BYTES, "999 bytes"),
        (123_456_789.0, Unit.BYTES, "123 MB"),
    ],
)
def test_a_value_is_said_in_its_unit(value, unit, words):
    assert quantity(value, unit) == words
