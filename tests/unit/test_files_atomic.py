import errno
import os
import re
import stat
import time
from pathlib import Path

import pytest

from jobchurn import files
from jobchurn.errors import DataUnusable
from jobchurn.files import atomic


@pytest.fixture
def synced(monkeypatch):
    """What was fsynced: "file" or "folder", in order; the rename among it."""
    calls = []
    fsync, replace = os.fsync, os.replace

    def spy(descriptor):
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        calls.append("folder" if is_folder else "file")
        fsync(descriptor)

    def renaming(*arguments, **keywords):
        calls.append("rename")
        replace(*arguments, **keywords)

    monkeypatch.setattr(os, "fsync", spy)
    monkeypatch.setattr(os, "replace", renaming)
    return calls


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_whole(tmp_path):
    files.write_atomically(tmp_path / "a", b"all of it")
    assert (tmp_path / "a").read_bytes() == b"all of it"
    assert names(tmp_path) == ["a"]


def test_a_file_is_written_piece_by_piece(tmp_path):
    files.write_atomically(tmp_path / "a", (bytes([n]) * 100_000 for n in range(10)))
    assert (tmp_path / "a").stat().st_size == 1_000_000


def test_a_file_takes_the_place_of_another(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    files.write_atomically(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


def test_others_may_read_a_file_as_far_as_the_umask_lets_them(tmp_path):
    before = os.umask(0o022)
    try:
        files.write_atomically(tmp_path / "a", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644


def test_a_file_is_on_the_disk_before_it_has_its_name_and_the_name_after(tmp_path, synced):
    files.write_atomically(tmp_path / "a", b"x")
    assert synced == ["file", "rename", "folder"]


def test_a_reader_never_sees_the_temporary_file_as_an_arriving_one(tmp_path):
    def pieces():
        yield b"a"
        assert files.arriving(tmp_path) == []
        assert len(names(tmp_path)) == 1
        yield b"b"

    files.write_atomically(tmp_path / "a.csv", pieces())
    assert files.arriving(tmp_path) == [tmp_path / "a.csv"]


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_a_failing_source_leaves_nothing_behind_and_the_old_file_in_place(tmp_path, failure):
    (tmp_path / "a").write_bytes(b"old")

    def pieces():
        yield b"new" * 100_000
        raise failure

    with pytest.raises(type(failure)):
        files.write_atomically(tmp_path / "a", pieces())
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


@pytest.mark.parametrize("failure", [OSError(errno.EIO, "broken disk"), KeyboardInterrupt()])
def test_a_failing_fsync_leaves_nothing_behind(tmp_path, monkeypatch, failure):
    def fail(_descriptor):
        raise failure

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(type(failure)):
        files.write_atomically(tmp_path / "a", b"x")
    assert names(tmp_path) == []


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    real = os.open

    def full(path, flags, mode=0o777):
        descriptor = real(path, flags, mode)
        if flags & os.O_EXCL:
            device = real("/dev/full", os.O_WRONLY)
            os.dup2(device, descriptor)
            os.close(device)
        return descriptor

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", full)
        with pytest.raises(OSError, match="No space left"):
            files.write_atomically(tmp_path / "a", b"x" * 100_000)
    assert names(tmp_path) == []


def test_a_folder_that_is_absent_is_told(tmp_path):
    with pytest.raises(FileNotFoundError):
        files.write_atomically(tmp_path / "absent" / "a", b"")


def test_a_copy_has_the_bytes_and_leaves_the_source(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    files.copy(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == (tmp_path / "a").read_bytes()


def test_a_pipe_is_not_copied(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataUnusable):
        files.copy(tmp_path / "pipe", tmp_path / "b")
    assert names(tmp_path) == ["pipe"]


def test_a_moved_file_is_in_one_place_only(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "a").write_bytes(b"x")
    files.move(tmp_path / "a", tmp_path / "there" / "b")
    assert names(tmp_path) == ["there"]
    assert (tmp_path / "there" / "b").read_bytes() == b"x"


def test_what_cannot_be_removed_is_not_copied_to_another_file_system_either(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"x")
    unlink = Path.unlink

    def elsewhere(*_arguments, **_keywords):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    def kept(path, **how):
        if path.name == "a":
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        unlink(path, **how)

    monkeypatch.setattr(Path, "unlink", kept)
    monkeypatch.setattr(Path, "replace", rename_but(Path.replace, "a", elsewhere))
    with pytest.raises(PermissionError):
        files.move(tmp_path / "a", tmp_path / "b")
    assert names(tmp_path) == ["a"]


def rename_but(rename, name, instead):
    """``rename``, save that a file of this name is treated otherwise."""
    return lambda path, target: (instead if path.name == name else rename)(path, target)


def test_moving_an_absent_file_is_told(tmp_path):
    with pytest.raises(FileNotFoundError):
        files.move(tmp_path / "a", tmp_path / "b")


def test_a_file_is_moved_onto_another_file_system_too(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"x")
    replace = type(tmp_path).replace

    def across(path, destination):
        if path.name == "a":
            raise OSError(errno.EXDEV, "another file system")
        return replace(path, destination)

    monkeypatch.setattr(type(tmp_path), "replace", across)
    files.move(tmp_path / "a", tmp_path / "b")
    assert names(tmp_path) == ["b"]
    assert (tmp_path / "b").read_bytes() == b"x"


def test_a_file_that_cannot_be_moved_stays(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"x")

    def refuse(_path, _destination):
        raise OSError(errno.EACCES, "not allowed")

    monkeypatch.setattr(type(tmp_path), "replace", refuse)
    with pytest.raises(PermissionError):
        files.move(tmp_path / "a", tmp_path / "b")
    assert names(tmp_path) == ["a"]


def test_a_file_is_put_back_under_its_name(tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "raw").write_bytes(b"x")
    assert files.put_back(tmp_path / "work" / "raw", tmp_path / "a.csv") == tmp_path / "a.csv"
    assert (tmp_path / "a.csv").read_bytes() == b"x"
    assert names(tmp_path / "work") == []


def test_a_file_is_put_back_beside_one_that_has_come_since(tmp_path):
    (tmp_path / "raw").write_bytes(b"x")
    (tmp_path / "a.csv").write_bytes(b"newer")
    assert files.put_back(tmp_path / "raw", tmp_path / "a.csv") == tmp_path / "a-2.csv"
    assert (tmp_path / "a.csv").read_bytes() == b"newer"
    assert (tmp_path / "a-2.csv").read_bytes() == b"x"


def test_a_file_that_comes_at_the_same_moment_is_not_overwritten(tmp_path, monkeypatch):
    (tmp_path / "raw").write_bytes(b"x")
    free_name = atomic.free_name

    def slow(name, taken):
        found = free_name(name, taken)
        if found == "a.csv":
            (tmp_path / "a.csv").write_bytes(b"newer")
        return found

    monkeypatch.setattr(atomic, "free_name", slow)
    assert files.put_back(tmp_path / "raw", tmp_path / "a.csv") == tmp_path / "a-2.csv"
    assert (tmp_path / "a.csv").read_bytes() == b"newer"


@pytest.mark.parametrize("refusal", [errno.EPERM, errno.EXDEV, errno.EOPNOTSUPP])
def test_a_file_that_cannot_be_linked_is_put_back_and_replaces_nothing(
    tmp_path, monkeypatch, refusal
):
    def refused(path, _target):  # another user's file is linked by nobody but root
        raise OSError(refusal, os.strerror(refusal), str(path))

    monkeypatch.setattr(Path, "hardlink_to", refused)
    (tmp_path / "raw").write_bytes(b"x")
    (tmp_path / "a-2.csv").write_bytes(b"newer")
    place = files.put_back(tmp_path / "raw", tmp_path / "a.csv")
    assert place.parent == tmp_path
    assert place.read_bytes() == b"x"
    assert re.fullmatch(r"a-[0-9a-f]{16}\.csv", place.name)
    assert names(tmp_path) == sorted(["a-2.csv", place.name])
    with pytest.raises(FileNotFoundError):
        files.put_back(tmp_path / "raw", tmp_path / "a.csv")


def test_old_temporary_files_are_swept_and_young_or_other_ones_are_not(tmp_path):
    old = time.time() - 7200
    for name in (".0123456789abcdef.tmp", "a.tmp", ".keep", ".upload.csv.tmp"):
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (old, old))
    (tmp_path / ".fedcba9876543210.tmp").write_bytes(b"")
    assert files.sweep(tmp_path) == 1
    assert names(tmp_path) == [".fedcba9876543210.tmp", ".keep", ".upload.csv.tmp", "a.tmp"]


def test_a_made_folder_is_in_the_folder_above_for_good_whoever_made_it(tmp_path, synced):
    folder = tmp_path / "run"
    files.make_folder(folder)
    files.make_folder(folder)
    assert folder.is_dir()
    assert synced == ["folder", "folder"]
