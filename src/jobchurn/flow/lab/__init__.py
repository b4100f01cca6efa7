"""The lab: rows that set an alarm off, or must not, driven through the real ingest, predict, watch.

Each experiment works in the home in use, with the champion of the moment; its files are named
``lab-…`` and its predictions are kept, as all are. A stack that runs beside may take the files up:
the outcome is the same.
"""

from jobchurn.flow.lab.experiments import bad_rows, drift, one_class
from jobchurn.flow.lab.quiet import quiet
from jobchurn.flow.lab.stream import Finding

__all__ = ["Finding", "bad_rows", "drift", "one_class", "quiet"]
