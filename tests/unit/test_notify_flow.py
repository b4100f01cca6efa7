"""The flow of alerts: recorded before they are sent, sent once, retried where that failed."""

import dataclasses
import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from jobchurn.flow.alert import retry_alerts, send_alerts
from jobchurn.links import Links
from jobchurn.notify import Alert, Delivery, News, Notifier, RuleAlert, text_of
from jobchurn.panels import Severity, Unit
from jobchurn.policy import Criticality
from jobchurn.settings import Settings
from jobchurn.store.alerts import Alert as Recorded
from jobchurn.verdict import Reason, Verdict

LINKS = Links("s" * 32)
CREATED = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
CLAIM = SimpleNamespace(
    run_id="20261124T073000-3f9a2c", name="raw\udcff.csv", started_at=CREATED, duplicate_of=None
)
VERDICT = Verdict(rows_total=4, bad={2: (Reason(2, "hours", "range", "-1", "too small"),)})


class Book:
    """The ``alerts`` table, in memory."""

    def __init__(self):
        self.rows = {}
        self.taken = set()

    def record(self, *, claim=None, **fields):
        json.dumps(fields["body"]).encode("utf-8")  # as the database must be able to keep it
        run_id = claim and claim.run_id
        for row in self.rows.values():
            if claim and (row.run_id, row.channel) == (run_id, fields["channel"]):
                return row
        row = Recorded(
            id=len(self.rows) + 1,
            run_id=run_id,
            **{"status": "pending"} | fields,
            attempts=0,
            last_error=None,
            created_at=CREATED,
            delivered_at=None,
        )
        self.rows[row.id] = row
        return row

    def pending(self, max_attempts=10):
        waiting = ("pending", "failed")
        return [r for r in self.rows.values() if r.status in waiting and r.attempts < max_attempts]

    @contextmanager
    def held(self, alert_ids):
        alerts = [
            self.rows[i]
            for i in alert_ids
            if self.rows[i].status != "delivered" and i not in self.taken
        ]
        yield SimpleNamespace(alerts=alerts, delivered=self.delivered, failed=self.failed)

    def delivered(self, alert_id):
        self.rows[alert_id] = dataclasses.replace(self.rows[alert_id], status="delivered")

    def failed(self, alert_id, error):
        row = self.rows[alert_id]
        self.rows[alert_id] = dataclasses.replace(
            row, status="failed", attempts=row.attempts + 1, last_error=error
        )


class Channel:
    def __init__(self, channel, *, works=True):
        self.channel, self.works, self.sent = channel, works, []

    def send(self, alert):
        self.sent.append(alert)
        if self.works:
            return Delivery(self.channel, ok=True, status=202)
        return Delivery(self.channel, ok=False, status=500, error="HTTP 500")


def services_with(*channels, minimum=Criticality.LOW, book=None):
    return SimpleNamespace(
        settings=Settings(api_public_url="https://jobs.example/"),
        store=SimpleNamespace(alerts=book or Book()),
        notifier=Notifier(channels, minimum),
        links=LINKS,
    )


def unsigned(alert):
    """An alert as it is recorded: two that say the same may be signed at different moments."""
    return dataclasses.replace(alert, report=alert.report.partition("?")[0])


def test_each_channel_is_told_once_and_the_table_knows():
    teams, mail = Channel("teams"), Channel("mailto")
    services = services_with(teams, mail)
    send_alerts(services, CLAIM, VERDICT, Criticality.MEDIUM)
    send_alerts(services, CLAIM, VERDICT, Criticality.MEDIUM)
    assert [len(teams.sent), len(mail.sent)] == [1, 1]
    (alert,) = teams.sent
    assert alert.headline == "Medium: 1 of 4 rows is bad"
    rows = services.store.alerts.rows.values()
    assert [(r.channel, r.status, r.severity, r.title) for r in rows] == [
        ("teams", "delivered", "medium", "Medium: 1 of 4 rows is bad"),
        ("mailto", "delivered", "medium", "Medium: 1 of 4 rows is bad"),
    ]


def test_the_link_to_the_report_opens_it_without_a_key_for_as_long_as_the_settings_say():
    teams = Channel("teams")
    services = services_with(teams)
    send_alerts(services, CLAIM, VERDICT, Criticality.MEDIUM)
    (alert,) = teams.sent
    base, path = "https://jobs.example", "/reports/20261124T073000-3f9a2c.html"
    assert alert.report.startswith(f"{base}{path}?")
    link, sent = alert.report.removeprefix(base), datetime.now(UTC)
    assert LINKS.opens(link, sent + timedelta(days=29, hours=23)) == (path, "")
    assert not LINKS.admits(link, sent + timedelta(days=30, seconds=1))


def test_what_is_recorded_of_an_alert_opens_nothing():
    services = services_with(Channel("teams"))
    send_alerts(services, CLAIM, VERDICT, Criticality.MEDIUM)
    assert "signature" not in json.dumps(services.store.alerts.rows[1].body)


@pytest.mark.parametrize(
    ("runbook", "signed"),
    [
        ("https://jobs.example/runbook/drift", True),
        ("https://wiki.example/runbook/drift", False),
        ("https://jobs.example.elsewhere/runbook/drift", False),
        (None, False),
    ],
)
def test_only_links_to_the_api_are_signed(runbook, signed):
    book, teams = Book(), Channel("teams")
    rule_alert(book, News.FIRED, runbook=runbook)
    retry_alerts(services_with(teams, book=book), CREATED)
    (alert,) = teams.sent
    assert ("signature=" in (alert.runbook or "")) == signed


@pytest.mark.parametrize("criticality", [Criticality.NONE, Criticality.LOW])
def test_a_file_below_the_set_criticality_alerts_nobody_and_leaves_no_row(criticality):
    teams = Channel("teams")
    services = services_with(teams, minimum=Criticality.MEDIUM)
    assert send_alerts(services, CLAIM, VERDICT, criticality) == []
    assert not teams.sent
    assert not services.store.alerts.rows


def test_without_channels_nothing_is_recorded():
    services = services_with()
    assert send_alerts(services, CLAIM, VERDICT, Criticality.HIGH) == []
    assert not services.store.alerts.rows


def test_a_failed_channel_is_recorded_and_a_repeat_asks_it_alone():
    teams, mail = Channel("teams", works=False), Channel("mailto")
    services = services_with(teams, mail)
    send_alerts(services, CLAIM, VERDICT, Criticality.HIGH)
    failed = services.store.alerts.rows[1]
    assert (failed.status, failed.attempts, failed.last_error) == ("failed", 1, "HTTP 500")
    teams.works = True
    send_alerts(services, CLAIM, VERDICT, Criticality.HIGH)
    assert [len(teams.sent), len(mail.sent)] == [2, 1]
    assert services.store.alerts.rows[1].status == "delivered"


def test_a_retry_waits_twice_as_long_after_each_try_and_says_the_same():
    teams = Channel("teams", works=False)
    services = services_with(teams)
    send_alerts(services, CLAIM, VERDICT, Criticality.HIGH)
    assert retry_alerts(services, CREATED + timedelta(seconds=59)) == []
    assert len(retry_alerts(services, CREATED + timedelta(seconds=60))) == 1
    assert retry_alerts(services, CREATED + timedelta(seconds=119)) == []
    teams.works = True
    assert retry_alerts(services, CREATED + timedelta(seconds=120)) == [
        Delivery("teams", ok=True, status=202)
    ]
    assert retry_alerts(services, CREATED + timedelta(days=1)) == []
    first, *_, last = teams.sent
    assert unsigned(last) == dataclasses.replace(unsigned(first), file=r"raw\udcff.csv")
    assert text_of(unsigned(last)) == text_of(unsigned(first))


def test_an_alert_left_by_a_killed_worker_is_sent_by_the_next():
    book = Book()
    killed = services_with(Channel("teams"), book=book)
    alert = Alert(
        run_id="r",
        file="f",
        criticality=Criticality.LOW,
        rows_total=1,
        rows_invalid=1,
        started_at=CREATED,
    )
    killed.store.alerts.record(
        claim=CLAIM,
        kind="file",
        severity="low",
        title="t",
        body=alert.to_body(),
        channel="teams",
    )
    teams = Channel("teams")
    retry_alerts(services_with(teams, book=book), CREATED + timedelta(seconds=30))
    assert teams.sent == [alert]


def test_a_channel_that_fails_is_asked_once_in_a_round_of_retries():
    teams = Channel("teams", works=False)
    services = services_with(teams)
    for number in range(3):
        claim = SimpleNamespace(**vars(CLAIM) | {"run_id": f"r{number}"})
        send_alerts(services, claim, VERDICT, Criticality.HIGH)
    assert len(retry_alerts(services, CREATED + timedelta(hours=1))) == 1
    assert len(teams.sent) == 4


def test_an_alert_for_a_channel_that_was_taken_away_comes_to_rest():
    services = services_with(Channel("teams", works=False))
    send_alerts(services, CLAIM, VERDICT, Criticality.HIGH)
    without = services_with(book=services.store.alerts)
    for _ in range(20):
        retry_alerts(without, CREATED + timedelta(days=9))
    row = services.store.alerts.rows[1]
    assert (row.attempts, row.last_error) == (10, "this channel is no longer set up")


def test_alerts_of_other_kinds_are_left_to_others():
    services = services_with(Channel("teams"))
    services.store.alerts.record(kind="drift", severity="high", title="t", body={}, channel="teams")
    assert retry_alerts(services, CREATED + timedelta(days=1)) == []


def rule_alert(book, news, channel="teams", runbook=None, rule="drift"):
    alert = RuleAlert(
        rule=rule,
        summary="It drifts",
        meaning="It is off.",
        severity=Severity.CRITICAL,
        news=news,
        value=1.0,
        above=0.0,
        unit=Unit.COUNT,
        since=CREATED,
        at=CREATED,
        runbook=runbook,
    )
    book.record(
        kind="rule",
        severity="critical",
        title=alert.headline,
        body=alert.to_body(),
        channel=channel,
    )
    return alert


def test_what_was_never_tried_is_due_at_once():
    book, teams = Book(), Channel("teams")
    fired = rule_alert(book, News.FIRED)
    retry_alerts(services_with(teams, book=book), CREATED)
    assert teams.sent == [fired]


def test_nobody_hears_that_something_is_over_before_that_it_began():
    book, teams, mail = Book(), Channel("teams", works=False), Channel("mailto")
    services = services_with(teams, mail, book=book)
    for channel in ("teams", "mailto"):
        rule_alert(book, News.FIRED, channel)
    retry_alerts(services, CREATED)
    for channel in ("teams", "mailto"):
        rule_alert(book, News.OVER, channel)
    teams.works = True
    retry_alerts(services, CREATED + timedelta(seconds=1))  # the first is not due again yet
    assert [alert.news for alert in teams.sent] == [News.FIRED]
    assert [alert.news for alert in mail.sent] == [News.FIRED, News.OVER]
    retry_alerts(services, CREATED + timedelta(minutes=2))
    assert [alert.news for alert in teams.sent] == [News.FIRED, News.FIRED, News.OVER]


def test_a_channel_that_hangs_delays_no_other():
    book, heard = Book(), threading.Event()

    class Hanging(Channel):
        def send(self, alert):
            self.other_was_told = heard.wait(20)
            return super().send(alert)

    class Hearing(Channel):
        def send(self, alert):
            heard.set()
            return super().send(alert)

    hanging, mail = Hanging("teams"), Hearing("mailto")
    for channel in ("teams", "mailto"):
        rule_alert(book, News.FIRED, channel)
    deliveries = retry_alerts(services_with(hanging, mail, book=book), CREATED)
    assert hanging.other_was_told
    assert [(d.channel, d.ok) for d in deliveries] == [("teams", True), ("mailto", True)]


def test_an_alert_that_another_version_wrote_keeps_no_other_from_being_told():
    book, teams = Book(), Channel("teams")
    rule_alert(book, News.FIRED)
    strange = book.rows[1].body | {"of_later": True}
    book.rows[1] = dataclasses.replace(book.rows[1], body=strange)
    book.record(kind="file", severity="low", title="t", body={}, channel="teams")
    other = rule_alert(book, News.FIRED, rule="errors")
    services = services_with(teams, book=book)
    for _ in range(20):
        retry_alerts(services, CREATED + timedelta(days=9))
    assert teams.sent == [other]
    said = "it was written by another version of jobchurn"
    assert [(r.attempts, r.last_error) for r in list(book.rows.values())[:2]] == [(10, said)] * 2


def test_what_another_messenger_is_sending_is_left_to_it():
    book, teams = Book(), Channel("teams")
    rule_alert(book, News.FIRED)
    rule_alert(book, News.OVER)
    book.taken = {1}
    assert [d.ok for d in retry_alerts(services_with(teams, book=book), CREATED)] == []
    assert teams.sent == []
