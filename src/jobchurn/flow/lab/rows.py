"""The lab's rows: like those that the champion learnt from, and none of them; and their shifts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from jobchurn import files, synth
from jobchurn.contract import Column, Contract, Value
from jobchurn.errors import DataUnusable, InvalidRequest, NotFound
from jobchurn.flow.dataset import DataFolder
from jobchurn.flow.rows import Record, read_rows
from jobchurn.flow.services import Services

Draw = Callable[[int], list[Record]]
"""So many fresh rows, from the distribution of the training data."""


def source_of(services: Services) -> tuple[Draw, str]:
    """Where fresh rows come from, and the same in words.

    Built-in data has a generator, of which every seed gives other rows. Of any other data set the
    part that was set aside to be streamed is drawn from, with replacement: no row of it trained.

    Raises:
        DataUnusable: ``JOBCHURN_CSV`` is set, and was never split.
    """
    folder = DataFolder(services.folders.data)
    if services.settings.jobchurn_csv is None and _is_built_in(folder):
        return _generator(services.contract), "made by the built-in generator"
    if not folder.streaming.exists():
        raise DataUnusable(
            f"There is no {folder.streaming.name} to draw rows from.",
            "Run `jobchurn data split` first, which sets rows aside that no model learns from.",
        )
    records = list(read_rows(folder.streaming, services.contract).records.values())
    if not records:
        raise DataUnusable(f"No row of {folder.streaming.name} keeps the contract.")
    chance = Random(time.time_ns())  # noqa: S311
    return (
        lambda count: [dict(record) for record in chance.choices(records, k=count)],
        f"drawn from {folder.streaming.name}, which no model has learnt from",
    )


@dataclass(frozen=True)
class Shift:
    """What happens to one column of a stream.

    Attributes:
        column: which one.
        share: of the rows that are changed.
        change: the new value of a row that is.
        words: the same, for people.
    """

    column: Column
    share: float
    change: Callable[[Value], Value]
    words: str

    def applied(self, records: Sequence[Record], chance: Random) -> list[Record]:
        """The rows, shifted."""
        name = self.column.name
        return [
            record | {name: self.change(record.get(name))}
            if chance.random() < self.share
            else record
            for record in records
        ]


def shift_of(
    contract: Contract,
    baseline: Mapping[str, Mapping[str, object]],
    feature: str,
    strength: float,
    *,
    blank: bool,
) -> Shift:
    """The shift of a column, by its kind: see ``jobchurn lab drift``.

    Args:
        contract: knows the column.
        baseline: column → what training saw of it.
        feature: the column's name.
        strength: of a number, in its standard deviations in training; else the share of rows.
        blank: whether the share goes blank instead.

    Raises:
        NotFound: there is no such column among those that are watched.
        InvalidRequest: the strength is no share; the column has no blanks, or no second level.
    """
    column = _watched(contract, feature)
    if (blank or not column.is_numeric) and not 0 < strength <= 1:
        raise InvalidRequest(f"{strength:g} is no share of rows.", "Give a strength from 0 to 1.")
    if blank:
        if column.required:
            raise InvalidRequest(
                f"{feature} is required: rows without it never reach the model.",
                "Shift it without --blank, or choose another feature.",
            )
        return Shift(
            column, strength, lambda _: None, f"{feature} goes blank in {strength:.0%} of the rows"
        )
    if column.is_numeric:
        spread = baseline[feature].get("sd")
        if not isinstance(spread, float) or not spread:
            raise InvalidRequest(f"{feature} cannot be shifted: it does not vary.")
        if not strength or not math.isfinite(strength):
            raise InvalidRequest(f"{strength} is no shift.", "Give a strength such as 0.3.")
        by = strength * spread
        words = f"{feature} grows by {by:.3g}, {strength:g} of its standard deviations"
        return Shift(column, 1.0, lambda value: _moved(column, value, by), words)
    level = _second(baseline[feature].get("levels"))
    if level is None:
        raise InvalidRequest(f"{feature} cannot be shifted: it has one level.")
    return Shift(
        column,
        strength,
        lambda _: level,
        f"{feature} becomes {level} in {strength:.0%} of the rows",
    )


def _watched(contract: Contract, feature: str) -> Column:
    names = [column.name for column in contract.inputs]
    if feature in names:
        return contract[feature]
    nearest = contract.nearest_name(feature)
    meant = f"Did you mean {nearest}? " if nearest in names else ""
    raise NotFound(f"There is no feature {feature}.", f"{meant}Choose among {', '.join(names)}.")


def _moved(column: Column, value: Value, by: float) -> Value:
    if not isinstance(value, int | float):
        return value
    moved = value + by
    if isinstance(value, int):
        moved = round(moved)
    if column.maximum is not None:
        moved = min(moved, type(value)(column.maximum))
    return moved if column.minimum is None else max(moved, type(value)(column.minimum))


def _second(levels: object) -> str | None:
    """The second commonest level: common enough to be no surprise, and not the commonest."""
    if not isinstance(levels, dict) or len(levels) < 2:
        return None
    return str(sorted(levels, key=lambda level: -levels[level])[1])


def _generator(contract: Contract) -> Draw:
    def draw(count: int) -> list[Record]:
        # The clock's seed, as when a demonstration is fed: no two draws are alike.
        columns = synth.generate(count, seed=time.time_ns() // 1_000)
        return [
            {name: contract[name].read(text) for name, text in zip(columns, texts, strict=True)}
            for texts in zip(*columns.values(), strict=True)
        ]

    return draw


def _is_built_in(folder: DataFolder) -> bool:
    """Whether the home's data set is the built-in one, or there is none, and so no other."""
    if not folder.dataset.exists():
        return True
    with TemporaryDirectory() as temporary:
        built_in = Path(temporary) / folder.dataset.name
        synth.write_csv(built_in)
        return files.sha256_of(built_in) == files.sha256_of(folder.dataset)
