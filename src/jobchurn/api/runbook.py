"""The runbook: one page for each alert rule, as a person reads it who was told of the alert."""

from __future__ import annotations

from pathlib import Path

import jobchurn
from jobchurn.contract import Contract, shown
from jobchurn.errors import NotFound
from jobchurn.panels import rules_of

_PACKAGE = Path(jobchurn.__file__).parent


class Runbook:
    """The pages that ship with the package, or lie in the checkout that it runs from.

    Args:
        contract: whose rules have pages.
    """

    def __init__(self, contract: Contract) -> None:
        self._pages = {rule.name: f"{rule.name}.md" for rule in rules_of(contract)}
        shipped = _PACKAGE / "runbook"
        self._folder = shipped if shipped.is_dir() else _PACKAGE.parents[1] / "docs" / "runbook"

    def page(self, rule: str) -> bytes:
        """The page of a rule: Markdown, in UTF-8.

        Only names of rules lead to a file; nothing else of a request does.

        Raises:
            NotFound: there is no such rule.
        """
        if rule not in self._pages:
            raise NotFound(
                f"There is no rule {shown(rule)}.", f"The rules are {', '.join(self._pages)}."
            )
        return (self._folder / self._pages[rule]).read_bytes()
