"""The registry over a real database: files once written, hashes held, one version in charge."""

import dataclasses
import json

import pytest

from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import ContractMismatch, ModelCorrupt, NoChampion, NotFound
from jobchurn.model import Model
from jobchurn.registry import Registry
from small_model import random_records, small_model
from toy import TOY

RECORDS = random_records(JOB_CHANGE, 20)


@pytest.fixture(scope="module")
def first():
    return small_model(JOB_CHANGE, seed=0)


@pytest.fixture(scope="module")
def second():
    return small_model(JOB_CHANGE, seed=1)


@pytest.fixture
def registry(store, tmp_path):
    return Registry(tmp_path, store.models, JOB_CHANGE)


def at_another_time(model):
    """The same model, trained at another moment."""
    card = dataclasses.replace(model.card, created_at="2027-01-01T00:00:00+00:00")
    return Model(model.text, card, JOB_CHANGE)


def test_a_model_is_added_and_loaded_as_it_was(registry, first):
    version = registry.add(first)
    loaded = registry.load(version)
    assert loaded.version == version == first.version
    assert loaded.card == first.card
    assert loaded.probabilities(RECORDS).tolist() == first.probabilities(RECORDS).tolist()


def test_adding_puts_nobody_in_charge(registry, first):
    registry.add(first)
    with pytest.raises(NoChampion, match="jobchurn train"):
        registry.champion()
    assert registry.known_levels() == {}


def test_adding_the_same_model_again_changes_nothing(registry, first, tmp_path):
    registry.add(first)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    assert registry.add(at_another_time(first)) == first.version
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before
    assert len(registry.list()) == 1
    assert registry.load(first.version).card == first.card


def test_a_model_whose_adding_was_cut_short_is_added_the_next_time(registry, first, tmp_path):
    first.save(tmp_path / first.version)  # killed before the database heard of it
    registry.add(at_another_time(first))
    assert registry.load(first.version).card == first.card


def test_lost_files_are_brought_back_by_adding_the_model_again(registry, first, tmp_path):
    registry.add(first)
    for path in (tmp_path / first.version).iterdir():
        path.unlink()
    (tmp_path / first.version).rmdir()
    with pytest.raises(ModelCorrupt):
        registry.load(first.version)
    registry.add(at_another_time(first))
    assert registry.load(first.version).card == first.card


def test_the_champion_is_the_version_that_was_promoted(registry, first, second):
    for model in (first, second):
        registry.add(model)
    registry.promote(first.version)
    assert registry.champion().version == first.version
    registry.promote(second.version)
    assert registry.champion().version == second.version


def test_the_champion_is_loaded_once_and_its_change_seen_at_once(registry, first, second, store):
    for model in (first, second):
        registry.add(model)
    registry.promote(first.version)
    assert registry.champion() is registry.champion()
    store.models.promote(second.version)  # by another process
    assert registry.champion().version == second.version


def test_rolling_back_puts_the_version_before_in_charge(registry, first, second):
    for model in (first, second):
        registry.add(model)
        registry.promote(model.version)
    assert registry.rollback() == first.version
    assert registry.champion().version == first.version


def test_without_a_version_before_there_is_nothing_to_roll_back_to(registry, first):
    registry.add(first)
    registry.promote(first.version)
    with pytest.raises(NotFound):
        registry.rollback()


def test_versions_are_listed_with_their_cards(registry, first, second):
    for model in (first, second):
        registry.add(model)
    assert {known.version: known.card["rows"] for known in registry.list()} == {
        first.version: first.card.rows,
        second.version: second.card.rows,
    }


def test_an_unknown_version_is_told(registry):
    for call in (registry.load, registry.promote):
        with pytest.raises(NotFound, match="lgbm-none"):
            call("lgbm-none")


@pytest.mark.parametrize("name", ["model.txt", "card.json"])
def test_a_file_of_other_bytes_is_never_loaded_nor_promoted(registry, first, tmp_path, name):
    registry.add(first)
    path = tmp_path / first.version / name
    path.write_bytes(path.read_bytes() + b"\n")
    for call in (registry.load, registry.promote):
        with pytest.raises(ModelCorrupt, match="registered is"):
            call(first.version)


def test_a_card_with_prettier_metrics_is_never_loaded(registry, first, tmp_path):
    registry.add(first)
    path = tmp_path / first.version / "card.json"
    card = json.loads(path.read_text())
    card["metrics"]["roc_auc"] = 0.99
    path.write_text(json.dumps(card))
    with pytest.raises(ModelCorrupt, match=r"card\.json"):
        registry.load(first.version)


def test_a_model_of_another_contract_is_not_loaded(registry, first, store, tmp_path):
    registry.add(first)
    with pytest.raises(ContractMismatch, match="machine-failure"):
        Registry(tmp_path, store.models, TOY).load(first.version)


def test_the_champions_levels_are_known_without_its_trees(registry, first, tmp_path):
    registry.add(first)
    registry.promote(first.version)
    (tmp_path / first.version / "model.txt").unlink()
    expected = {name: frozenset(levels) for name, levels in first.card.levels.items()}
    assert registry.known_levels() == expected
    assert all(expected.values())
