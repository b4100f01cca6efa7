"""Scoring through the C library gives LightGBM's own scores, to the last bit, from any thread."""

import gc
import importlib.util
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import lightgbm
import numpy as np
import pytest

from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import NotInstalled
from jobchurn.flow.rows import read_rows
from jobchurn.model import BoosterError, booster
from jobchurn.model.booster import Booster
from jobchurn.model.encode import Encoder
from small_model import random_records, small_model

MODEL = small_model(JOB_CHANGE)
REFERENCE = lightgbm.Booster(model_str=MODEL.text)


def matrix_of(records):
    return Encoder(JOB_CHANGE, MODEL.levels).matrix(records)


@pytest.fixture(scope="module")
def matrix():
    return matrix_of(random_records(JOB_CHANGE, 500, seed=9))


def test_scores_in_bulk_are_those_of_lightgbm_bit_for_bit(matrix):
    expected = REFERENCE.predict(matrix, raw_score=True)
    assert Booster(MODEL.text).scores(matrix).tobytes() == expected.tobytes()


def test_scores_one_by_one_are_those_of_lightgbm_bit_for_bit(matrix):
    trees = Booster(MODEL.text)
    expected = REFERENCE.predict(matrix, raw_score=True)
    assert [trees.score(row) for row in matrix.tolist()] == expected.tolist()


def test_contributions_are_those_of_lightgbm_bit_for_bit(matrix):
    expected = REFERENCE.predict(matrix, pred_contrib=True)
    assert Booster(MODEL.text).contributions(matrix).tobytes() == expected.tobytes()


def test_the_scores_of_real_rows_are_those_of_lightgbm_bit_for_bit(real_csv):
    matrix = matrix_of(list(read_rows(real_csv, JOB_CHANGE).records.values()))
    trees = Booster(MODEL.text)
    expected = REFERENCE.predict(matrix, raw_score=True)
    assert trees.scores(matrix).tobytes() == expected.tobytes()
    assert [trees.score(row) for row in matrix[:2000].tolist()] == expected[:2000].tolist()


def test_strange_numbers_score_as_in_lightgbm():
    numbers = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-36, 1e308, 1e18, -1.0]
    matrix = np.array([np.full(len(JOB_CHANGE.features), number) for number in numbers])
    trees = Booster(MODEL.text)
    expected = REFERENCE.predict(matrix, raw_score=True)
    assert trees.scores(matrix).tobytes() == expected.tobytes()
    assert [trees.score(row) for row in matrix.tolist()] == expected.tolist()


def test_a_matrix_in_another_order_of_memory_scores_the_same(matrix):
    trees = Booster(MODEL.text)
    scores = trees.scores(matrix).tobytes()
    assert trees.scores(np.asfortranarray(matrix)).tobytes() == scores
    assert trees.scores(matrix[::-1]).tobytes() == trees.scores(matrix)[::-1].tobytes()


def test_no_rows_have_no_scores():
    trees = Booster(MODEL.text)
    nothing = np.empty((0, trees.features))
    assert trees.scores(nothing).shape == (0,)
    assert trees.contributions(nothing).shape == (0, trees.features + 1)


def test_many_threads_get_the_same_scores_at_once(matrix):
    trees = Booster(MODEL.text)
    scores = REFERENCE.predict(matrix, raw_score=True)
    contributions = REFERENCE.predict(matrix, pred_contrib=True)
    together = Barrier(8)

    def work(number):
        together.wait()
        for _ in range(20):
            if number % 2:
                assert trees.contributions(matrix[:50]).tobytes() == contributions[:50].tobytes()
            assert trees.scores(matrix).tobytes() == scores.tobytes()
            assert [trees.score(row) for row in matrix[:50].tolist()] == scores[:50].tolist()
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


def test_the_trees_of_a_thread_are_freed_with_it_and_the_last_with_the_booster(monkeypatch, matrix):
    freed = []
    library = booster._library()
    free = library.LGBM_BoosterFree
    monkeypatch.setattr(library, "LGBM_BoosterFree", lambda handle: freed.append(free(handle)))
    trees = Booster(MODEL.text)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(trees.scores, matrix).result()
    gc.collect()
    assert freed == [0]
    trees.scores(matrix)
    gone = weakref.ref(trees)
    del trees
    gc.collect()
    assert gone() is None
    assert freed == [0, 0]


@pytest.mark.parametrize("length", [0, 1, len(JOB_CHANGE.features) + 1])
def test_rows_of_another_length_are_refused(length):
    trees = Booster(MODEL.text)
    with pytest.raises(BoosterError, match=str(length)):
        trees.score([0.0] * length)
    with pytest.raises(BoosterError, match=str(length)):
        trees.scores(np.zeros((2, length)))
    with pytest.raises(BoosterError, match=str(length)):
        trees.contributions(np.zeros((2, length)))


def test_a_text_that_is_no_model_is_refused():
    with pytest.raises(BoosterError):
        Booster("tree\n")


def test_a_model_of_several_classes_is_refused():
    generator = np.random.default_rng(0)
    data = lightgbm.Dataset(generator.random((90, 2)), np.arange(90) % 3)
    parameters = {"objective": "multiclass", "num_class": 3, "verbosity": -1, "num_threads": 1}
    text = lightgbm.train(parameters, data, num_boost_round=2).model_to_string()
    with pytest.raises(BoosterError, match="3 scores"):
        Booster(text)


@pytest.fixture
def fresh_library():
    booster._library.cache_clear()
    yield
    booster._library.cache_clear()


@pytest.mark.usefixtures("fresh_library")
def test_without_lightgbm_the_error_names_the_cure(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(NotInstalled, match=r"LightGBM is not installed.*make setup"):
        Booster(MODEL.text)


@pytest.mark.usefixtures("fresh_library")
def test_a_library_that_cannot_be_loaded_is_told_with_the_cure(monkeypatch, tmp_path):
    broken = tmp_path / "lib_lightgbm.so"
    broken.write_bytes(b"no library")
    monkeypatch.setattr(booster, "_library_path", lambda: broken)
    with pytest.raises(NotInstalled, match=r"cannot be loaded.*libgomp1"):
        Booster(MODEL.text)


def test_predicting_loads_no_heavy_package(tmp_path):
    MODEL.save(tmp_path / "model")
    program = """
import sys
from pathlib import Path
from jobchurn.contract import JOB_CHANGE
from jobchurn.model import Model
from jobchurn.registry import Registry
model = Model.load(Path(sys.argv[1]), JOB_CHANGE)
record = {column.name: column.accept(column.examples[0]) for column in JOB_CHANGE.features}
assert 0 < model.probabilities([record])[0] < 1
model.explain([record])
heavy = {"lightgbm", "pandas", "sklearn", "scipy", "great_expectations", "sqlalchemy"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "model")], check=True)
