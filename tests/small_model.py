"""A small real model, made in a moment and without scikit-learn, for what stands on one."""

import random

import lightgbm
import numpy as np

from jobchurn.contract import Kind
from jobchurn.model import Card, Model
from jobchurn.model.card import Calibration, version_of
from jobchurn.model.encode import Encoder, levels_of

CALIBRATION = Calibration(slope=1.1, intercept=-0.2)


def small_model(contract, seed=0, rows=400):
    """A model of ten trees that learnt from random records; another seed gives another one."""
    records = random_records(contract, rows, seed)
    levels = levels_of(records, contract)
    matrix = Encoder(contract, levels).matrix(records)
    outcomes = (np.nansum(matrix, axis=1) + seed) % 2 > 1
    data = lightgbm.Dataset(matrix, outcomes.astype(int))
    parameters = {"objective": "binary", "num_leaves": 7, "num_threads": 1, "verbosity": -1}
    text = lightgbm.train(parameters, data, num_boost_round=10).model_to_string()
    card = Card(
        version=version_of(text, CALIBRATION, levels, contract.fingerprint),
        contract=contract.name,
        fingerprint=contract.fingerprint,
        features=tuple(column.name for column in contract.features),
        levels=levels,
        calibration=CALIBRATION,
        data_sha256="0" * 64,
        rows=rows,
        positives=int(outcomes.sum()),
        metrics={"roc_auc": 0.81, "log_loss": 0.43, "ece": 0.02},
        calibration_bins=[],
        groups=[],
        importance={column.name: 0.1 for column in contract.features},
        baseline={},
        parameters={"trees": 10},
        libraries={"lightgbm": lightgbm.__version__},
        created_at="2026-11-24T07:30:00+00:00",
    )
    return Model(text, card, contract)


def random_records(contract, count, seed=0):
    """Canonical records of every column, with blanks where they are admitted."""
    chance = random.Random(seed)
    return [
        {column.name: _value_of(column, chance) for column in contract.columns}
        for _ in range(count)
    ]


def _value_of(column, chance):
    if not column.required and chance.random() < 0.2:
        return None
    match column.kind:
        case Kind.CATEGORY | Kind.ORDERED:
            return chance.choice(column.levels)
        case Kind.TEXT:
            return chance.choice([*column.examples, "a", "b"])
        case Kind.INTEGER:
            return chance.randint(int(column.minimum), int(min(column.maximum, 1000)))
        case Kind.NUMBER:
            return round(chance.uniform(column.minimum, column.maximum), 3)
