"""The lab's rows: where they come from, and what a shift makes of them."""

from random import Random

import numpy as np
import pytest

from jobchurn import synth
from jobchurn.contract import JOB_CHANGE, Kind
from jobchurn.drift import baseline_of
from jobchurn.errors import DataUnusable, InvalidRequest, NotFound
from jobchurn.files import Folders
from jobchurn.flow.dataset import DataFolder
from jobchurn.flow.lab.rows import shift_of, source_of
from jobchurn.flow.services import Services
from jobchurn.settings import Settings

INPUTS = [column.name for column in JOB_CHANGE.inputs]


def house(home, **settings):
    folders = Folders(home)
    folders.make()
    return Services(
        settings=Settings(jobchurn_home=home, **settings),
        contract=JOB_CHANGE,
        folders=folders,
        store=None,
        registry=None,
        policy=None,
    )


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    draw, _ = source_of(house(tmp_path_factory.mktemp("home")))
    return draw(4_000)


@pytest.fixture(scope="module")
def baseline(records):
    columns = {name: [record[name] for record in records] for name in INPUTS}
    return baseline_of(JOB_CHANGE, columns, [0.3] * len(records))["columns"]


def shifted(records, baseline, feature, strength, blank=False):
    shift = shift_of(JOB_CHANGE, baseline, feature, strength, blank=blank)
    return [record[feature] for record in shift.applied(records, Random(0))]


def test_built_in_rows_are_never_twice_the_same(tmp_path):
    draw, origin = source_of(house(tmp_path))
    assert "built-in" in origin
    assert draw(50) != draw(50)
    for record in draw(50):
        assert all(JOB_CHANGE[name].admits(value) for name, value in record.items())


def test_the_built_in_data_set_in_the_home_is_known_for_what_it_is(tmp_path):
    services = house(tmp_path)
    synth.write_csv(DataFolder(services.folders.data).dataset)
    assert "built-in" in source_of(services)[1]


def own_data(home, rows=30, **settings):
    """A home with other data than the built-in, a part of which is set aside to be streamed."""
    services = house(home, **settings)
    folder = DataFolder(services.folders.data)
    synth.write_csv(folder.dataset, rows=60, seed=5)
    synth.write_csv(folder.streaming, rows=rows, seed=6)
    return services


def test_rows_of_other_data_are_drawn_from_what_was_set_aside_to_stream(tmp_path):
    draw, origin = source_of(own_data(tmp_path))
    assert "streaming.csv" in origin
    texts = synth.generate(30, seed=6)
    known = {
        tuple(JOB_CHANGE[name].read(text) for name, text in zip(texts, row, strict=True))
        for row in zip(*texts.values(), strict=True)
    }
    drawn = draw(200)
    assert {tuple(record[name] for name in texts) for record in drawn} <= known
    assert len(drawn) == 200


def test_a_data_set_of_ones_own_that_was_never_split_is_not_replaced_by_another(tmp_path):
    services = house(tmp_path, jobchurn_csv=tmp_path / "own.csv")
    with pytest.raises(DataUnusable, match="data split"):
        source_of(services)


@pytest.mark.parametrize(
    "feature", [column.name for column in JOB_CHANGE.inputs if column.is_numeric]
)
def test_a_number_grows_by_its_strength_within_its_range(records, baseline, feature):
    column = JOB_CHANGE[feature]
    before = [record[feature] for record in records]
    after = shifted(records, baseline, feature, 0.3)
    assert all(column.admits(value) for value in after)
    assert np.mean(after) - np.mean(before) == pytest.approx(0.3 * np.std(before), rel=0.35)
    assert {type(value) for value in after} == {int if column.kind is Kind.INTEGER else float}


def test_a_shift_far_beyond_the_range_ends_at_its_bound(records, baseline):
    [feature] = [c.name for c in JOB_CHANGE.inputs if c.kind is Kind.NUMBER]
    assert set(shifted(records, baseline, feature, 1e6)) == {JOB_CHANGE[feature].maximum}
    assert set(shifted(records, baseline, feature, -1e6)) == {JOB_CHANGE[feature].minimum}


@pytest.mark.parametrize(
    "feature", [column.name for column in JOB_CHANGE.inputs if not column.is_numeric]
)
def test_one_level_that_is_not_the_commonest_takes_the_share(records, baseline, feature):
    before = [record[feature] for record in records]
    after = shifted(records, baseline, feature, 0.3)
    levels = baseline[feature]["levels"]
    gained = max(levels, key=lambda level: after.count(level) - before.count(level))
    assert levels[gained] < max(levels.values())
    share = before.count(gained) / len(before)
    assert after.count(gained) / len(after) == pytest.approx(share + 0.3 * (1 - share), abs=0.03)


@pytest.mark.parametrize(
    "feature", [column.name for column in JOB_CHANGE.inputs if not column.required]
)
def test_the_share_goes_blank_when_asked(records, baseline, feature):
    after = shifted(records, baseline, feature, 0.5, blank=True)
    before = sum(record[feature] is None for record in records) / len(records)
    share = sum(value is None for value in after) / len(after)
    assert share == pytest.approx(before + 0.5 * (1 - before), abs=0.03)


def test_the_rows_themselves_stay_as_they_were(records, baseline):
    before = [dict(record) for record in records]
    for feature in INPUTS:
        shifted(records, baseline, feature, 0.5)
    assert records == before


def test_a_feature_that_is_none_is_answered_with_the_nearest(baseline):
    with pytest.raises(NotFound, match="Did you mean training_hours"):
        shift_of(JOB_CHANGE, baseline, "trainig_hours", 0.3, blank=False)
    with pytest.raises(NotFound, match="Choose among"):
        shift_of(JOB_CHANGE, baseline, "target", 0.3, blank=False)


def test_what_cannot_be_done_is_refused(baseline):
    for feature, strength, blank in (
        ("gender", 0.0, False),
        ("gender", 1.5, False),
        ("gender", 1.5, True),
        ("gender", float("nan"), False),
        ("training_hours", 0.0, False),
        ("training_hours", float("nan"), False),
        ("training_hours", float("inf"), False),
        ("training_hours", 0.3, True),
    ):
        with pytest.raises(InvalidRequest):
            shift_of(JOB_CHANGE, baseline, feature, strength, blank=blank)
