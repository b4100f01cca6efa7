"""Requests that arrive together: one batch, one commit, and to each its own answer or failure."""

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pytest

from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import (
    DatabaseLocked,
    DatabaseUnreachable,
    IdempotencyConflict,
    NoChampion,
    Overloaded,
)
from jobchurn.flow import gather
from jobchurn.flow.gather import ALWAYS_TOGETHER, MOST_TOGETHER, Gatherer
from jobchurn.flow.predict import Answer, Asked, answer_of, batch_of
from jobchurn.policy import DecisionPolicy
from jobchurn.store import Stored

DOWN = DatabaseUnreachable("The database does not answer.", "Start it.")
LOCKED = DatabaseLocked("Another one holds it.", "Wait.")
POISON, UNSCORED = "poison", "unscored"
THEN = datetime(2026, 11, 28, tzinfo=UTC)
SERVICES = SimpleNamespace(contract=JOB_CHANGE, policy=DecisionPolicy(1))


class Model:
    """Knows a record by its id, and says how many were scored together."""

    version = "lgbm-1"

    def __init__(self):
        self.rounds = []

    def probabilities(self, records):
        if any(record.get("city") == UNSCORED for record in records):
            raise ValueError("no canonical value")
        self.rounds.append(len(records))
        return np.array([record["enrollee_id"] / 1000 for record in records])


class Writer:
    """Keeps what it is given as the database would: whole, by keys, and not while it is held."""

    def __init__(self):
        self.batches, self.rows, self.keys = [], [], {}
        self.begun, self.held = asyncio.Event(), asyncio.Event()
        self.held.set()
        self.trouble = None
        self.closed = False
        self.turns = 0  # of the event loop that keeping something takes

    async def write(self, batches):
        self.batches.append(len(batches))
        self.begun.set()
        await self.held.wait()
        for _ in range(self.turns):
            await asyncio.sleep(0)
        if self.trouble is not None:
            raise self.trouble
        if any(record.get("city") == POISON for batch in batches for record in batch.records):
            raise ValueError("a value breaks a check")
        assert len({b.key for b in batches if b.key}) == len([b for b in batches if b.key])
        return [None if b.key in self.keys else self.kept(b) for b in batches]

    def kept(self, batch):
        if batch.key is not None:
            self.keys[batch.key] = batch
        first = len(self.rows)
        self.rows += batch.records
        return stored_of(batch, list(range(first, len(self.rows))))

    def close(self):
        self.closed = True
        self.held.set()


def stored_of(batch, ids, *, replayed=False):
    return Stored(
        replayed=replayed,
        created_at=THEN,
        ids=ids,
        positions=list(batch.positions),
        records=list(batch.records),
        probabilities=list(batch.probabilities),
        decisions=list(batch.decisions),
        model_version=batch.model_version,
        policy_version=batch.policy_version,
    )


class House:
    """A gatherer over doubles; what is answered alone is kept by the same writer, or refused."""

    def __init__(self, most=100):
        self.model, self.writer = Model(), Writer()
        self.alone = []
        self.gatherer = Gatherer(
            SERVICES, lambda: self.writer, lambda: self.model, self.by_itself, most=most
        )

    async def by_itself(self, asked):
        self.alone.append(asked)
        probabilities = self.model.probabilities(asked.records).tolist()
        batch = batch_of(SERVICES, "lgbm-1", asked, probabilities)
        first = self.writer.keys.get(asked.key)
        if first is None:
            return answer_of(self.writer.kept(batch), JOB_CHANGE)
        if first.fingerprint != batch.fingerprint:
            raise IdempotencyConflict("This key was used for another request.", "Use another.")
        return answer_of(stored_of(first, [0], replayed=True), JOB_CHANGE)

    def ask(self, number, **more):
        """Begin to ask for a record that is known by its number."""
        return asyncio.ensure_future(self.gatherer.predict(asked(number, **more)))


def asked(number, *, key=None, city="city_1", count=1):
    return Asked(records=[{"enrollee_id": number, "city": city}] * count, source="webapp", key=key)


def scene(play, **more):
    """Play a scene in a new house, on a loop of its own; nothing may take long."""

    async def played():
        house = House(**more)
        try:
            return await asyncio.wait_for(play(house), 20)
        finally:
            await house.gatherer.close()

    return asyncio.run(played())


async def hold_one(house):
    """A request is being kept, and is held there."""
    house.writer.held.clear()
    held = house.ask(1)
    await house.writer.begun.wait()
    return held


def test_a_request_that_is_alone_is_begun_at_once():
    async def play(house):
        answer = await house.ask(7)
        assert [p.probability for p in answer.predictions] == [0.007]
        assert (answer.n, answer.model_version, answer.created_at) == (1, "lgbm-1", THEN)
        assert house.writer.batches == [1]

    scene(play)


def test_requests_that_come_together_are_scored_and_kept_together():
    async def play(house):
        few = ALWAYS_TOGETHER
        answers = await asyncio.gather(*(house.ask(n) for n in range(few)))
        assert [a.predictions[0].probability for a in answers] == [n / 1000 for n in range(few)]
        assert [a.predictions[0].id for a in answers] == list(range(few))
        assert (house.writer.batches, house.model.rounds) == ([few], [few])

    scene(play)


def test_many_requests_are_kept_in_halves_that_take_turns():
    async def ask_again_and_again(house, times):
        for _ in range(times):
            await house.ask(1)

    async def play(house):
        house.writer.turns = 5
        await asyncio.gather(*(ask_again_and_again(house, 3) for _ in range(50)))
        assert house.writer.batches == [25] * 6

    scene(play)


def test_what_comes_while_others_are_kept_is_the_next_batch():
    async def play(house):
        held = await hold_one(house)
        others = [house.ask(n) for n in range(ALWAYS_TOGETHER)]
        await asyncio.sleep(0)
        assert house.gatherer.waiting == ALWAYS_TOGETHER
        house.writer.held.set()
        await asyncio.gather(held, *others)
        assert house.writer.batches == [1, ALWAYS_TOGETHER]
        assert house.gatherer.waiting == 0

    scene(play)


def test_a_batch_holds_no_more_records_than_may_be_kept_together():
    async def play(house):
        count = MOST_TOGETHER // 30
        await asyncio.gather(*(house.ask(n, count=30) for n in range(count + 1)))
        assert house.writer.batches == [count, 1]

    scene(play)


def test_the_records_of_a_request_stay_together_and_in_order():
    async def play(house):
        first, second = await asyncio.gather(house.ask(1, count=2), house.ask(2, count=3))
        assert [p.record for p in first.predictions] == [1, 2]
        assert [p.probability for p in second.predictions] == [0.002] * 3
        assert [p.id for p in second.predictions] == [2, 3, 4]

    scene(play)


def test_more_requests_than_may_wait_are_refused_at_once_and_the_others_answered():
    async def play(house):
        held = await hold_one(house)
        waiting = [house.ask(n) for n in (2, 3)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="More requests"):
            await house.ask(4)
        house.writer.held.set()
        answers = await asyncio.gather(held, *waiting)
        assert [a.n for a in answers] == [1, 1, 1]
        assert len(house.writer.rows) == 3

    scene(play, most=2)


def test_a_request_that_is_not_begun_in_time_is_given_up_and_never_kept(monkeypatch):
    monkeypatch.setattr(gather, "WAITING_SECONDS", 0.05)

    async def play(house):
        held = await hold_one(house)
        late = house.ask(2)
        with pytest.raises(Overloaded, match="not begun"):
            await late
        house.writer.held.set()
        await held
        assert len(house.writer.rows) == 1
        assert (await house.ask(3)).n == 1

    scene(play)


def test_a_record_that_the_database_refuses_fails_its_own_request_alone():
    async def play(house):
        asking = [house.ask(n, city=POISON if n == 5 else "x") for n in range(9)]
        answers = await asyncio.gather(*asking, return_exceptions=True)
        assert isinstance(answers.pop(5), ValueError)
        assert all(isinstance(answer, Answer) for answer in answers)
        assert [row["enrollee_id"] for row in house.writer.rows] == [0, 1, 2, 3, 4, 6, 7, 8]

    scene(play)


def test_a_record_that_breaks_the_model_fails_its_own_request_alone():
    async def play(house):
        asking = [house.ask(n, city=UNSCORED if n == 1 else "x") for n in range(3)]
        first, second, third = await asyncio.gather(*asking, return_exceptions=True)
        assert isinstance(second, ValueError)
        assert first.n == third.n == 1

    scene(play)


def test_one_key_twice_in_a_batch_is_kept_once_and_answered_alike():
    async def play(house):
        first, other, again = await asyncio.gather(
            house.ask(1, key="k"), house.ask(2), house.ask(1, key="k")
        )
        assert first.predictions == again.predictions
        assert (first.replayed, other.replayed, again.replayed) == (False, False, True)
        assert len(house.writer.rows) == 2

    scene(play)


def test_one_key_for_two_requests_in_a_batch_is_a_conflict_of_the_second_alone():
    async def play(house):
        first, other, third = await asyncio.gather(
            house.ask(1, key="k"), house.ask(2, key="k"), house.ask(3), return_exceptions=True
        )
        assert first.n == third.n == 1
        assert isinstance(other, IdempotencyConflict)

    scene(play)


def test_a_lock_that_another_one_holds_keeps_nobody_but_its_request_waiting():
    async def play(house):
        house.writer.trouble = LOCKED
        answers = await asyncio.gather(*(house.ask(n) for n in range(3)))
        assert [a.predictions[0].probability for a in answers] == [0.0, 0.001, 0.002]
        assert len(house.alone) == 3

    scene(play)


def test_while_the_database_is_away_all_fail_and_then_are_served_again():
    async def play(house):
        house.writer.trouble = DOWN
        answers = await asyncio.gather(*(house.ask(n) for n in range(3)), return_exceptions=True)
        assert [(type(a), a.message, a.cure) for a in answers] == [
            (DatabaseUnreachable, DOWN.message, DOWN.cure)
        ] * 3
        assert len({id(answer) for answer in answers}) == 3
        assert house.writer.batches == [3]  # asked once, not once for each
        house.writer.trouble = None
        assert (await house.ask(4)).n == 1

    scene(play)


def test_without_a_model_all_are_told_so():
    async def play(house):
        def none():
            raise NoChampion("No model is in charge yet.", "Train one.")

        house.gatherer._model = none
        answers = await asyncio.gather(house.ask(1), house.ask(2), return_exceptions=True)
        assert [type(answer) for answer in answers] == [NoChampion] * 2

    scene(play)


def test_a_client_that_leaves_while_it_waits_is_not_kept_and_keeps_nobody_waiting():
    async def play(house):
        held = await hold_one(house)
        leaving, staying = house.ask(2), house.ask(3)
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        house.writer.held.set()
        await asyncio.gather(held, staying)
        assert [row["enrollee_id"] for row in house.writer.rows] == [1, 3]

    scene(play)


def test_at_the_end_nobody_is_left_without_an_answer():
    async def play(house):
        held = await hold_one(house)
        waiting = house.ask(2)
        await asyncio.sleep(0)
        await house.gatherer.close()
        for asking in (held, waiting):
            with pytest.raises(Overloaded, match="about to end"):
                await asking
        with pytest.raises(Overloaded, match="about to end"):
            await house.ask(3)
        assert house.writer.closed

    scene(play)


def test_at_the_end_who_was_just_set_apart_is_answered_as_well():
    async def play(house):
        apart = house.ask(1, count=0, key="k")
        await asyncio.sleep(0)
        await house.gatherer.close()
        with pytest.raises(Overloaded, match="about to end"):
            await asyncio.wait_for(apart, 5)

    scene(play)


def test_a_request_of_nothing_is_answered_with_nothing_and_a_key_with_its_first_answer():
    async def play(house):
        assert (await house.ask(1, count=0)).n == 0
        assert house.writer.batches == house.alone == []
        await house.ask(1, count=0, key="k")
        assert len(house.alone) == 1

    scene(play)


def test_who_watches_is_told_of_each_stage_and_when_it_was():
    async def play(house):
        told = []
        await house.gatherer.predict(asked(1), lambda *stage: told.append(stage))
        (score, begun, scored), (store, kept, ended) = told
        assert (score, store) == ("score", "store")
        assert 0 < begun <= scored == kept <= ended

    scene(play)
