"""Forget: a person's data leave the home and the database; what counts and proves stays.

What is under way with them is finished first, so that nothing can bring them back later: raw files
that hold them are ingested, good files that hold them are scored. Then their rows are emptied where
their place counts, and dropped where it does not. Each step finds what is left to do by looking at
what is there: whoever is killed, begins again.
"""

from jobchurn.flow.forget.outcome import Forgotten, Left, Rewritten
from jobchurn.flow.forget.person import Person
from jobchurn.flow.forget.removal import forget

__all__ = ["Forgotten", "Left", "Person", "Rewritten", "forget"]
