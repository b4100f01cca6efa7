"""Train: a data set with known outcomes becomes a registered model version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jobchurn.errors import DataUnusable
from jobchurn.flow.rows import read_rows
from jobchurn.flow.services import Services
from jobchurn.model import Model
from jobchurn.model.train import train as fit

FEWEST_ROWS = 200
"""Below this many labelled rows a hold-out of a fifth says nothing."""


def train(
    services: Services, csv: Path, *, seed: int = 0, progress: Callable[[str], None] = print
) -> Model:
    """Train on a CSV file and register the version; the caller decides whether to promote it.

    Rows that break the contract or bear no outcome are left out, and counted to ``progress``.

    Raises:
        DataUnusable: the file cannot be read, or holds too few rows of either outcome.
    """
    contract = services.contract
    progress(f"Reading {csv.name} …")
    rows = read_rows(csv, contract)
    labelled = [r for r in rows.records.values() if r.get(contract.outcome.name) is not None]
    outcomes = [int(record[contract.outcome.name] or 0) for record in labelled]
    if left_out := rows.sheet.rows - len(labelled):
        progress(f"{left_out} of {rows.sheet.rows} rows left out: refused, or without outcome.")
    if len(labelled) < FEWEST_ROWS or len(set(outcomes)) < 2:
        raise DataUnusable(
            f"{csv.name} holds {len(labelled)} rows with a known outcome, "
            f"{sum(outcomes)} of them positive: too few to learn from.",
            f"Give at least {FEWEST_ROWS} rows with both outcomes.",
        )
    columns = {c.name: [record.get(c.name) for record in labelled] for c in contract.inputs}
    model = fit(
        columns,
        outcomes,
        contract,
        threshold=services.policy.threshold,
        seed=seed,
        progress=progress,
    )
    services.registry.add(model)
    return model
