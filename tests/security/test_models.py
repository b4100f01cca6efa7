"""A model file that is wrong, cut or swapped is never served; the API says what is the matter."""

import pickle
import random
import shutil
from dataclasses import replace

import pytest

from api_house import RECORD, open_house, serving
from jobchurn.errors import ModelCorrupt
from jobchurn.registry import Registry
from small_model import small_model

FLIPS = 40
CUTS = 20


class Bomb:
    """A pickle that leaves a trace where somebody loads it."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return (open, (str(self.trace), "w"))


@pytest.fixture
def house(store, tmp_path):
    """Services, a champion, and another version that is registered."""
    services = open_house(store, tmp_path)
    services.registry.add(small_model(services.contract, seed=1))
    return services


def files_of(house, version=None):
    """The files of a version, of the champion's by default."""
    folder = house.folders.models / (version or house.store.models.champion())
    return sorted(path for path in folder.iterdir() if path.is_file())


def other_version(house):
    champion = house.store.models.champion()
    return next(one.version for one in house.registry.list() if one.version != champion)


def answer(house):
    """What a fresh API says to a request; and what to whether it is ready."""
    # A process that has loaded a model keeps it: this one has loaded none.
    registry = Registry(house.folders.models, house.store.models, house.contract)
    with serving(replace(house, registry=registry)) as client:
        asked = client.post("/predict", json={"records": [RECORD]})
        return asked, client.get("/ready")


def refused(house):
    asked, ready = answer(house)
    assert ready.status_code == 503
    assert "predictions" not in asked.json()
    return asked.status_code == 503 and "cure" in asked.json()


def test_the_champion_as_it_was_registered_is_served(house):
    asked, ready = answer(house)
    assert asked.status_code == 200
    assert asked.json()["model_version"] == house.store.models.champion()
    assert ready.status_code == 200


@pytest.mark.parametrize("place", [0, 1])
def test_no_file_with_a_bit_flipped_is_loaded(house, place):
    path = files_of(house)[place]
    whole = path.read_bytes()
    chance = random.Random(place)
    for _ in range(FLIPS):
        changed = bytearray(whole)
        changed[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        with pytest.raises(ModelCorrupt):
            house.registry.load(house.store.models.champion())
    assert refused(house)


@pytest.mark.parametrize("place", [0, 1])
def test_no_file_that_was_cut_or_grew_is_loaded(house, place):
    path = files_of(house)[place]
    whole = path.read_bytes()
    for length in range(0, len(whole), len(whole) // CUTS + 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelCorrupt):
            house.registry.load(house.store.models.champion())
    path.write_bytes(whole + b"\n")
    assert refused(house)


def test_another_registered_version_in_the_champions_place_is_not_served(house):
    champion, other = house.store.models.champion(), other_version(house)
    shutil.rmtree(house.folders.models / champion)
    shutil.copytree(house.folders.models / other, house.folders.models / champion)
    assert refused(house)


def test_a_link_to_another_version_is_not_served(house):
    champion, other = house.store.models.champion(), other_version(house)
    shutil.rmtree(house.folders.models / champion)
    (house.folders.models / champion).symlink_to(house.folders.models / other)
    assert refused(house)


@pytest.mark.parametrize("place", [0, 1])
def test_one_file_of_another_version_is_not_served(house, place):
    other = files_of(house, other_version(house))[place]
    shutil.copyfile(other, files_of(house)[place])
    assert refused(house)


@pytest.mark.parametrize("place", [0, 1])
def test_a_missing_file_is_not_served(house, place):
    files_of(house)[place].unlink()
    assert refused(house)


def test_a_pickle_in_the_place_of_any_file_is_never_loaded(house, tmp_path):
    trace = tmp_path / "loaded"
    folder = house.folders.models / house.store.models.champion()
    for name in ("model.pkl", "model.joblib", "card.pickle"):
        (folder / name).write_bytes(pickle.dumps(Bomb(trace)))
    assert answer(house)[0].status_code == 200
    for path in files_of(house):
        path.write_bytes(pickle.dumps(Bomb(trace)))
    assert refused(house)
    assert not trace.exists()


def test_a_champion_that_is_swapped_while_it_serves_changes_no_answer(house):
    with serving(house) as client:
        before = client.post("/predict", json={"records": [RECORD]}).json()
        for path in files_of(house):
            path.write_bytes(b"nonsense")
        client.app.state.door.champion.look()
        after = client.post("/predict", json={"records": [RECORD]}).json()
    for said in ("model_version", "features"):
        assert after[said] == before[said]
    assert after["predictions"][0]["probability"] == before["predictions"][0]["probability"]


def test_a_corrupt_version_cannot_be_put_in_charge_and_the_former_one_stays(house):
    other = other_version(house)
    champion = house.store.models.champion()
    files_of(house, other)[1].write_bytes(b"nonsense")
    with pytest.raises(ModelCorrupt):
        house.registry.promote(other)
    assert house.store.models.champion() == champion
    # Nor where the database is told so behind the registry's back.
    house.store.models.promote(other)
    assert refused(house)
