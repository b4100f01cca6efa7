"""The model: encode, score, explain, and the artefact that carries it all.

What is named here suffices to predict, and loads numpy and LightGBM's C library alone; training
(:mod:`jobchurn.model.train`) needs the ``pipeline`` extra and is imported where it is used.
"""

from jobchurn.model.artifact import Model
from jobchurn.model.booster import BoosterError
from jobchurn.model.card import Card
from jobchurn.model.encode import Record
from jobchurn.model.predict import Explanation, Scorer

__all__ = ["BoosterError", "Card", "Explanation", "Model", "Record", "Scorer"]
