"""Numbers that recur are found, however few are held in memory."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jobchurn.repeats import FIRST, Recurring, Repeats, Rows

NUMBERS = st.lists(st.integers(0, 30).map(lambda n: n * 2**59), max_size=120)


def expected(numbers):
    counts = Counter(numbers)
    again = {number for number, count in counts.items() if count > 1}
    places = [place for place, number in enumerate(numbers) if number in again]
    return Recurring(len(counts), len(again), len(places), tuple(places[:FIRST]))


@given(numbers=NUMBERS, held=st.integers(1, 60), piece=st.integers(1, 20))
def test_what_recurs_is_told_with_its_first_places(numbers, held, piece):
    repeats = Repeats(held=held, places=True)
    for start in range(0, len(numbers), piece):
        part = numbers[start : start + piece]
        repeats.add(np.array(part, np.uint64), np.arange(start, start + len(part)))
    assert repeats.recurring() == expected(numbers)
    repeats.close()


# An id or none, and what else stands in the row.
ROWS = st.lists(st.tuples(st.none() | st.integers(0, 5), st.integers(0, 3)), max_size=60)


@given(rows=ROWS, piece=st.integers(1, 20))
def test_rows_that_are_the_same_are_counted_with_and_without_an_id(rows, piece):
    found = Rows()
    for start in range(0, len(rows), piece):
        part = rows[start : start + piece]
        keys = np.array([hash(row) % 2**64 for row in part], np.uint64)
        found.add(keys, np.array([number is not None for number, _ in part]))
    ids = Counter(number for number, _ in rows if number is not None)
    recur = any(count > 1 for count in ids.values())
    assert found.repeated(ids_recur=recur) == len(rows) - len(set(rows))
    found.close()


def test_the_temporary_files_have_no_name(tmp_path):
    repeats = Repeats(tmp_path, held=10, places=True)
    repeats.add(np.arange(100, dtype=np.uint64), np.arange(100))
    assert list(tmp_path.iterdir()) == []
    assert repeats.recurring().distinct == 100
    repeats.close()
