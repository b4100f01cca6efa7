"""The lab, on a real database and with the real rules: alarms that go off and end, or none."""

import dataclasses
import json
from collections import Counter
from datetime import timedelta

import pytest

from jobchurn.errors import BaselineUnusable, NotFound
from jobchurn.flow import ingest, lab
from jobchurn.flow.score import score_new
from jobchurn.notify import Notifier, TeamsSender
from jobchurn.panels import rules_of
from small_model import small_model
from watched_house import WINDOW, watched_house
from webhook import listener


@pytest.fixture(autouse=True)
def _no_waiting_for_commits(monkeypatch):
    """One process writes here and watches afterwards: nothing can be committed out of order."""
    monkeypatch.setattr("jobchurn.store.drift._RIPE", timedelta(0))


@pytest.fixture
def house(store, tmp_path):
    return watched_house(store, tmp_path / "home")


class Lab:
    """Runs experiments in a house, and knows what was said and sent meanwhile."""

    def __init__(self, house, hook):
        self.house = dataclasses.replace(house, notifier=Notifier([TeamsSender(hook.webhook)]))
        self.hook, self.said = hook, []

    def run(self, experiment, **options):
        return experiment(self.house, self.said.append, ripe_seconds=0, **options)

    @property
    def told(self):
        """The headlines of the cards, without those of files."""
        sent = [json.loads(content) for _, _, content in self.hook.received]
        heads = [one["attachments"][0]["content"]["body"][0]["text"] for one in sent]
        titles = [rule.title for rule in rules_of(self.house.contract)]
        return [head for head in heads if head.partition(": ")[2] in titles]

    def told_of(self, name):
        [rule] = [rule for rule in rules_of(self.house.contract) if rule.name == name]
        return [head.partition(": ")[0] for head in self.told if head.endswith(rule.title)]


@pytest.fixture
def laboratory(house):
    with listener() as hook:
        yield Lab(house, hook)


def sent(house):
    """How many predictions there are, and from which files."""
    rows, _ = house.store.predictions.page(limit=10_000)
    return Counter(row.file_name for row in rows)


def test_a_shift_raises_one_alert_and_its_end_one_all_clear(laboratory):
    finding = laboratory.run(lab.drift, feature="training_hours", strength=1.0)
    assert finding.as_expected, laboratory.said
    assert laboratory.told_of("drift") == ["Critical", "Over"]
    said = "\n".join(laboratory.said)
    assert "page: " in said
    assert "training_hours (p " in said
    assert "kept among the predictions" in said
    files = sent(laboratory.house)
    assert all(name.startswith("lab-drift-") for name in files)
    assert set(files.values()) == {WINDOW}


def test_a_shift_of_a_category_and_one_to_blank_are_found_too(laboratory):
    assert laboratory.run(lab.drift, feature="education_level", strength=0.5).as_expected
    assert laboratory.run(lab.drift, feature="company_size", strength=0.5, blank=True).as_expected
    assert laboratory.told_of("drift") == ["Critical", "Over"] * 2


def test_a_shift_that_is_none_is_told_from_one(laboratory):
    finding = laboratory.run(lab.drift, feature="training_hours", strength=0.001)
    assert not finding.as_expected
    assert "No alarm came" in finding.words
    assert laboratory.told_of("drift") == []


def test_a_feature_that_is_none_is_refused_before_anything_is_sent(laboratory):
    with pytest.raises(NotFound, match="Did you mean training_hours"):
        laboratory.run(lab.drift, feature="training_hour", strength=0.3)
    assert not sent(laboratory.house)


def test_a_champion_that_nothing_can_be_compared_with_is_said_before_anything_is_sent(laboratory):
    silent = small_model(laboratory.house.contract)  # its card has no baseline
    laboratory.house.registry.add(silent)
    laboratory.house.registry.promote(silent.version)
    with pytest.raises(BaselineUnusable, match="does not say enough"):
        laboratory.run(lab.drift, feature="training_hours", strength=0.3)
    assert not sent(laboratory.house)


def test_an_experiment_ends_when_its_time_is_up(laboratory):
    finding = laboratory.run(lab.drift, feature="training_hours", strength=1.0, minutes=1e-9)
    assert not finding.as_expected
    assert "minutes" in finding.words


def test_bad_rows_raise_one_alert_and_good_ones_end_it(laboratory):
    finding = laboratory.run(lab.bad_rows)
    assert finding.as_expected, laboratory.said
    assert laboratory.told_of("bad-rows") == ["Warning", "Over"]


def test_bad_rows_outweigh_what_came_before(laboratory):
    laboratory.run(lab.quiet, hours=0.1)
    assert laboratory.run(lab.bad_rows).as_expected, laboratory.said


def test_a_single_answer_raises_one_alert_and_others_end_it(laboratory):
    laboratory.run(lab.quiet, hours=0.1)  # a house in use, which gives both answers
    finding = laboratory.run(lab.one_class)
    assert finding.as_expected, laboratory.said
    assert laboratory.told_of("one-class") == ["Critical", "Over"]


def test_a_quiet_stream_raises_nothing(laboratory):
    finding = laboratory.run(lab.quiet, hours=0.2)
    assert finding.as_expected, laboratory.said
    assert "24 windows were judged" in finding.words
    assert laboratory.hook.received == []


def test_without_a_channel_the_alarm_is_seen_and_nobody_told(house):
    said = []
    finding = lab.drift(house, said.append, feature="training_hours", strength=1.0, ripe_seconds=0)
    assert finding.as_expected
    assert any("Nobody is told" in line for line in said)
    kept = house.store.alerts.latest()
    assert [(alert.channel, alert.status) for alert in kept] == [("nobody", "skipped")] * 2
    assert [alert.title.partition(":")[0] for alert in kept] == ["Over", "Critical"]
    assert house.store.alerts.pending() == []


def test_files_that_another_worker_takes_are_waited_for(laboratory, monkeypatch):
    taken = ingest.ingest_one

    def taken_by_another(services, *, trigger, file):
        run = taken(services, trigger="dag", file=file)
        list(score_new(services))
        return None if run.rows_total % 2 else ingest.read_data(services, trigger="x", file=file)

    monkeypatch.setattr("jobchurn.flow.lab.stream.ingest_one", taken_by_another)
    finding = laboratory.run(lab.drift, feature="training_hours", strength=1.0)
    assert finding.as_expected, laboratory.said
    assert {run.trigger for run in laboratory.house.store.runs.finished()} == {"dag"}
