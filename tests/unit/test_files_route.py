import functools
import hashlib

import pytest

from jobchurn import files
from jobchurn.contract import JOB_CHANGE
from jobchurn.files.reading import blocks_of
from splits import split_of

HEAD = b"enrollee_id,city,city_development_index,relevent_experience,training_hours\r\n"
RECORDS = [b"%d,city_%d,0.5,No relevent experience,7\r\n" % (n, n) for n in range(1, 7)]


def hash_of(content):
    return hashlib.sha256(content).hexdigest()


DATA = HEAD + b"".join(RECORDS)


@pytest.fixture
def route(tmp_path_factory):
    """Routes a file of these bytes, of which these rows are bad."""
    raw = tmp_path_factory.mktemp("raw") / "raw.csv"

    def route(bad, good, bad_path, data=DATA):
        raw.write_bytes(data)
        return files.route(raw, split_of(files.cut_bytes(data, JOB_CHANGE), bad), good, bad_path)

    return route


def test_records_go_to_good_or_bad_with_the_header_and_in_order(route, tmp_path):
    route({1, 4, 5}, tmp_path / "good", tmp_path / "bad")
    good, bad = (tmp_path / "good").read_bytes(), (tmp_path / "bad").read_bytes()
    assert good == HEAD + RECORDS[1] + RECORDS[2] + RECORDS[5]
    assert bad == HEAD + RECORDS[0] + RECORDS[3] + RECORDS[4]


def test_where_all_records_are_good_no_bad_file_is_written(route, tmp_path):
    route(set(), tmp_path / "good", None)
    assert [path.name for path in tmp_path.iterdir()] == ["good"]
    assert (tmp_path / "good").read_bytes() == DATA


def test_where_all_records_are_bad_no_good_file_is_written(route, tmp_path):
    route(range(1, 7), None, tmp_path / "bad")
    assert [path.name for path in tmp_path.iterdir()] == ["bad"]
    assert (tmp_path / "bad").read_bytes() == DATA


def test_no_record_may_go_nowhere(route, tmp_path):
    with pytest.raises(ValueError, match="bad records have nowhere to go"):
        route({3}, tmp_path / "good", None)
    with pytest.raises(ValueError, match="good records have nowhere to go"):
        route({3}, None, tmp_path / "bad")
    assert list(tmp_path.iterdir()) == []


def test_a_header_alone_is_routed_as_it_is(route, tmp_path):
    route((), tmp_path / "good", None, HEAD)
    assert (tmp_path / "good").read_bytes() == HEAD


def test_blank_lines_go_where_the_record_before_them_goes(route, tmp_path):
    data = b"\n" + HEAD + b"\r\n" + RECORDS[0] + b"\n \n" + RECORDS[1] + b"\n"
    route({1}, tmp_path / "good", tmp_path / "bad", data)
    assert (tmp_path / "bad").read_bytes() == b"\n" + HEAD + b"\r\n" + RECORDS[0] + b"\n \n"
    assert (tmp_path / "good").read_bytes() == b"\n" + HEAD + b"\r\n" + RECORDS[1] + b"\n"


def test_to_route_again_changes_nothing(route, tmp_path):
    for _ in range(2):
        route({2}, tmp_path / "good", tmp_path / "bad")
    assert (tmp_path / "bad").read_bytes() == HEAD + RECORDS[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad", "good"]


def test_a_refused_file_is_kept_byte_for_byte(tmp_path):
    content = bytes(range(256)) * 10_000
    (tmp_path / "raw").write_bytes(content)
    assert files.refuse(tmp_path / "raw", hash_of(content), tmp_path / "bad")
    assert (tmp_path / "bad").read_bytes() == content


def test_a_refused_file_that_has_changed_is_kept_nowhere(tmp_path):
    (tmp_path / "raw").write_bytes(b"another")
    assert not files.refuse(tmp_path / "raw", hash_of(b"content"), tmp_path / "bad")
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_a_file_that_has_changed_since_it_was_judged_is_routed_nowhere(tmp_path):
    split = split_of(files.cut_bytes(DATA, JOB_CHANGE), {1})
    (tmp_path / "raw").write_bytes(DATA.replace(b"0.5", b"0.6"))
    assert not files.route(tmp_path / "raw", split, tmp_path / "good", tmp_path / "bad")
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_a_file_of_many_blocks_is_routed_to_the_byte(route, tmp_path, monkeypatch):
    small = functools.partial(blocks_of, size=7)
    monkeypatch.setitem(files.route.__globals__, "blocks_of", small)
    route({1, 4, 5}, tmp_path / "good", tmp_path / "bad")
    good, bad = (tmp_path / "good").read_bytes(), (tmp_path / "bad").read_bytes()
    assert good == HEAD + RECORDS[1] + RECORDS[2] + RECORDS[5]
    assert bad == HEAD + RECORDS[0] + RECORDS[3] + RECORDS[4]
