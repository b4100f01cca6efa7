"""Models: registered once, one in charge, the one before it remembered."""

import pytest
import sqlalchemy as sa

from jobchurn.errors import ModelCorrupt, NotFound
from jobchurn.store.engine import engine_of
from store_work import at_once

A, B = "lgbm-aaaaaaaaaaaa", "lgbm-bbbbbbbbbbbb"


def added(store, *versions):
    for version in versions:
        store.models.add(version, "1" * 64, "2" * 64, {"metrics": {"auc": 0.81}})


def test_a_version_is_registered_with_its_card(store):
    store.models.add(A, "1" * 64, "2" * 64, {"levels": {"x": ["\x00", "ä"]}, "trees": 85})
    model = store.models.get(A)
    assert (model.version, model.sha256, model.card_sha256) == (A, "1" * 64, "2" * 64)
    assert model.card == {"levels": {"x": ["\x00", "ä"]}, "trees": 85}
    assert (model.promoted_at, model.champion) == (None, False)


def test_registering_a_version_again_changes_nothing(store):
    added(store, A)
    before = store.models.get(A)
    added(store, A)
    assert store.models.list() == [before]


@pytest.mark.parametrize("hashes", [("3" * 64, "2" * 64), ("1" * 64, "3" * 64)])
def test_a_version_is_never_registered_with_other_files(store, hashes):
    added(store, A)
    with pytest.raises(ModelCorrupt, match=A):
        store.models.add(A, *hashes, {})


def test_there_is_no_champion_until_one_is_promoted(store):
    added(store, A)
    assert store.models.champion() is None
    store.models.promote(A)
    assert store.models.champion() == A


def test_versions_are_listed_the_newest_first(store):
    added(store, A, B)
    assert [model.version for model in store.models.list()] == [B, A]


def test_promoting_the_champion_again_changes_nothing(store):
    added(store, A)
    store.models.promote(A)
    before = store.models.get(A)
    store.models.promote(A)
    assert store.models.get(A) == before


def test_rolling_back_puts_the_one_before_in_charge(store):
    added(store, A, B, "c")
    for version in (A, B, "c"):
        store.models.promote(version)
    assert store.models.rollback() == B
    assert store.models.champion() == B
    assert store.models.rollback() == A
    with pytest.raises(NotFound, match="before the present one"):
        store.models.rollback()
    assert store.models.champion() == A


def test_a_version_that_was_rolled_back_can_be_promoted_again(store):
    added(store, A, B)
    for version in (A, B):
        store.models.promote(version)
    store.models.rollback()
    store.models.promote(B)
    assert store.models.rollback() == A


def test_without_a_champion_there_is_nothing_to_roll_back_to(store):
    added(store, A)
    with pytest.raises(NotFound, match="before the present one"):
        store.models.rollback()


@pytest.mark.parametrize("asked", ["get", "promote"])
def test_an_unknown_version_is_not_found(store, asked):
    with pytest.raises(NotFound, match="No model x"):
        getattr(store.models, asked)("x")


def test_of_many_that_promote_at_once_one_ends_in_charge(store):
    versions = [f"lgbm-{n}" for n in range(6)]
    added(store, *versions)
    results = at_once(6, lambda n: store.models.promote(versions[n]))
    assert results == [None] * 6
    assert [model.champion for model in store.models.list()].count(True) == 1


def test_the_baselines_of_a_card_are_kept_feature_by_feature(store, database, contract):
    feature = contract.features[0]
    card = {"baseline": {"columns": {feature.name: {"rows": 3}, "gone": {}}, "score": {"rows": 2}}}
    store.models.add(A, "1" * 64, "2" * 64, card)
    store.models.add(A, "1" * 64, "2" * 64, card)
    engine = engine_of(database)
    with engine.connect() as connection:
        rows = connection.execute(sa.text("TABLE feature_baseline")).all()
    engine.dispose()
    assert sorted(rows) == sorted(
        [
            (A, feature.name, feature.kind, {"rows": 3}),
            (A, "gone", "unknown", {}),
            (A, "score", "score", {"rows": 2}),
        ],
    )
