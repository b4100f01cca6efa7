"""Records that leave a file: nothing else moves, not by a byte."""

import multiprocessing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobchurn.contract import JOB_CHANGE
from jobchurn.files import cut_bytes, dropped, emptied, held

NAMES = [column.name for column in JOB_CHANGE.columns]
HEADER = ",".join(NAMES).encode()
BLANK = b"," * (len(NAMES) - 1)

# Good, too few and too many cells, a quoted line end, broken quotes, NUL, no UTF-8.
RECORDS = [
    b"1,c,0.5" + b"," * (len(NAMES) - 3),
    b"1,2",
    b"," * 30,
    b'7,"a\nb"' + b"," * (len(NAMES) - 2),
    b'1,"x" y,3',
    b'1,"never closed',
    b"1,\x00",
    b"1,\xff\xfe",
]
ENDS = [b"\n", b"\r\n", b"\r", b"\n\n", b"\n  \n", b" \t\n"]


def sheet_of(*lines):
    return cut_bytes(b"".join([HEADER + b"\n", *lines]), JOB_CHANGE)


def records(sheet):
    return [sheet.record(row) for row in range(1, sheet.rows + 1)]


@given(
    st.lists(st.tuples(st.sampled_from(RECORDS), st.sampled_from(ENDS)), min_size=1, max_size=8),
    st.booleans(),
    st.data(),
)
def test_an_emptied_row_keeps_its_place_and_no_other_row_changes(lines, cut_off, data):
    raw = b"".join(record + end for record, end in lines)
    sheet = sheet_of(raw.rstrip() if cut_off else raw)
    rows = data.draw(st.sets(st.integers(1, sheet.rows)))
    after = cut_bytes(b"".join(emptied(sheet, rows)), JOB_CHANGE)
    assert after.head == sheet.head
    assert after.rows == sheet.rows
    for row, (old, new) in enumerate(zip(records(sheet), records(after), strict=True), 1):
        if row in rows:
            assert new.strip() == BLANK
            assert row not in after.faults
            assert all(cells[row - 1] == "" for cells in after.columns.values())
        else:
            assert new == old
    assert b"".join(emptied(after, rows)) == after.data  # to repeat it changes nothing


def test_dropped_rows_are_gone_and_the_others_as_they_were():
    sheet = sheet_of(*(record + b"\n" for record in RECORDS[:3]))
    assert b"".join(dropped(sheet, {2})) == HEADER + b"\n" + sheet.record(1) + sheet.record(3)
    assert b"".join(dropped(sheet, {1, 2, 3})) == HEADER + b"\n"


def test_a_row_of_one_cell_stays_a_row_when_it_is_emptied(toy):
    name = toy.required[0].name if toy.required else toy.columns[0].name
    sheet = cut_bytes(f"{name}\n1\n2\n3\n".encode(), toy)
    after = b"".join(emptied(sheet, {2}))
    assert after == f'{name}\n1\n""\n3\n'.encode()
    assert cut_bytes(after, toy).rows == 3


def _hold(folder, ready, go):
    with held(folder):
        ready.set()
        go.wait(60)


@pytest.mark.parametrize("killed", [False, True], ids=["ended", "killed"])
def test_a_folder_is_held_by_one_at_a_time_and_let_go_by_the_dead(tmp_path, killed):
    context = multiprocessing.get_context("spawn")
    ready, go = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path, ready, go))
    other.start()
    assert ready.wait(60)
    if killed:
        other.kill()
    else:
        go.set()
    with held(tmp_path):
        pass
    other.join(60)
