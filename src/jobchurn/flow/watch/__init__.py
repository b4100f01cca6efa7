"""Watch: windows are judged for drift, rules are evaluated, and people are told, once.

``measure_drift`` and ``evaluate_rules`` can be repeated by anyone at any time, by two at once and
after whatever was killed: what a window came to, and which state a rule is in, is kept in one
transaction each, together with the alerts that are to be sent. ``flow.alert.retry_alerts`` sends
them; ``watch`` does all of it, as the monitoring DAG does.
"""

from jobchurn.flow.watch.round import Report, watch
from jobchurn.flow.watch.rules import Evaluation, evaluate_rules
from jobchurn.flow.watch.windows import (
    JudgedWindow,
    Measured,
    Unjudged,
    baseline_of,
    measure_drift,
)

__all__ = [
    "Evaluation",
    "JudgedWindow",
    "Measured",
    "Report",
    "Unjudged",
    "baseline_of",
    "evaluate_rules",
    "measure_drift",
    "watch",
]
