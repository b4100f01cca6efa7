import pytest

from jobchurn import files


@pytest.mark.parametrize(
    ("record", "index", "text", "expected"),
    [
        pytest.param(b"a,b,c\n", 1, "x", b"a,x,c\n", id="plain"),
        pytest.param(b"a,b,c\r\n", 2, "x", b"a,b,x\r\n", id="before the line end"),
        pytest.param(b"a,b,c", 2, "", b"a,b,", id="without a line end"),
        pytest.param(b"a,b\n\n  \n", 1, "x", b"a,x\n\n  \n", id="blank lines after it"),
        pytest.param(b"a,,c\n", 1, "x", b"a,x,c\n", id="a blank cell"),
        pytest.param(b'a,"b",c\n', 1, "x", b'a,"x",c\n', id="quoted before, quoted after"),
        pytest.param(b'"a,""\n",b\n', 1, "x", b'"a,""\n",x\n', id="after a quoted cell"),
        pytest.param(b"a,b\n", 0, "x,y", b'"x,y",b\n', id="a comma needs quotes"),
        pytest.param(b"a,b\n", 0, 'x"y', b'"x""y",b\n', id="a quote needs quotes"),
        pytest.param(b"a,b\n", 0, "x\ny", b'"x\ny",b\n', id="a line end needs quotes"),
        pytest.param(b"a,b\n", 0, "é", b"\xc3\xa9,b\n", id="UTF-8"),
        pytest.param(b"a\n", 0, "", b'""\n', id="a blank alone would be a blank line"),
    ],
)
def test_a_cell_is_replaced_and_no_other_byte(record, index, text, expected):
    assert files.spliced(record, index, text) == expected


@pytest.mark.parametrize(
    ("record", "index", "expected"),
    [
        pytest.param(b"a,b,c\n", 0, b"b,c\n", id="the first"),
        pytest.param(b"a,b,c\n", 1, b"a,c\n", id="one in the middle"),
        pytest.param(b"a,b,c\r\n\r\n", 2, b"a,b\r\n\r\n", id="the last"),
        pytest.param(b'"a,\n""",b\n', 0, b"b\n", id="a quoted one"),
        pytest.param(b"\xef\xbb\xbfa,b\n", 0, b"\xef\xbb\xbfb\n", id="after a byte order mark"),
        pytest.param(b"\xef\xbb\xbf \r\n\ra,b\n", 0, b"\xef\xbb\xbf \r\n\rb\n", id="blank lines"),
        pytest.param(b' "a" , "b" ,c\n', 1, b' "a" ,c\n', id="blanks around a header's quotes"),
        pytest.param(b"a\n", 0, b"\n", id="the only one"),
    ],
)
def test_a_cell_is_taken_out_with_its_comma(record, index, expected):
    assert files.without(record, index) == expected


@pytest.mark.parametrize("record", [b'a,"b\n', b'a"b,c\n', b'"a"b,c\n'])
def test_a_record_whose_quotes_are_broken_has_no_cells(record):
    with pytest.raises(ValueError, match="grammar"):
        files.spliced(record, 0, "x")
    with pytest.raises(ValueError, match="grammar"):
        files.without(record, 0)
