"""A model's folder: whole or absent, and never loaded where a byte of it is another."""

import dataclasses
import json

import pytest

from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import ContractMismatch, ModelCorrupt
from jobchurn.model import Card, Model, artifact
from jobchurn.model.artifact import sha256_of
from jobchurn.model.card import FORM, version_of
from small_model import CALIBRATION, random_records, small_model
from toy import TOY

MODEL = small_model(JOB_CHANGE)


@pytest.fixture
def folder(tmp_path):
    MODEL.save(tmp_path / MODEL.version)
    return tmp_path / MODEL.version


def test_a_saved_model_is_loaded_as_it_was(folder):
    loaded = Model.load(folder, JOB_CHANGE)
    records = random_records(JOB_CHANGE, 50)
    assert loaded.card == MODEL.card
    assert loaded.probabilities(records).tolist() == MODEL.probabilities(records).tolist()


def test_a_folder_holds_two_files_of_text(folder):
    assert sorted(path.name for path in folder.iterdir()) == ["card.json", "model.txt"]
    assert json.loads((folder / "card.json").read_text())["version"] == MODEL.version
    assert (folder / "model.txt").read_text().startswith("tree\n")


def test_saving_leaves_nothing_beside_the_folder(folder):
    assert list(folder.parent.iterdir()) == [folder]


def test_a_folder_is_never_written_twice(folder):
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(FileExistsError):
        MODEL.save(folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_of_two_who_save_at_once_the_second_is_told_and_changes_nothing(tmp_path, monkeypatch):
    folder = tmp_path / "model"
    sync = artifact._sync

    def overtaken(path):
        monkeypatch.setattr(artifact, "_sync", sync)
        MODEL.save(folder)
        sync(path)

    monkeypatch.setattr(artifact, "_sync", overtaken)
    with pytest.raises(FileExistsError):
        MODEL.save(folder)
    assert list(tmp_path.iterdir()) == [folder]
    assert Model.load(folder, JOB_CHANGE).card == MODEL.card


def test_a_save_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(artifact.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        MODEL.save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["model.txt", "card.json"])
def test_a_missing_file_is_told_with_the_cure(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelCorrupt, match=rf"{name}.*jobchurn models rollback"):
        Model.load(folder, JOB_CHANGE)


def test_one_byte_of_the_trees_changed_is_found_before_lightgbm_reads_it(folder):
    trees = folder / "model.txt"
    trees.write_bytes(trees.read_bytes().replace(b"num_leaves=7", b"num_leaves=9", 1))
    with pytest.raises(ModelCorrupt, match="its content is that of"):
        Model.load(folder, JOB_CHANGE)


def test_files_are_held_against_their_registered_hashes(folder):
    hashes = {
        "sha256": sha256_of(MODEL.text),
        "card_sha256": sha256_of(MODEL.card.to_json()),
    }
    assert Model.load(folder, JOB_CHANGE, **hashes).version == MODEL.version
    for name in hashes:
        with pytest.raises(ModelCorrupt, match="registered is 000"):
            Model.load(folder, JOB_CHANGE, **hashes | {name: "0" * 64})


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"null", b"\xff", b'{"version": "x"', b'{"features": 1}'],
    ids=repr,
)
def test_a_card_that_is_none_is_told(folder, content):
    (folder / "card.json").write_bytes(content)
    with pytest.raises(ModelCorrupt, match=r"card\.json"):
        Model.load(folder, JOB_CHANGE)


def test_a_card_with_other_levels_is_found_by_the_versions_name(folder):
    levels = {name: (*seen, "new") for name, seen in MODEL.card.levels.items()}
    card = dataclasses.replace(MODEL.card, levels=levels)
    (folder / "card.json").write_text(card.to_json())
    with pytest.raises(ModelCorrupt, match="its content is that of"):
        Model.load(folder, JOB_CHANGE)


def test_a_model_of_another_contract_is_refused(folder):
    with pytest.raises(ContractMismatch, match=MODEL.version):
        Model.load(folder, TOY)


def test_a_card_of_before_cards_had_forms_is_read_and_keeps_its_versions_name(folder):
    card = json.loads((folder / "card.json").read_text())
    del card["form"]
    (folder / "card.json").write_text(json.dumps(card))
    assert Model.load(folder, JOB_CHANGE).version == MODEL.version


def test_a_model_trained_again_for_a_card_that_says_more_is_another_version():
    parts = MODEL.text, CALIBRATION, MODEL.card.levels, JOB_CHANGE.fingerprint
    assert version_of(*parts, FORM) not in {version_of(*parts), version_of(*parts, FORM + 1)}


def test_a_version_is_named_by_all_that_a_probability_depends_on_and_nothing_else():
    levels, fingerprint = MODEL.card.levels, JOB_CHANGE.fingerprint
    same = version_of(MODEL.text, CALIBRATION, levels, fingerprint)
    assert same == MODEL.version == small_model(JOB_CHANGE).version
    assert same.startswith("lgbm-")
    assert len(same) == 17
    others = {
        version_of(MODEL.text + "\n", CALIBRATION, levels, fingerprint),
        version_of(MODEL.text, dataclasses.replace(CALIBRATION, slope=2.0), levels, fingerprint),
        version_of(MODEL.text, CALIBRATION, {}, fingerprint),
        version_of(MODEL.text, CALIBRATION, levels, TOY.fingerprint),
        version_of(
            MODEL.text,
            CALIBRATION,
            {name: tuple(reversed(seen)) for name, seen in levels.items()},
            fingerprint,
        ),
    }
    assert len(others) == 5
    assert same not in others


def test_a_card_survives_its_text():
    text = MODEL.card.to_json()
    assert Card.from_json(text) == MODEL.card
    assert Card.from_json(text).to_json() == text
