import hashlib

import pytest

from jobchurn import files
from jobchurn.contract import JOB_CHANGE

HEAD = b"enrollee_id,city,city_development_index,relevent_experience,training_hours\r\n"
RECORDS = [b"%d,city_%d,0.5,No relevent experience,7\r\n" % (n, n) for n in range(1, 7)]


def hash_of(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def sheet():
    return files.cut_bytes(HEAD + b"".join(RECORDS), JOB_CHANGE)


def test_records_go_to_good_or_bad_with_the_header_and_in_order(sheet, tmp_path):
    files.route(sheet, {1, 4, 5}, tmp_path / "good", tmp_path / "bad")
    good, bad = (tmp_path / "good").read_bytes(), (tmp_path / "bad").read_bytes()
    assert good == HEAD + RECORDS[1] + RECORDS[2] + RECORDS[5]
    assert bad == HEAD + RECORDS[0] + RECORDS[3] + RECORDS[4]


def test_where_all_records_are_good_no_bad_file_is_written(sheet, tmp_path):
    files.route(sheet, set(), tmp_path / "good", None)
    assert [path.name for path in tmp_path.iterdir()] == ["good"]
    assert (tmp_path / "good").read_bytes() == sheet.data


def test_where_all_records_are_bad_no_good_file_is_written(sheet, tmp_path):
    files.route(sheet, range(1, 7), None, tmp_path / "bad")
    assert [path.name for path in tmp_path.iterdir()] == ["bad"]
    assert (tmp_path / "bad").read_bytes() == sheet.data


def test_no_record_may_go_nowhere(sheet, tmp_path):
    with pytest.raises(ValueError, match="bad records have nowhere to go"):
        files.route(sheet, {3}, tmp_path / "good", None)
    with pytest.raises(ValueError, match="good records have nowhere to go"):
        files.route(sheet, {3}, None, tmp_path / "bad")
    assert list(tmp_path.iterdir()) == []


def test_a_header_alone_is_routed_as_it_is(tmp_path):
    files.route(files.cut_bytes(HEAD, JOB_CHANGE), (), tmp_path / "good", None)
    assert (tmp_path / "good").read_bytes() == HEAD


def test_to_route_again_changes_nothing(sheet, tmp_path):
    for _ in range(2):
        files.route(sheet, {2}, tmp_path / "good", tmp_path / "bad")
    assert (tmp_path / "bad").read_bytes() == HEAD + RECORDS[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad", "good"]


def test_a_refused_file_has_no_records_to_route(tmp_path):
    with pytest.raises(ValueError, match="refused"):
        files.route(files.cut_bytes(b"", JOB_CHANGE), (), tmp_path / "good", None)


def test_a_refused_file_is_kept_byte_for_byte(tmp_path):
    content = bytes(range(256)) * 10_000
    (tmp_path / "raw").write_bytes(content)
    assert files.refuse(tmp_path / "raw", hash_of(content), tmp_path / "bad")
    assert (tmp_path / "bad").read_bytes() == content


def test_a_refused_file_that_has_changed_is_kept_nowhere(tmp_path):
    (tmp_path / "raw").write_bytes(b"another")
    assert not files.refuse(tmp_path / "raw", hash_of(b"content"), tmp_path / "bad")
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_what_is_routed_is_what_was_cut_even_if_the_file_has_changed_since(tmp_path):
    raw = tmp_path / "raw"
    raw.write_bytes(HEAD + RECORDS[0])
    sheet = files.cut(raw, JOB_CHANGE)
    raw.write_bytes(b"something else")
    files.route(sheet, (), tmp_path / "good", None)
    assert (tmp_path / "good").read_bytes() == HEAD + RECORDS[0]
