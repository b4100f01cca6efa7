"""Rows count as the same where all their bytes are the same, and nowhere else."""

import numpy as np
import pytest

from jobchurn import files
from letters import LETTERS

MANY = [f"more {number}" for number in range(70)]


def keys_of(header, *rows):
    """The numbers of some rows of one file."""
    lines = [",".join(cells) for cells in (header, *rows)]
    sheet = files.cut_bytes("\n".join(lines).encode(), LETTERS)
    assert sheet.rows == len(rows)
    assert not sheet.faults
    return files.Coder(LETTERS).coded(sheet)[1].tolist()


def swapped(header, first, second):
    """A row, and the same with the cells of two columns exchanged."""
    row = dict.fromkeys(header, "x") | {"c": "1", first: "0", second: "1"}
    return [*row.values()], [*(row | {first: "1", second: "0"}).values()]


@pytest.mark.parametrize("common", [0, 7, 8, 63, 64, 65, 200, 5_000])
@pytest.mark.parametrize("name", ["notes", "a"])
def test_rows_differ_that_differ_behind_any_number_of_bytes(common, name):
    header = ["a", "c", "notes"]
    row = dict.fromkeys(header, "x") | {"c": "1"}
    texts = ["n" * common + end for end in ("first remark", "other remark", "first remark")]
    first, other, again = keys_of(header, *([*(row | {name: text}).values()] for text in texts))
    assert first != other
    assert first == again


@pytest.mark.parametrize("apart", range(1, 10))
def test_rows_differ_whose_words_are_exchanged_between_columns(apart):
    header = ["a", "c", "notes", *MANY[:apart]]
    texts = ["A" * 8, "B" * 8]
    rows = []
    for behind, before in (texts, texts[::-1]):
        row = dict.fromkeys(header, "") | {"a": "x", "notes": "12345678" + behind}
        rows.append([*(row | {header[-1]: before}).values()])
    first, other = keys_of(header, *rows)
    assert first != other


@pytest.mark.parametrize("apart", [1, 8, 31, 32, 33, 63, 64, 65])
def test_rows_differ_whose_cells_are_exchanged_between_columns_however_far_apart(apart):
    header = ["a", "c", *MANY]
    first, other = keys_of(header, *swapped(header, MANY[0], MANY[apart]))
    assert first != other


@pytest.mark.parametrize("apart", [1, 16, 32, 48, 64])
def test_rows_differ_whose_cells_are_exchanged_between_columns_of_the_contract(apart):
    header = ["a", *MANY[: apart - 1], "b", "c"]
    first, other = keys_of(header, *swapped(header, "a", "b"))
    assert first != other


def test_rows_differ_of_which_one_has_a_zero_where_the_other_is_blank():
    blank, zero, again = keys_of(["a", "c"], ["x", ""], ["x", "0"], ["x", ""])
    assert blank != zero
    assert blank == again


def test_rows_that_are_the_same_have_one_number_in_every_sheet():
    header = ["a", "c", *MANY]
    row = ["x", "1", *("long " * number for number in range(len(MANY)))]
    head = (",".join(header) + "\n").encode()
    sheets = [files.cut_bytes(head + ",".join(row).encode() + b"\n" * n, LETTERS) for n in (1, 2)]
    coder = files.Coder(LETTERS)
    first, other = (coder.coded(sheet)[1] for sheet in sheets)
    assert np.array_equal(first, other)
