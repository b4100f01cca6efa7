"""The built-in data set: nobody's rows, with the patterns of real ones.

The parameters in ``parameters.json`` are aggregates that ``scripts/fit_synth.py`` fitted on a real
data set (:mod:`jobchurn.synth.fit`); sampling from them needs numpy alone.
"""

from jobchurn.synth.sample import ROWS, generate, parameters, write_csv

__all__ = ["ROWS", "generate", "parameters", "write_csv"]
