"""A house worth watching: its champion learnt from built-in rows, and knows how they were."""

import dataclasses
import functools

import lightgbm
import numpy as np

from api_house import open_house
from jobchurn import synth
from jobchurn.contract import JOB_CHANGE
from jobchurn.drift import baseline_of
from jobchurn.model import Model
from jobchurn.model.card import Calibration, version_of
from jobchurn.model.encode import Encoder, levels_of
from jobchurn.notify import Notifier
from jobchurn.policy import DecisionPolicy
from small_model import small_model

WINDOW = 100
AS_IT_IS = Calibration(slope=1.0, intercept=0.0)


def watched_house(store, home, senders=(), **settings):
    """Services with a champion whose card has a baseline; windows are small, files need no wait."""
    services = open_house(store, home, champion=False)
    model = learnt()
    services.registry.add(model)
    services.registry.promote(model.version)
    changes = {"drift_window_rows": WINDOW, "settle_seconds": 0.0} | settings
    return dataclasses.replace(
        services,
        settings=services.settings.model_copy(update=changes),
        policy=DecisionPolicy(2),
        notifier=Notifier(senders),
    )


def fresh(count, seed):
    """Built-in rows as records."""
    columns = synth.generate(count, seed=seed)
    return [
        {name: JOB_CHANGE[name].read(text) for name, text in zip(columns, texts, strict=True)}
        for texts in zip(*columns.values(), strict=True)
    ]


@functools.cache
def learnt():
    """A model of a few trees that learnt from some thousand built-in rows, without scikit-learn."""
    records = fresh(6_000, seed=1)
    levels = levels_of(records, JOB_CHANGE)
    matrix = Encoder(JOB_CHANGE, levels).matrix(records)
    outcomes = np.array([record[JOB_CHANGE.outcome.name] for record in records])
    parameters = {"objective": "binary", "num_leaves": 8, "num_threads": 1, "verbosity": -1}
    text = lightgbm.train(
        parameters, lightgbm.Dataset(matrix, outcomes), num_boost_round=20
    ).model_to_string()
    card = dataclasses.replace(
        small_model(JOB_CHANGE).card,
        version=version_of(text, AS_IT_IS, levels, JOB_CHANGE.fingerprint),
        levels=levels,
        calibration=AS_IT_IS,
    )
    model = Model(text, card, JOB_CHANGE)
    others = fresh(6_000, seed=2)
    columns = {c.name: [record[c.name] for record in others] for c in JOB_CHANGE.inputs}
    scores = model.probabilities(others).tolist()
    baseline = baseline_of(JOB_CHANGE, columns, scores)
    return Model(text, dataclasses.replace(card, baseline=baseline), JOB_CHANGE)
