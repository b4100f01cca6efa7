"""What is wrong with single records, found without a piece for each of their cells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobchurn.files.cells import spans
from jobchurn.files.damage import longest_cell

TEXTS = st.text(alphabet="ab, é\t", max_size=30).map(str.encode)


@given(record=TEXTS)
def test_the_longest_cell_is_that_of_the_cells(record):
    assert longest_cell(record) == max(stop - start for start, stop in spans(record))


@pytest.mark.parametrize(
    ("record", "size"), [(b"", 0), (b",", 0), (b'"a,b",c', 5), (b'a,"b\n""c"', 7), (b'"a"b', 0)]
)
def test_quotes_count_and_what_breaks_the_grammar_has_no_cells(record, size):
    assert longest_cell(record) == size
