"""Predict: records become decisions, kept before anybody is told of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypedDict

from jobchurn.contract import Contract, Value
from jobchurn.flow.services import Services
from jobchurn.model import Model
from jobchurn.store import Batch, Stored

Source = Literal["webapp", "scheduled"]
"""Which door asked."""

Record = Mapping[str, Value]
"""Canonical values by column name; an absent column is blank."""

Stage = Callable[[str], AbstractContextManager[object]]
"""Given the name of a stage of the work, a block around it: watches how long the stage takes."""


_written = json.JSONEncoder(sort_keys=True).encode
"""What is written must not change: fingerprints are kept, and held against those to come."""


def unwatched(_: str) -> AbstractContextManager[None]:
    """The block around a stage that nobody watches."""
    return nullcontext()


class Refusal(TypedDict):
    """Why one record of a request was refused.

    Attributes:
        record: its number in the request, from 1.
        errors: what is wrong with it, made of JSON's types.
    """

    record: int
    errors: Sequence[Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is said of one record.

    Attributes:
        record: its number in the request, from 1.
        prediction: 1 where the probability reaches the policy's threshold, else 0.
        probability: of the positive class, 0 to 1.
        id: under which it is kept.
    """

    record: int
    prediction: int
    probability: float
    id: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request, and to every retry of it.

    Attributes:
        predictions: of the accepted records, in their order.
        features: what describes each of them, canonical, ``None`` where it is blank.
        refused: the other records.
        model_version: which model gave all of the probabilities.
        created_at: when it was kept; ``None`` where there was nothing to keep.
        replayed: whether it was kept before, so that nothing new was.
    """

    predictions: list[Prediction]
    features: list[dict[str, Value]]
    refused: list[Refusal]
    model_version: str
    created_at: datetime | None
    replayed: bool

    @property
    def n(self) -> int:
        """How many records were predicted."""
        return len(self.predictions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request asks.

    Attributes:
        records: those that the contract admits; every column of it is a key of each.
        source: which door asked.
        key: names the request; whoever repeats it gets the first answer and adds nothing.
        refused: the request's other records; their numbers are not given to ``records``.
        run_id: the run of ingestion that the records come from, if any.
        file_name: the file that they come from.
        first_row: the row of that file in which the request's first record stands, from 1.
    """

    records: Sequence[Record]
    source: Source
    key: str | None = None
    refused: Sequence[Refusal] = ()
    run_id: str | None = None
    file_name: str | None = None
    first_row: int | None = None

    @property
    def leaves_nothing(self) -> bool:
        """Whether there is nothing of it to keep, so that no answer to it is looked up either."""
        return not self.records and self.key is None


def predict(
    services: Services,
    model: Model,
    records: Sequence[Record],
    *,
    source: Source,
    key: str | None = None,
    refused: Sequence[Refusal] = (),
    run_id: str | None = None,
    file_name: str | None = None,
    first_row: int | None = None,
    stage: Stage = unwatched,
) -> Answer:
    """Score, decide, and keep in one transaction; committed when this returns.

    Args:
        services: the contract, the policy and the database.
        model: gives every probability of the answer.
        records: those that the contract admits.
        source: which door asked.
        key: names the request; whoever repeats it gets the first answer and adds nothing.
        refused: the request's other records; their numbers are not given to ``records``.
        run_id: the run of ingestion that the records come from, if any.
        file_name: the file that they come from.
        first_row: the row of that file in which the request's first record stands, from 1.
        stage: watches the stages, ``score`` and ``store``.

    Raises:
        IdempotencyConflict: the key was used for another request.
        DatabaseUnreachable: nothing was kept.
    """
    names = services.contract.by_name
    asked = Asked(
        records=[{name: record.get(name) for name in names} for record in records],
        source=source,
        key=key,
        refused=refused,
        run_id=run_id,
        file_name=file_name,
        first_row=first_row,
    )
    return answer_alone(services, model, asked, stage)


def answer_alone(
    services: Services, model: Model, asked: Asked, stage: Stage = unwatched
) -> Answer:
    """The answer to one request, by itself; as :func:`predict`, which lists what is raised."""
    if asked.leaves_nothing:
        return nothing_of(asked, model.version)
    with stage("score"):
        probabilities = model.probabilities(asked.records).tolist()
    batch = batch_of(services, model.version, asked, probabilities)
    with stage("store"):
        stored = services.store.predictions.write(batch)
    return answer_of(stored, services.contract)


def nothing_of(asked: Asked, model_version: str) -> Answer:
    """The answer to a request that leaves nothing to keep."""
    return Answer([], [], list(asked.refused), model_version, None, replayed=False)


def batch_of(
    services: Services, model_version: str, asked: Asked, probabilities: Sequence[float]
) -> Batch:
    """What is to be kept of a request.

    Args:
        services: the policy that decides.
        model_version: which model gave the probabilities.
        asked: the request.
        probabilities: one for each of its records.
    """
    records, refused = asked.records, asked.refused
    policy, first_row = services.policy, asked.first_row
    positions = places(len(records), refused)
    return Batch(
        records=records,
        probabilities=probabilities,
        decisions=[policy.decide(probability) for probability in probabilities],
        source=asked.source,
        model_version=model_version,
        policy_version=policy.version,
        key=asked.key,
        fingerprint=(
            fingerprint_of(records, source=asked.source, refused=refused) if asked.key else ""
        ),
        positions=positions,
        refused=list(refused) or None,
        run_id=asked.run_id,
        file_name=asked.file_name,
        row_numbers=None if first_row is None else [first_row + p for p in positions],
    )


def fingerprint_of(records: Sequence[Record], *, source: Source, refused: Sequence[Refusal]) -> str:
    """The SHA-256 of what a request asks, in hexadecimal: two that ask the same agree in it.

    Taken of the canonical records, so that neither the spelling of a value nor the door through
    which the request came makes a difference.
    """
    return hashlib.sha256(_written([source, records, refused]).encode()).hexdigest()


def places(accepted: int, refused: Sequence[Refusal]) -> list[int]:
    """The places of the accepted records in a request, from 0: those that no refused one has."""
    if not refused:
        return list(range(accepted))
    taken = {refusal["record"] - 1 for refusal in refused}
    return [place for place in range(accepted + len(taken)) if place not in taken]


def shown_of(record: Record, contract: Contract) -> dict[str, Value]:
    """What an answer shows of a record: what describes its subject, ``None`` where it is blank."""
    return {column.name: record.get(column.name) for column in contract.inputs}


def answer_of(stored: Stored, contract: Contract) -> Answer:
    """What is told of what is kept."""
    return Answer(
        predictions=[
            Prediction(position + 1, decision, probability, id_)
            for position, decision, probability, id_ in zip(
                stored.positions, stored.decisions, stored.probabilities, stored.ids, strict=True
            )
        ],
        features=[shown_of(record, contract) for record in stored.records],
        refused=list(stored.refused or ()),
        model_version=stored.model_version,
        created_at=stored.created_at,
        replayed=stored.replayed,
    )
