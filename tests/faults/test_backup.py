"""A backup that is taken while workers take files in, and what is restored from it."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import threading
import uuid
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from api_house import open_house
from faults.crashes import Scene
from faults.promises import broken_promises, delivery
from faults.worker import HEARD
from jobchurn import wiring
from jobchurn.errors import DataUnusable
from jobchurn.flow import backup as flow
from jobchurn.settings import Settings
from jobchurn.store.backups import Backups
from ports import free_port

FILES = int(os.environ.get("TORTURE_BACKUP_FILES", "120"))
BACKUPS = int(os.environ.get("TORTURE_BACKUPS", "12"))
"""How many are taken in the long form, and over how many files."""


def settings_of(home, database):
    return Settings(jobchurn_home=home, database_url=database, settle_seconds=0)


@pytest.fixture
def places(postgres_server, tmp_path):
    """Empty homes and databases, one after the other."""
    made = []

    def make():
        home, database = tmp_path / f"restored-{len(made)}", f"restored_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(postgres_server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {database}")
        made.append(database)
        return home, f"{postgres_server.rpartition('/')[0]}/{database}"

    yield make
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        for database in made:
            connection.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")


def broken_after_restoring(scene, places, folder, deliveries):
    """What is broken in a restored home once a worker has gone over it."""
    home, database = places()
    wiring.restore(settings_of(home, database), folder)
    shutil.copy(scene.home / HEARD, home / HEARD)  # people were told, and are not told again
    life = Scene(scene.nursery, home, database).live()
    broken = [] if life.code == 0 else [f"the worker failed: {life.said}"]
    known = [one for one in scene.deliveries if is_known(database, one)]
    lost = [f"{one.name} is lost" for one in deliveries if one not in known]
    return broken + lost + broken_promises(home, database, known)


def is_known(database, delivery):
    with psycopg.connect(database) as connection:
        found = connection.execute(
            "SELECT FROM ingestion_runs WHERE finished_at IS NOT NULL AND file = %s",
            [delivery.name],
        )
        return found.rowcount > 0


def work_in_between(scene, monkeypatch):
    """Let a worker take everything in between the moment of a backup and the copying of files."""
    real = wiring.postgres.dump

    def dump(*arguments):
        assert scene.live().code == 0
        real(*arguments)

    monkeypatch.setattr(wiring.postgres, "dump", dump)


def test_what_is_taken_in_during_a_backup_is_whole_in_it(scene, places, monkeypatch, tmp_path):
    scene.deliver()
    assert scene.live().code == 0
    scene.deliver()
    work_in_between(scene, monkeypatch)
    wiring.backup(settings_of(scene.home, scene.database), tmp_path / "kept")
    assert broken_after_restoring(scene, places, tmp_path / "kept", scene.deliveries) == []


def database_first(scene, monkeypatch):
    """The files that are on their way are looked for after the moment."""
    gather, real = flow._OnTheirWay.gather, flow._OnTheirWay.copied

    def copied(self, target, settle_seconds):
        gather(self)
        return real(self, target, settle_seconds)

    monkeypatch.setattr(flow._OnTheirWay, "gather", lambda _: None)
    monkeypatch.setattr(flow._OnTheirWay, "copied", copied)
    work_in_between(scene, monkeypatch)


def files_first(scene, monkeypatch):
    """All files are looked for before the moment, and a worker works in between."""
    real = Backups.moment

    @contextmanager
    def moment(self, gather):
        gather()
        there = {str(path) for path in (scene.home / "data").rglob("*")}
        assert scene.live().code == 0
        with real(self, lambda: None) as found:
            yield dataclasses.replace(
                found, files=tuple(path for path in found.files if path in there)
            )

    monkeypatch.setattr(Backups, "moment", moment)


@pytest.mark.parametrize("plant", [database_first, files_first])
def test_a_planted_fault_is_noticed(scene, places, monkeypatch, tmp_path, plant):
    scene.deliver()
    plant(scene, monkeypatch)
    wiring.backup(settings_of(scene.home, scene.database), tmp_path / "kept")
    assert broken_after_restoring(scene, places, tmp_path / "kept", scene.deliveries)


@pytest.mark.torture
def test_backups_taken_all_the_while_are_each_whole(scene, places, figures, tmp_path):
    settings = settings_of(scene.home, scene.database)
    over = threading.Event()

    def deliver():
        while len(scene.deliveries) < FILES:
            scene.deliver()
            over.wait(0.1)
        over.set()

    sender = threading.Thread(target=deliver)
    sender.start()
    workers = [scene.nursery.begin(scene.home, scene.database) for _ in range(2)]
    taken = []
    try:
        for number in range(BACKUPS):
            delivered = list(scene.deliveries[:-1])  # the last one may be half written
            folder = tmp_path / f"kept-{number}"
            manifest = wiring.backup(settings, folder)
            taken.append((folder, delivered, manifest))
            for place, worker in enumerate(workers):
                if Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                    assert scene.nursery.end_of(worker).code == 0
                    workers[place] = scene.nursery.begin(scene.home, scene.database)
    finally:
        sender.join()
        for worker in workers:
            assert scene.nursery.end_of(worker).code == 0
    on_their_way = 0
    for folder, delivered, manifest in taken:
        on_their_way += sum(name.startswith(("data/raw", "data/work")) for name in manifest.files)
        assert broken_after_restoring(scene, places, folder, delivered) == []
    figures(
        f"{BACKUPS} backups while two workers take in {FILES} files",
        files=sum(len(manifest.files) for *_, manifest in taken),
        on_their_way=on_their_way,
    )


@pytest.fixture
def kept(scene, tmp_path):
    """A backup."""
    scene.deliver()
    assert scene.live().code == 0
    wiring.backup(settings_of(scene.home, scene.database), tmp_path / "kept")
    return tmp_path / "kept"


def test_a_backup_is_closed_to_others_and_no_other_is_written_over_it(scene, kept):
    assert kept.stat().st_mode & 0o077 == 0
    with pytest.raises(DataUnusable, match="is there already"):
        wiring.backup(settings_of(scene.home, scene.database), kept)


def test_a_damaged_backup_is_not_restored(places, kept):
    victim = next(path for path in (kept / "home").rglob("*") if path.is_file())
    victim.write_bytes(b"something else")
    home, database = places()
    with pytest.raises(DataUnusable, match="is damaged"):
        wiring.restore(settings_of(home, database), kept)
    assert not home.exists()


def test_what_is_no_backup_is_not_restored(places, tmp_path):
    with pytest.raises(DataUnusable, match="holds no backup"):
        wiring.restore(settings_of(*places()), tmp_path)


def test_a_backup_is_restored_over_nothing_that_is_there(scene, places, kept):
    home, database = places()
    with pytest.raises(DataUnusable, match="tables already"):
        wiring.restore(settings_of(home, scene.database), kept)
    with pytest.raises(DataUnusable, match="holds files already"):
        wiring.restore(settings_of(scene.home, database), kept)


def command(home, port, *arguments):
    """``jobchurn``, with an embedded database."""
    done = subprocess.run(
        [sys.executable, "-m", "jobchurn.cli", *arguments],
        env={name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        | {"JOBCHURN_HOME": str(home), "POSTGRES_PORT": str(port), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_home_with_its_own_database_is_moved_by_two_commands(open_folder, tmp_path):
    home, other = open_folder / "moved", open_folder / "moved-to"
    settings = Settings(jobchurn_home=home, database_url=None, postgres_port=free_port())
    with wiring.services(settings) as services:
        open_house(services.store, home)
    one = delivery(1)
    (home / "data" / "raw_data" / one.name).write_bytes(one.content)
    command(home, settings.postgres_port, "ingest", "--all")
    command(home, settings.postgres_port, "backup", str(tmp_path / "kept"))
    port = free_port()
    command(other, port, "restore", str(tmp_path / "kept"))
    [before] = json.loads(command(home, settings.postgres_port, "runs", "--json"))
    [after] = json.loads(command(other, port, "runs", "--json"))
    assert Path(after["good"]).read_bytes() == Path(before["good"]).read_bytes()
    assert Path(after["good"]).is_relative_to(other)
    command(other, port, "predict", "--new")
    with wiring.services(Settings(jobchurn_home=other, postgres_port=port)) as services:
        assert services.store.predictions.count() == len(one.good_ids)
