import hashlib
import os
import threading
import time

import pytest

from jobchurn import files
from jobchurn.errors import DataUnusable

NOW = 1_800_000_000.0


def test_a_homes_folders_are_made_and_made_again(tmp_path):
    folders = files.Folders(tmp_path / "home")
    folders.make()
    folders.make()
    assert {path.relative_to(folders.root).as_posix() for path in folders.root.rglob("*")} == {
        "data",
        "data/raw_data",
        "data/good_data",
        "data/bad_data",
        "data/reports",
        "data/work",
        "models",
    }


def test_regular_files_arrive_by_name(tmp_path):
    for name in ("b.csv", "a.csv", "c", "Ä.CSV", "d.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in files.arriving(tmp_path)] == [
        "a.csv",
        "b.csv",
        "c",
        "d.txt",
        "Ä.CSV",
    ]


@pytest.mark.parametrize(
    "name",
    [
        ".hidden.csv",
        "a.csv.tmp",
        "a.csv.TMP",
        "a.csv.part",
        "a.csv~",
        "a.csv.swp",
        "a.csv.gz",
        "a.CSV.GZ",
        "a.zip",
        "a.csv.xz",
        "a.csv.bz2",
        "a.csv.zst",
        "a.tgz",
    ],
)
def test_hidden_unfinished_and_compressed_names_do_not_arrive(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    assert files.arriving(tmp_path) == []


def test_links_pipes_and_folders_do_not_arrive(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    (tmp_path / "real.csv").write_bytes(b"")
    assert [path.name for path in files.arriving(tmp_path)] == ["real.csv"]


def test_a_name_of_any_bytes_arrives(tmp_path):
    name = b"\xff\n<b>\x01;'.csv"
    (tmp_path / os.fsdecode(name)).touch()
    (path,) = files.arriving(tmp_path)
    assert os.fsencode(path.name) == name
    assert files.sha256_of(path) == hashlib.sha256(b"").hexdigest()


@pytest.fixture
def stamped(tmp_path, monkeypatch):
    """A file whose times are what a test says."""
    path = tmp_path / "a.csv"
    path.write_bytes(b"x")
    real = path.lstat()

    def stamp(mtime, ctime):
        fields = list(real)
        found = os.stat_result((*fields[:7], 0, mtime, ctime))
        monkeypatch.setattr(type(path), "lstat", lambda _: found)
        return path

    return stamp


@pytest.mark.parametrize(
    ("mtime", "ctime", "is_settled"),
    [
        pytest.param(-10, -10, True, id="long unchanged"),
        pytest.param(-1, -1, True, id="just long enough"),
        pytest.param(0, 0, False, id="written now"),
        pytest.param(-10, 0, False, id="content old, entry new: moved in with its old time"),
        pytest.param(0, -10, False, id="content new"),
        pytest.param(86_400, 86_400, True, id="the clock was set back by a day"),
        pytest.param(86_400, 0, False, id="a time from the future, written now"),
    ],
)
def test_a_file_has_settled_when_neither_content_nor_entry_changed(
    stamped, mtime, ctime, is_settled
):
    assert files.settled(stamped(NOW + mtime, NOW + ctime), 1.0, now=NOW) is is_settled


def test_a_file_just_written_has_not_settled_by_the_clock(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    assert not files.settled(tmp_path / "a", 60.0)
    assert files.settled(tmp_path / "a", 60.0, now=time.time() + 3600)
    assert files.settled(tmp_path / "a", 0.0)


def test_a_file_that_is_gone_never_settles(tmp_path):
    assert not files.settled(tmp_path / "gone", 0.0)


def test_the_hash_is_that_of_the_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    assert files.sha256_of(tmp_path / "a") == hashlib.sha256(b"x" * 3_000_000).hexdigest()


def test_a_pipe_is_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    failures = []

    def read():
        try:
            files.sha256_of(tmp_path / "pipe")
        except DataUnusable as error:
            failures.append(error)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(10)
    assert len(failures) == 1


def test_a_folder_cannot_be_read_as_a_file(tmp_path):
    with pytest.raises(DataUnusable, match="no regular file"):
        files.open_regular(tmp_path)
