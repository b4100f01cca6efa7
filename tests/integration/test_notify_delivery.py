"""Alerts to a real listener on loopback: accepted, refused, slow, gone, and telling no secrets."""

import json
import logging
import socket
import threading
import time
from datetime import UTC, datetime

import pytest

from jobchurn.notify import Alert, AppriseSender, Issue, Notifier, TeamsSender, card_of
from jobchurn.policy import Criticality
from webhook import SECRET, listener

ALERT = Alert(
    run_id="20261124T073000-3f9a2c",
    file="<at>raw</at> [1](https://evil.example) \u202evsc.csv",
    criticality=Criticality.HIGH,
    rows_total=10,
    rows_invalid=7,
    started_at=datetime(2026, 11, 24, 7, 30, tzinfo=UTC),
    issues=(Issue("hours", "range", 7),),
    report="http://127.0.0.1:8000/reports/20261124T073000-3f9a2c.html",
)


@pytest.fixture(autouse=True)
def _nothing_secret_is_logged(caplog):
    caplog.set_level(0)
    yield
    for record in caplog.get_records("call"):
        assert SECRET not in record.getMessage()
        assert SECRET not in str(record.exc_info)
    assert SECRET not in caplog.text


def test_an_accepted_card_is_delivered():
    with listener(202) as hook:
        delivery = TeamsSender(hook.webhook).send(ALERT)
    assert (delivery.channel, delivery.ok, delivery.status, delivery.error) == (
        "teams",
        True,
        202,
        None,
    )
    (path, kind, content), *others = hook.received
    assert not others
    assert path == f"/workflows/{SECRET}/run?sig={SECRET}"
    assert kind == "application/json"
    assert json.loads(content) == card_of(ALERT)


def test_the_http_library_logs_the_call_but_not_the_address(caplog):
    with listener(202) as hook:
        TeamsSender(hook.webhook).send(ALERT)
    assert any(r.name == "httpx" and "202" in r.getMessage() for r in caplog.records)


def test_an_error_is_reported_with_its_status_and_a_short_answer():
    said = b"<b>no</b> such flow " + SECRET.encode() + b" " + b"x" * 100_000
    with listener(500, said) as hook:
        delivery = TeamsSender(hook.webhook).send(ALERT)
    assert (delivery.ok, delivery.status) == (False, 500)
    assert delivery.error.startswith("HTTP 500: ‹b›no‹/b› such flow … xxx")
    assert len(delivery.error) < 250


def test_an_error_without_a_word_is_its_status():
    with listener(429) as hook:
        assert TeamsSender(hook.webhook).send(ALERT).error == "HTTP 429"


def test_an_endless_answer_is_not_read():
    with listener(500, b"e" * 100_000, endless=True) as hook:
        delivery = TeamsSender(hook.webhook, seconds=5).send(ALERT)
    assert delivery.status == 500


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused(status):
    with listener(200) as elsewhere:
        location = ("Location", f"http://127.0.0.1:{elsewhere.port}/{SECRET}")
        with listener(status, headers=[location]) as hook:
            delivery = TeamsSender(hook.webhook).send(ALERT)
    assert (delivery.ok, delivery.status) == (False, status)
    assert "redirect" in delivery.error
    assert elsewhere.received == []


def test_a_webhook_that_does_not_answer_in_time_has_failed():
    with listener(202, wait=10) as hook:
        delivery = TeamsSender(hook.webhook, seconds=0.2).send(ALERT)
    assert (delivery.ok, delivery.status) == (False, None)
    assert delivery.error.startswith("read timeout")


def test_a_webhook_that_dribbles_its_answer_cannot_hold_ingestion_up():
    # Each wait is short enough for the sender; all of them together are not for the notifier.
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def dribble():
            connection, _ = server.accept()
            with connection:
                while not ended.wait(0.05):
                    connection.sendall(b"H")

        thread = threading.Thread(target=dribble)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/{SECRET}"
        begun = time.monotonic()
        (delivery,) = Notifier([TeamsSender(url, seconds=5)], seconds=0.3).deliver(ALERT)
        took = time.monotonic() - begun
        ended.set()
        thread.join()
    assert delivery.error == "no answer within 0.3 s"
    assert took < 5


def test_a_webhook_that_is_not_there_has_failed():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    delivery = TeamsSender(f"http://127.0.0.1:{port}/{SECRET}").send(ALERT)
    assert (delivery.ok, delivery.status) == (False, None)
    assert delivery.error.startswith("connect error")


def test_a_webhook_that_hangs_up_or_speaks_no_http_has_failed():
    for answer in (b"", b"SSH-2.0-OpenSSH\r\n"):
        with socket.create_server(("127.0.0.1", 0)) as server:

            def answer_once(answer=answer, server=server):
                connection, _ = server.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

            thread = threading.Thread(target=answer_once)
            thread.start()
            port = server.getsockname()[1]
            delivery = TeamsSender(f"http://127.0.0.1:{port}/{SECRET}").send(ALERT)
            thread.join()
        assert not delivery.ok
        assert "protocol error" in delivery.error or "read error" in delivery.error


def test_an_https_webhook_with_a_certificate_of_no_authority_has_failed():
    with listener(202) as hook:  # speaks no TLS at all
        url = hook.webhook.replace("http://", "https://")
        delivery = TeamsSender(url).send(ALERT)
    assert not delivery.ok
    assert hook.received == []


def test_a_proxy_of_the_environment_is_not_used_for_this_machine(monkeypatch):
    with listener(202) as hook:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
        assert TeamsSender(hook.webhook).send(ALERT).ok


def test_other_services_are_reached_through_apprise():
    with listener(200) as hook:
        url = f"json://127.0.0.1:{hook.port}/{SECRET}"
        delivery = AppriseSender(url, "json").send(ALERT)
    assert (delivery.channel, delivery.ok, delivery.error) == ("json", True, None)
    sent = json.loads(hook.received[0][2])
    assert sent["title"].startswith("High: 7 of 10 rows are bad in ‹at›raw‹/at› [1] (")
    assert "7 of 10 (70.0%)" in sent["message"]
    for text in (sent["title"], sent["message"].replace(ALERT.report, "")):
        assert "<" not in text
        assert "](" not in text
        assert "\u202e" not in text
        assert "://" not in text
    assert "\n" not in sent["title"]


def test_a_failure_behind_apprise_is_reported_without_the_address():
    with listener(500) as hook:
        url = f"json://user:{SECRET}@127.0.0.1:{hook.port}/{SECRET}"
        delivery = AppriseSender(url, "json").send(ALERT)
    assert not delivery.ok
    assert "500" in delivery.error
    assert SECRET not in delivery.error


def test_a_redirect_behind_apprise_is_refused_even_when_the_address_asks_for_it():
    with listener(200) as elsewhere:
        location = ("Location", f"http://127.0.0.1:{elsewhere.port}/{SECRET}")
        with listener(302, headers=[location]) as hook:
            url = f"json://127.0.0.1:{hook.port}/{SECRET}?redirect=yes"
            assert not AppriseSender(url, "json").send(ALERT).ok
    assert elsewhere.received == []


def test_an_address_that_apprise_does_not_know_is_a_failed_delivery():
    delivery = AppriseSender(f"bogus://{SECRET}/x", "bogus").send(ALERT)
    assert (delivery.ok, delivery.error) == (False, "apprise does not take this address")


def test_one_bad_channel_does_not_keep_another_from_its_alert():
    with socket.create_server(("127.0.0.1", 0)) as server:
        gone = f"json://127.0.0.1:{server.getsockname()[1]}/{SECRET}"
    with listener(202) as hook:
        notifier = Notifier([AppriseSender(gone, "json"), TeamsSender(hook.webhook)])
        deliveries = notifier.deliver(ALERT)
    assert [(d.channel, d.ok) for d in deliveries] == [("json", False), ("teams", True)]
    assert all(SECRET not in repr(d) for d in deliveries)


def test_a_megabyte_of_name_makes_a_small_message():
    hostile = Alert(
        **{
            **{name: getattr(ALERT, name) for name in ALERT.__dataclass_fields__},
            "file": "\U0001f600<at>x</at>" * 1_000_000,
            "issues": tuple(Issue("c" * 10_000_000, "r" * 10_000_000, 1) for _ in range(9)),
        }
    )
    with listener(202) as hook:
        assert TeamsSender(hook.webhook).send(hostile).ok
    content = hook.received[0][2]
    assert len(content) < 28_000
    assert json.loads(content)["attachments"][0]["content"]["type"] == "AdaptiveCard"


def test_logging_at_the_finest_level_is_on_in_these_tests():
    assert logging.getLogger("httpcore").isEnabledFor(logging.DEBUG)
