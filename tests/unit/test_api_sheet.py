"""CSV bodies that strangers may send: what is refused before it is looked into."""

import pytest

from jobchurn.api.bulk import objects, sheet
from jobchurn.api.records import Reader
from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import InvalidRequest, TooLarge

HEAD = ",".join(column.name for column in JOB_CHANGE.columns).encode()
MOST = 1_000


@pytest.mark.parametrize("line", [b'1,"a,0.5\n', b"1,a\r"])
def test_too_many_records_are_refused_before_any_is_looked_into(line, monkeypatch):
    monkeypatch.setattr(sheet, "cut_bytes", pytest.fail)
    with pytest.raises(TooLarge, match=f"{MOST + 1:,} records"):
        sheet.submitted(HEAD + line[-1:] + line * (MOST + 1), JOB_CHANGE, MOST)


def test_a_header_without_end_is_refused_before_names_are_looked_for(monkeypatch):
    monkeypatch.setattr("jobchurn.files.header.spans", pytest.fail)
    with pytest.raises(InvalidRequest, match="no header: it has 2,000,000 bytes"):
        sheet.submitted(b"x" * 2_000_000, JOB_CHANGE, MOST)


class Line(bytes):
    """A line that tells how much of it was read as text."""

    read = 0

    def __getitem__(self, place):
        return Line(super().__getitem__(place))

    def decode(self, *args, **kwargs):
        Line.read += len(self)
        return super().decode(*args, **kwargs)


def test_of_a_line_that_is_no_json_only_the_beginning_is_read():
    line = Line(b"\xff" * 100_000)
    submission = objects.submitted([objects._NotJson(line, "why")], Reader(JOB_CHANGE), JOB_CHANGE)
    [refused] = submission.reading(JOB_CHANGE).refused
    assert refused["errors"][0]["value"].startswith("'\\\\xff")
    assert 0 < Line.read < 1_000
