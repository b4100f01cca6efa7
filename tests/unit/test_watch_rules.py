"""Evaluating the rules: what is read, what is kept, what people are told; and what may fail."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from jobchurn import panels
from jobchurn.errors import DatabaseUnreachable
from jobchurn.flow.watch import evaluate_rules
from jobchurn.notify import News, Notifier, RuleAlert
from jobchurn.panels import AlertRule, Severity
from jobchurn.settings import Settings

NOW = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)


class States:
    """The ``alert_states`` and ``alerts`` tables, in memory: both are written or neither is."""

    def __init__(self):
        self.kept, self.alerts = {}, []

    def change(self, name, decide):
        state, alerts = decide(self.kept.get(name), NOW)
        self.kept[name] = state
        self.alerts += alerts
        return alerts


class Readings:
    """What the database answers to a rule's query."""

    def __init__(self, answers):
        self.answers, self.asked = answers, []

    def read(self, sql):
        self.asked.append(sql)
        answer = self.answers[sql.split()[1]]
        if isinstance(answer, Exception):
            raise answer
        return SimpleNamespace(columns=answer[0], rows=answer[1], more=False)


def rule(**changes):
    fields = {
        "title": "There are too many",
        "description": "More than two.",
        "severity": Severity.WARNING,
        "within_seconds": 60,
        "above": 2.0,
        "dashboard": "service",
        "panel": 1,
    }
    return AlertRule(**fields | changes)


def value(number):
    return ("time", "value"), [(NOW, number)]


@contextmanager
def rules(monkeypatch, *chosen):
    with monkeypatch.context() as patched:
        patched.setattr(panels, "rules_of", lambda _: chosen)
        yield


def house(answers, channels=("teams", "mailto"), states=None):
    senders = [SimpleNamespace(channel=channel) for channel in channels]
    return SimpleNamespace(
        settings=Settings(api_public_url="https://jobs.example", grafana_url="https://g.example/"),
        contract=None,
        store=SimpleNamespace(panels=Readings(answers), alert_states=states or States()),
        notifier=Notifier(senders),
    )


@pytest.fixture
def evaluated(monkeypatch):
    """Evaluates rules by the names of which their queries are known."""

    def evaluated(services, *chosen, now=None):
        with rules(monkeypatch, *chosen):
            return evaluate_rules(services, now)

    return evaluated


def asking(name, **changes):
    return rule(name=name, sql=f"SELECT {name} FROM t WHERE $__timeFilter(at)", **changes)


def test_a_rule_that_holds_is_recorded_for_every_channel_with_its_links(evaluated):
    services = house({"a": value(5)})
    [said] = evaluated(services, asking("a"))
    assert (said.state, said.value, said.news, said.error) == ("firing", 5.0, News.FIRED, None)
    states = services.store.alert_states
    assert [alert.channel for alert in states.alerts] == ["teams", "mailto"]
    message = RuleAlert.from_body(states.alerts[0].body)
    assert message.news is News.FIRED
    assert [link.address for link in message.links] == [
        "https://jobs.example/runbook/a",
        "https://g.example/d/service",
    ]
    assert states.alerts[0].title == message.headline


def test_a_rule_looks_back_over_its_own_time(evaluated):
    services = house({"a": value(0)})
    evaluated(services, asking("a", within_seconds=600))
    [asked] = services.store.panels.asked
    assert "2026-11-24T07:20:00" in asked
    assert "2026-11-24T07:30:00" in asked
    evaluated(services, asking("a"), now=NOW + timedelta(days=1))
    assert "2026-11-25T07:30:00" in services.store.panels.asked[-1]


def test_details_are_read_when_there_is_something_to_say(evaluated):
    services = house({"a": value(5), "lines": (("line",), [("one",), ("two",)])})
    chosen = asking("a", details="SELECT lines")
    evaluated(services, chosen)
    assert RuleAlert.from_body(services.store.alert_states.alerts[0].body).details == (
        "one",
        "two",
    )
    evaluated(services, chosen)
    assert sum("lines" in sql for sql in services.store.panels.asked) == 1


def test_details_that_cannot_be_read_keep_no_alert_back(evaluated):
    services = house({"a": value(5), "lines": DatabaseUnreachable("too slow")})
    [said] = evaluated(services, asking("a", details="SELECT lines"))
    assert said.news is News.FIRED
    [line] = RuleAlert.from_body(services.store.alert_states.alerts[0].body).details
    assert "could not be read" in line


@pytest.mark.parametrize(
    "answer",
    [
        DatabaseUnreachable("The database did not answer in time."),
        (("time", "value"), []),
        (("time", "value"), [(NOW, 1), (NOW, 2)]),
        (("time", "number"), [(NOW, 9)]),
        value(None),
        value(float("nan")),
        value("9"),
    ],
)
def test_a_rule_that_cannot_be_evaluated_stops_no_other(evaluated, answer):
    services = house({"a": answer, "b": value(9)})
    first, second = evaluated(services, asking("a"), asking("b"))
    assert (first.state, first.value, first.news) == ("ok", None, None)
    assert first.error
    assert second.news is News.FIRED
    assert services.store.alert_states.kept["a"].error == first.error


def test_a_rule_with_an_unknown_macro_is_an_error_of_that_rule(evaluated):
    services = house({"b": value(0)})
    broken, sound = evaluated(services, rule(name="a", sql="SELECT $__nothing(x)"), asking("b"))
    assert broken.error
    assert sound.error is None


def test_a_failing_query_keeps_an_alarm_as_it_was_and_tells_nobody(evaluated):
    services = house({"a": value(9)})
    evaluated(services, asking("a"))
    services.store.panels.answers["a"] = DatabaseUnreachable("gone")
    [said] = evaluated(services, asking("a"))
    assert (said.state, said.value, said.error) == ("firing", None, "gone")
    services.store.panels.answers["a"] = value(9)
    [said] = evaluated(services, asking("a"))
    assert (said.state, said.news, said.error) == ("firing", None, None)
    assert len(services.store.alert_states.alerts) == 2  # one a channel


def test_what_ingestion_tells_itself_only_keeps_its_state(evaluated):
    services = house({"a": value(9)})
    [said] = evaluated(services, asking("a", told_by_ingestion=True))
    assert (said.state, said.news) == ("firing", None)
    services.store.panels.answers["a"] = value(0)
    [said] = evaluated(services, asking("a", told_by_ingestion=True))
    assert (said.state, said.news) == ("ok", None)
    assert services.store.alert_states.alerts == []


def test_without_channels_nobody_is_told_and_what_there_was_to_say_is_kept_once(evaluated):
    services = house({"a": value(9)}, channels=())
    for number, state in ((9, "firing"), (9, "firing"), (1, "ok"), (1, "ok")):
        services.store.panels.answers["a"] = value(number)
        [said] = evaluated(services, asking("a"))
        assert (said.state, said.news) == (state, None)
    assert services.store.alert_states.kept["a"].told_at is None
    kept = services.store.alert_states.alerts
    assert [(a.channel, a.status) for a in kept] == [("nobody", "skipped")] * 2
    assert [RuleAlert.from_body(a.body).news for a in kept] == [News.FIRED, News.OVER]


def test_who_can_be_told_later_is_told_then_although_it_was_kept_before(evaluated):
    states = States()
    evaluated(house({"a": value(9)}, channels=(), states=states), asking("a"))
    [said] = evaluated(house({"a": value(9)}, channels=("teams",), states=states), asking("a"))
    assert said.news is News.FIRED
    assert [(a.channel, a.status) for a in states.alerts] == [
        ("nobody", "skipped"),
        ("teams", "pending"),
    ]


def test_an_all_clear_says_what_it_means_and_not_what_the_alarm_meant(evaluated):
    services = house({"a": value(9)}, channels=("teams",))
    chosen = asking("a", over="At most two, or nobody counted.")
    evaluated(services, chosen)
    services.store.panels.answers["a"] = value(1)
    evaluated(services, chosen)
    messages = [RuleAlert.from_body(a.body) for a in services.store.alert_states.alerts]
    assert [message.explanation for message in messages] == [
        "More than two.",
        "At most two, or nobody counted.",
    ]


def test_an_all_clear_goes_to_those_who_were_told(evaluated):
    services = house({"a": value(9)})
    evaluated(services, asking("a"))
    services.store.panels.answers["a"] = value(1)
    [said] = evaluated(services, asking("a"))
    assert (said.state, said.news) == ("ok", News.OVER)
    assert [RuleAlert.from_body(a.body).news for a in services.store.alert_states.alerts] == [
        News.FIRED,
        News.FIRED,
        News.OVER,
        News.OVER,
    ]
