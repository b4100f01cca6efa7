"""Readers turn the pages of past predictions while rows arrive, come in late, and are removed."""

import csv
import io
import os
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

import psycopg
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from api_house import open_house, serving
from jobchurn.store import predictions as stored
from jobchurn.store.predictions import Predictions
from store_work import batch_of, record_of

EXAMPLES = int(os.environ.get("TORTURE_PAGING_EXAMPLES", "400"))
"""How many histories the long form goes through, of up to 60 steps each."""

SOURCES = ["webapp", "scheduled"]

# The edges of a day, of a month and so of a partition, and one moment that many rows share.
DAYS = [date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 1), date(2026, 3, 2)]
LAST_INSTANT = time(23, 59, 59, 999_999)
MOMENTS = [datetime.combine(day, at, UTC) for day in DAYS for at in (time.min, LAST_INSTANT)]
MOMENTS.append(datetime(2026, 3, 1, 12, tzinfo=UTC))

some_days = st.none() | st.sampled_from(DAYS)
wanted = st.tuples(some_days, some_days, st.sampled_from([*SOURCES, "all"])).filter(
    lambda asked: not (asked[0] and asked[1]) or asked[0] <= asked[1]
)


@dataclass
class Reading:
    """One reader's way through the pages.

    Attributes:
        wanted: the first and the last day, and the source.
        limit: the most rows of a page.
        due: the rows that were there when the first page was asked for.
        found: what the pages held, in order.
        cursor: of the next page.
        ended: whether there is no further page.
    """

    wanted: tuple
    limit: int
    due: set
    found: list = field(default_factory=list)
    cursor: str | None = None
    ended: bool = False


class Paging(RuleBasedStateMachine):
    """What may happen to predictions, and to those who read them.

    Subclasses name the API's client, the store, and the database, in which SQL written here says
    what is right.
    """

    readings = Bundle("readings")

    def __init__(self):
        super().__init__()
        self.sql = psycopg.connect(self.database, autocommit=True)
        self.sql.execute("TRUNCATE predictions")
        self.late = None
        self.open = []

    @initialize(counts=st.lists(st.integers(1, 6), max_size=4), data=st.data())
    def some_are_there(self, counts, data):
        for count in counts:
            self.arrive(count, data.draw(st.sampled_from(SOURCES)), None)

    @rule(
        count=st.integers(1, 6),
        source=st.sampled_from(SOURCES),
        moment=st.none() | st.sampled_from(MOMENTS),
    )
    def arrive(self, count, source, moment):
        """A request is stored: now, or as if at a moment, for days to differ."""
        records = [record_of(enrollee_id=number + 1) for number in range(count)]
        ids = self.store.predictions.write(batch_of(records, source=source)).ids
        if moment is not None:
            # Nothing comes between what a reader has read and is to read, but by a late commit.
            self.read_all_to_the_end()
            move = "UPDATE predictions SET created_at = %s WHERE id = ANY(%s)"
            self.sql.execute(move, [moment, list(ids)])

    @precondition(lambda self: self.late is None)
    @rule(source=st.sampled_from(SOURCES))
    def a_slow_writer_begins(self, source):
        self.late = psycopg.connect(self.database)
        names = [column.name for column in self.columns if column.name not in ("id", "source")]
        kept = ", ".join(names)
        self.late.execute(
            f"INSERT INTO predictions (source, {kept}) SELECT %s, "
            f"{kept.replace('created_at', 'clock_timestamp()')} FROM predictions LIMIT 3",
            [source],
        )

    @precondition(lambda self: self.late is not None)
    @rule()
    def the_slow_writer_commits(self):
        self.late.commit()
        self.late.close()
        self.late = None

    @precondition(lambda self: self.there((None, None, "all")))
    @rule(data=st.data())
    def one_is_removed(self, data):
        number = data.draw(st.sampled_from(self.there((None, None, "all"))))
        self.sql.execute("DELETE FROM predictions WHERE id = %s", [number])
        for reading in self.open:
            reading.due.discard(number)

    @rule(target=readings, asked=wanted, limit=st.integers(1, 7))
    def begin_to_read(self, asked, limit):
        reading = Reading(asked, limit, set(self.there(asked)))
        self.turn(reading)
        return multiple() if reading.ended else reading

    @rule(reading=readings)
    def turn(self, reading):
        if reading.ended:
            return
        more = {"limit": reading.limit} | ({"cursor": reading.cursor} if reading.cursor else {})
        page = self.asked(reading.wanted, **more).json()
        assert len(page["rows"]) <= reading.limit
        assert page["next"] is None or len(page["rows"]) == reading.limit
        for row in page["rows"]:
            assert reading.wanted[2] in ("all", row["source"])
            day = datetime.fromisoformat(row["created_at"]).astimezone(UTC).date()
            assert (reading.wanted[0] or day) <= day <= (reading.wanted[1] or day)
        reading.found += [(row["created_at"], row["id"]) for row in page["rows"]]
        reading.cursor = page["next"]
        self.judge(reading)

    def judge(self, reading):
        ids = [number for _, number in reading.found]
        assert len(set(ids)) == len(ids), "a row comes twice"
        moments = [(datetime.fromisoformat(moment), number) for moment, number in reading.found]
        assert moments == sorted(moments, reverse=True), "the newest do not come first"
        reading.ended = reading.cursor is None
        if reading.ended:
            assert reading.due <= set(ids), "a row is left out"
        if reading.ended and reading in self.open:
            self.open.remove(reading)
        elif not reading.ended and reading not in self.open:
            self.open.append(reading)

    @rule(asked=wanted)
    def everything_at_once(self, asked):
        """A file, and one great page, hold what is there, in order."""
        due = self.there(asked)
        lines = csv.DictReader(io.StringIO(self.asked(asked, format="csv").text))
        assert [int(line["id"]) for line in lines] == due
        table = pyarrow.parquet.read_table(io.BytesIO(self.asked(asked, format="parquet").content))
        assert table.column("id").to_pylist() == due
        page = self.asked(asked, limit=10_000).json()
        assert [row["id"] for row in page["rows"]] == due
        assert page["next"] is None

    @rule()
    def read_all_to_the_end(self):
        for reading in list(self.open):
            while not reading.ended:
                self.turn(reading)

    def asked(self, wanted, **more):
        start, end, source = wanted
        days = {"start": start, "end": end}
        asked = {name: day.isoformat() for name, day in days.items() if day} | more
        answer = self.client.get("/past-predictions", params=asked | {"source": source})
        assert answer.status_code == 200, answer.text
        return answer

    def there(self, wanted):
        """The rows that are there, the newest first, as SQL has it that is not the store's."""
        start, end, source = wanted
        found = self.sql.execute(
            "SELECT id FROM predictions"
            " WHERE (created_at AT TIME ZONE 'UTC')::date BETWEEN %s AND %s"
            " AND (source = %s OR %s = 'all') ORDER BY created_at DESC, id DESC",
            [
                start or date.min,
                end or datetime.now(UTC).date() + timedelta(days=9),
                source,
                source,
            ],
        )
        return [number for (number,) in found]

    def teardown(self):
        if self.late is not None:
            self.late.close()
        try:
            self.read_all_to_the_end()
        finally:
            self.sql.close()


@pytest.fixture
def paging(store, database, tmp_path):
    """Goes through histories over an API of its own."""

    def go(examples, *, phases=tuple(Phase)):
        machine = type(
            "Histories",
            (Paging,),
            {
                "client": client,
                "store": store,
                "database": database,
                "columns": store.predictions._predictions.columns,
            },
        )
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=60 if examples > 100 else 30,
                deadline=None,
                phases=phases,
                suppress_health_check=list(HealthCheck),
                print_blob=False,
            ),
        )

    with serving(open_house(store, tmp_path)) as client:
        yield go


def test_pages_have_no_gap_and_no_repeat_whatever_happens_meanwhile(paging):
    paging(15)


@pytest.mark.torture
def test_pages_have_no_gap_and_no_repeat_in_hundreds_of_histories(paging, figures):
    paging(EXAMPLES)
    figures(f"{EXAMPLES} histories of readers, writers and removals of up to 60 steps", wrong=0)


def _moments_alone(patch):
    real = stored.read_cursor
    patch.setattr(stored, "read_cursor", lambda cursor: (real(cursor)[0], 0))


def _pages_by_number(patch):
    real = Predictions.page

    def page(self, start=None, end=None, source=None, limit=200, cursor=None):
        rows = real(self, start, end, source, limit=10_000)[0]
        first = int(cursor or 0)
        last = first + limit
        return rows[first:last], str(last) if len(rows) > last else None

    patch.setattr(Predictions, "page", page)


def _last_day_left_out(patch):
    real = Predictions._of
    patch.setattr(
        Predictions,
        "_of",
        lambda self, wanted, start, end, source: real(
            self, wanted, start, end and end - timedelta(days=1), source
        ),
    )


def _file_cut_short(patch):
    real = Predictions.csv

    def csv(*asked, **more):
        yield b"".join(b"".join(real(*asked, **more)).splitlines(keepends=True)[:7])

    patch.setattr(Predictions, "csv", csv)


@pytest.mark.parametrize(
    "plant", [_moments_alone, _pages_by_number, _last_day_left_out, _file_cut_short]
)
def test_a_planted_fault_is_noticed(paging, monkeypatch, plant):
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        paging(100, phases=[Phase.generate])
