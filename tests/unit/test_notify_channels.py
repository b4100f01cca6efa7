"""Channels: which there are, what happens when one fails, and that their addresses stay secret."""

import logging
import threading
from datetime import UTC, datetime

import pytest

from jobchurn.errors import InvalidSettings
from jobchurn.notify import (
    Alert,
    AppriseSender,
    Delivery,
    Hosts,
    Notifier,
    TeamsSender,
    senders_of,
)
from jobchurn.notify.secret import kept_secret
from jobchurn.policy import Criticality
from jobchurn.settings import Settings

EXAMPLE = Hosts("hooks.example")
ALERT = Alert(
    run_id="r",
    file="f.csv",
    criticality=Criticality.LOW,
    rows_total=2,
    rows_invalid=1,
    started_at=datetime(2026, 11, 24, tzinfo=UTC),
)


class Accepting:
    def __init__(self, channel="good"):
        self.channel = channel
        self.sent = []

    def send(self, alert):
        self.sent.append(alert)
        return Delivery(self.channel, ok=True, status=202)


class Raising:
    channel = "raising"

    def send(self, _):
        raise RuntimeError("https://secret.example/token")


class Hanging:
    channel = "hanging"

    def __init__(self):
        self.released = threading.Event()

    def send(self, _):
        self.released.wait(30)
        return Delivery(self.channel, ok=True)


def test_every_channel_is_asked_and_answers_in_order():
    senders = [Accepting("a"), Accepting("b")]
    notifier = Notifier(senders)
    assert notifier.channels == ("a", "b")
    assert notifier.deliver(ALERT) == [
        Delivery("a", ok=True, status=202),
        Delivery("b", ok=True, status=202),
    ]
    assert [sender.sent for sender in senders] == [[ALERT], [ALERT]]


def test_only_the_named_channels_are_asked():
    senders = [Accepting("a"), Accepting("b")]
    assert [d.channel for d in Notifier(senders).deliver(ALERT, ["b", "gone"])] == ["b"]
    assert senders[0].sent == []


def test_without_channels_nobody_is_told():
    assert Notifier().deliver(ALERT) == []


def test_a_channel_that_raises_is_a_failed_delivery_without_its_message():
    notifier = Notifier([Raising(), Accepting()])
    assert notifier.deliver(ALERT) == [
        Delivery("raising", ok=False, error="RuntimeError"),
        Delivery("good", ok=True, status=202),
    ]


def test_a_channel_that_hangs_is_not_waited_for():
    hanging = Hanging()
    deliveries = Notifier([hanging, Accepting()], seconds=0.2).deliver(ALERT)
    hanging.released.set()
    assert deliveries == [
        Delivery("hanging", ok=False, error="no answer within 0.2 s"),
        Delivery("good", ok=True, status=202),
    ]


@pytest.mark.parametrize(
    ("minimum", "wanted"),
    [("low", ["low", "medium", "high"]), ("medium", ["medium", "high"]), ("high", ["high"])],
)
def test_files_at_or_above_the_minimum_are_worth_an_alert(minimum, wanted):
    notifier = Notifier([], Criticality(minimum))
    assert [str(c) for c in Criticality if notifier.wants(c)] == wanted


def test_a_file_without_problems_is_never_worth_an_alert():
    assert not Notifier([], Criticality.NONE).wants(Criticality.NONE)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/secret-token",
        "ftp://hooks.example/secret-token",
        "secret-token",
        "https://",
        "https:///secret-token",
        "http://127.0.0.1.example/secret-token",
        "http://localhost.example/secret-token",
        "http://[::2]/secret-token",
        "https://hooks.example:port/secret-token",
        "https://[secret-token/",
        "//hooks.example/secret-token",
        "https://name@hooks.example/secret-token",
        "https://hooks.example@elsewhere.example/secret-token",
    ],
)
def test_only_https_is_a_webhook_and_a_wrong_one_is_not_shown(url):
    with pytest.raises(InvalidSettings) as raised:
        TeamsSender(url, EXAMPLE)
    assert "secret-token" not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    ["https://hooks.example/t", "http://127.0.0.1:9/t", "http://[::1]:9/t", "http://localhost/t"],
)
def test_https_and_this_very_machine_are_taken(url):
    hosts = Hosts("hooks.example, 127.0.0.1 ::1 localhost")
    assert TeamsSender(url, hosts).channel == "teams"


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.elsewhere/secret-token",
        "https://elsewhere/secret-token?hooks.example",
        "https://elsewhere/hooks.example/secret-token",
        "https://elsewhere#hooks.example/secret-token",
        "https://elsewhere\\.hooks.example/secret-token",
        "https://hooks.example%2eelsewhere/secret-token",
        "https://xhooks.example/secret-token",
        "https://below.hooks.example/secret-token",
        "https://hooks。example/secret-token",
        "http://127.0.0.1:9/secret-token",
        "https://0x7f000001/secret-token",
        "https://169.254.169.254/secret-token",
    ],
)
def test_a_webhook_leads_to_an_allowed_host_alone(url):
    with pytest.raises(InvalidSettings) as raised:
        TeamsSender(url, EXAMPLE)
    assert "secret-token" not in str(raised.value)


def test_a_star_stands_for_what_is_below_a_host_and_not_for_the_host():
    hosts = Hosts("*.logic.example")
    assert hosts.admit("prod-23.westeurope.logic.example")
    assert hosts.admit("PROD.logic.example.")
    for other in ("logic.example", "xlogic.example", "a.logic.example.elsewhere", "", ".", "*"):
        assert not hosts.admit(other)


@pytest.mark.parametrize("wrong", ["*", "*.", "a.*", "https://hooks.example", "hooks.example/x"])
def test_what_is_no_host_is_refused(wrong):
    with pytest.raises(InvalidSettings, match="WEBHOOK_HOSTS"):
        Hosts(f"hooks.example {wrong}")


@pytest.mark.parametrize(
    "webhook",
    [
        "https://prod-23.westeurope.logic.azure.com:443/workflows/a/triggers/manual/paths/invoke",
        "https://default1a2b.3c.environment.api.powerplatform.com:443/powerautomate/automations/x",
        "https://tenant.webhook.office.com/webhookb2/x",
        "http://127.0.0.1:9/x",
    ],
)
def test_the_default_hosts_are_those_of_microsoft_s_workflows_and_this_machine(webhook):
    assert TeamsSender(webhook, Hosts(Settings().webhook_hosts)).channel == "teams"


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("json://hooks.example/secret-token", "not encrypted"),
        ("jsons://elsewhere.example/secret-token", "WEBHOOK_HOSTS"),
        ("xmls://elsewhere.example/secret-token", "WEBHOOK_HOSTS"),
        ("forms://169.254.169.254/secret-token", "WEBHOOK_HOSTS"),
        ("workflows://elsewhere.example/secret-token/x", "WEBHOOK_HOSTS"),
        ("https://elsewhere.example/workflows/secret-token", "does not take"),
        ("mailto://name:secret-token@example.org", "not encrypted"),
        ("gotify://hooks.example/secret-token", "not encrypted"),
        ("gotifys://elsewhere.example/secret-token", "WEBHOOK_HOSTS"),
    ],
)
def test_another_channel_leads_nowhere_else_either_and_not_in_the_clear(address, why):
    delivery = AppriseSender(address, "it", EXAMPLE).send(ALERT)
    assert not delivery.ok
    assert why in delivery.error
    assert "secret-token" not in delivery.error


def test_settings_choose_the_channels():
    senders = senders_of(
        "https://hooks.example/t",
        " slack://AAA/BBB/CCC mailto://u:p@x.example?to=a@x.example,b@x.example,json://localhost/a"
        "\njson://localhost/b teams://x",
        EXAMPLE,
    )
    assert [s.channel for s in senders] == ["teams", "slack", "mailto", "json", "json-2", "teams-2"]


@pytest.mark.parametrize("empty", [None, "", "  ", " , "])
def test_unset_settings_choose_none(empty):
    assert senders_of(empty and None, empty, EXAMPLE) == []


@pytest.mark.parametrize("wrong", ["secret-token", "slack://a secret-token", "://secret-token"])
def test_an_address_of_no_channel_is_refused_and_not_shown(wrong):
    with pytest.raises(InvalidSettings) as raised:
        senders_of(None, wrong, EXAMPLE)
    assert "secret-token" not in str(raised.value)


def test_no_sender_shows_its_address():
    senders = senders_of("https://hooks.example/secret-token", "slack://secret-token/b/c", EXAMPLE)
    for sender in senders:
        assert "secret-token" not in repr(sender)


def test_what_is_logged_while_an_address_is_in_use_does_not_hold_it(caplog):
    caplog.set_level(logging.DEBUG)
    log = logging.getLogger("some.http.library")
    with kept_secret("https://hooks.example/path%2Fsecret-token?sig=another-token") as masked:
        log.debug("POST %s?sig=%s", "/path/secret-token", "another-token")
        fault = ValueError("cannot reach https://hooks.example/path%2Fsecret-token")
        log.error("it failed", exc_info=fault)
        said = masked("no route to hooks.example/path/secret-token")
    log.debug("afterwards another-token is a word like others")
    *during, after = caplog.messages
    assert len(during) == 2
    for text in [*during, said]:
        assert "secret-token" not in text
        assert "another-token" not in text
    assert "ValueError" in during[1]
    assert "another-token" in after


def test_other_threads_log_as_they_always_do(caplog):
    caplog.set_level(logging.INFO)
    with kept_secret("https://hooks.example/secret-token"):
        thread = threading.Thread(target=logging.getLogger("other").info, args=["secret-token"])
        thread.start()
        thread.join()
    assert caplog.messages == ["secret-token"]
