"""A backup, a ledger and a sender that mean harm; and who else of the machine may read a home."""

import contextlib
import json
import os
import stat
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest

from ingest_house import HEADER, good_lines, ingest_house, write_raw
from jobchurn import files
from jobchurn.errors import DataUnusable
from jobchurn.files import Folders
from jobchurn.flow import backup, ingest
from jobchurn.postgres.server import lock_file
from jobchurn.settings import Settings
from jobchurn.stack import doctor

SECRET = b"what nobody but the house may read"


def hostile_backup(folder, name, content=b"taken", mode=0o644):
    """A backup with a file of this name, or the file that it would be at that place."""
    (folder / "home" / "data").mkdir(parents=True)
    (folder / backup.DATABASE).write_bytes(b"")
    place = folder / "home" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    place.chmod(mode)
    told = {name: sha256(content).hexdigest()}
    manifest = backup.Manifest(
        at="2026-11-28T00:00:00+00:00", home="/srv", files=told, database=sha256(b"").hexdigest()
    )
    (folder / backup.MANIFEST).write_bytes(manifest.to_json())
    return folder


@pytest.mark.parametrize(
    "name",
    ["../code.py", "data/../../code.py", "data//../../code.py", "code.py", "./data/x", "data"],
)
def test_a_backup_is_not_restored_that_names_a_file_outside_a_home(tmp_path, name):
    folder = hostile_backup(tmp_path / "kept", "data/x")
    manifest = json.loads((folder / backup.MANIFEST).read_bytes())
    (folder / "code.py").write_bytes(b"taken")
    (folder / "home" / "code.py").write_bytes(b"taken")
    manifest["files"] = {name: sha256(b"taken").hexdigest()}
    (folder / backup.MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(DataUnusable, match="no file of a home"):
        backup.unpack(folder, tmp_path / "there" / "home")
    assert not (tmp_path / "there").exists()


def test_a_backup_is_not_restored_that_names_a_file_of_the_machine(tmp_path):
    folder = hostile_backup(tmp_path / "kept", str(tmp_path / "machine" / "file"))
    with pytest.raises(DataUnusable, match="no file of a home"):
        backup.unpack(folder, tmp_path / "home")


@pytest.mark.parametrize("linked", ["data/x", "data"])
def test_a_link_in_a_backup_brings_nothing_of_the_machine_in(tmp_path, linked):
    folder = hostile_backup(tmp_path / "kept", "data/x", SECRET)
    machine = tmp_path / "machine"
    (folder / "home" / linked).rename(machine)
    (folder / "home" / linked).symlink_to(machine)
    with pytest.raises(DataUnusable, match="damaged"):
        backup.unpack(folder, tmp_path / "home")


def test_nobody_becomes_somebody_else_by_a_restored_file(tmp_path):
    folder = hostile_backup(tmp_path / "kept", "data/x", mode=0o6755)
    backup.unpack(folder, tmp_path / "home")
    assert stat.S_IMODE((tmp_path / "home" / "data" / "x").stat().st_mode) == 0o755


def test_a_path_that_somebody_wrote_into_the_ledger_is_not_backed_up(tmp_path):
    machine = tmp_path / "machine"
    machine.write_bytes(SECRET)
    folders = Folders(tmp_path / "home")
    folders.make()

    @contextlib.contextmanager
    def moment(gather):
        gather()
        yield SimpleNamespace(snapshot="one", files=[str(machine)], models=[])

    services = SimpleNamespace(
        folders=folders,
        store=SimpleNamespace(backups=SimpleNamespace(moment=moment)),
        settings=SimpleNamespace(settle_seconds=0),
    )
    kept = tmp_path / "kept"
    manifest = backup.backup(services, kept, lambda _, target: target.write_bytes(b""))
    assert (manifest.files, manifest.missing) == ({}, [str(machine)])
    assert all(SECRET not in path.read_bytes() for path in kept.rglob("*") if path.is_file())


@pytest.fixture
def house(store, tmp_path):
    return ingest_house(store, tmp_path / "home")


@pytest.mark.parametrize("moment", ["settled", "sha256_of", "make_folder"])
def test_a_file_that_becomes_a_link_while_it_is_taken_gives_nothing_away(
    house, tmp_path, monkeypatch, moment
):
    secret = tmp_path / "secret.csv"
    secret.write_bytes("\n".join([HEADER, *good_lines(5)]).encode())
    raw = write_raw(house, "raw.csv", good_lines(3))
    former = getattr(files, moment)

    def swapped(path, *arguments, **named):
        if raw.exists() and not raw.is_symlink():
            raw.unlink()
            raw.symlink_to(secret)
        return former(path, *arguments, **named)

    monkeypatch.setattr(files, moment, swapped)
    assert ingest.read_data(house, trigger="cli") is None
    monkeypatch.undo()
    assert ingest.read_data(house, trigger="cli") is None
    assert raw.is_symlink()
    assert not any(house.folders.work.iterdir())


def test_others_of_the_machine_do_not_get_into_a_new_home(tmp_path):
    before = os.umask(0)
    try:
        folders = Folders(tmp_path / "home")
        folders.make()
    finally:
        os.umask(before)
    assert [f.stat().st_mode & 0o007 for f in (folders.data, folders.models)] == [0, 0]


def test_a_home_that_somebody_has_opened_stays_as_they_want_it(tmp_path):
    folders = Folders(tmp_path / "home")
    folders.make()
    folders.data.chmod(0o755)
    folders.make()
    assert Path(folders.data).stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(("mode", "warned"), [(0o755, True), (0o750, False)])
def test_a_home_that_everybody_may_read_is_told(tmp_path, mode, warned):
    home = tmp_path / "home"
    Folders(home).make()
    home.chmod(0o755)
    Folders(home).data.chmod(mode)
    found = doctor.doctor(Settings(jobchurn_home=home, database_url="postgresql://127.0.0.1:1/x"))
    told = [one for one in found if "everybody on this machine" in one.found]
    assert [one.state for one in told] == [doctor.Level.WARN] * warned


def test_others_of_the_machine_cannot_hold_the_locks_of_a_home(tmp_path):
    (tmp_path / "older").touch(mode=0o644)
    for name in ("older", "new"):
        with lock_file(tmp_path / name):
            assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
