"""The alert rules: what is worth calling somebody for.

Each answers with one number, 0 where there is nothing to judge: quiet hours are no alarm. The
moment at which a rule is asked is the end of its time range, so that it can be asked of any.
"""

from __future__ import annotations

from jobchurn.contract import Contract
from jobchurn.panels.rule import AlertRule
from jobchurn.panels.rules_on_data import rules_on_data
from jobchurn.panels.rules_on_service import rules_on_service


def rules_of(contract: Contract) -> tuple[AlertRule, ...]:
    """The rules, in the order in which the data goes."""
    return (*rules_on_data(contract), *rules_on_service())
