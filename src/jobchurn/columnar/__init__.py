"""Columnar: records kept column by column, each distinct value once.

A hundred thousand records hold a few thousand distinct values. What is to be done with a value (to
judge it, to encode it for the model, for the database, for an answer) is done once for each of
them, and brought to the rows by array look-ups.
"""

from jobchurn.columnar.judge import Judged, judged, judged_texts
from jobchurn.columnar.objects import Objects, numbers
from jobchurn.columnar.pieces import Pieces, interleaved, joined
from jobchurn.columnar.records import Records
from jobchurn.columnar.series import Coded, Numbers, Series, coded

__all__ = [
    "Coded",
    "Judged",
    "Numbers",
    "Objects",
    "Pieces",
    "Records",
    "Series",
    "coded",
    "interleaved",
    "joined",
    "judged",
    "judged_texts",
    "numbers",
]
