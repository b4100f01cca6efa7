"""What we build on: locked by hash, above the known holes, listed in a bill of materials."""

import json
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from scripts import audit

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-api.lock")
HOLES = tomllib.loads(Path(__file__).with_name("advisories.toml").read_text())["hole"]


def locked(text):
    """Package → the versions that a lock holds; of some, one for each Python."""
    found = defaultdict(list)
    for name, version in re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE):
        found[name].append(Version(version))
    return found


def below(lock, holes):
    return [
        f"{hole['package']} {version}: {hole['source']}"
        for hole in holes
        for version in lock.get(hole["package"], ())
        if version < Version(hole["first_safe"])
    ]


def bounds():
    """Package → the lowest version that pyproject.toml admits, of every direct dependency."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    found = {}
    for requirement in map(Requirement, (one for some in lists for one in some)):
        lowest = [Version(s.version) for s in requirement.specifier if s.operator in (">=", "==")]
        found[canonicalize_name(requirement.name)] = max(lowest)
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_no_locked_version_has_a_listed_hole(lock):
    assert not below(locked((ROOT / lock).read_text()), HOLES)


def test_a_version_with_a_listed_hole_is_noticed():
    hole = HOLES[0]
    lock = locked(f"{hole['package']}==0.0.1 \\\n")
    assert below(lock, HOLES) == [
        f"{hole['package']} 0.0.1: {one['source']}"
        for one in HOLES
        if one["package"] == hole["package"]
    ]


def test_no_bound_of_a_direct_dependency_admits_a_listed_hole():
    lowest = {name: [version] for name, version in bounds().items()}
    assert not below(lowest, HOLES)


def test_every_listed_hole_is_of_a_locked_package_and_names_its_source():
    known = locked((ROOT / "requirements.lock").read_text())
    for hole in HOLES:
        assert hole["package"] in known
        assert hole["source"].startswith("https://")
        assert hole["what"]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_is_held_by_its_hashes_and_comes_from_no_named_place(lock):
    text = (ROOT / lock).read_text()
    entries = re.findall(r"^[a-z0-9-]+==(?:.*\\\n)+.*$", text, re.MULTILINE)
    assert len(entries) == sum(len(versions) for versions in locked(text).values())
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in re.sub(r"#.*", "", text)


REPORT = {
    "dependencies": [
        {"name": "sound", "version": "1.0", "vulns": []},
        {
            "name": "holed",
            "version": "1.0",
            "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"], "aliases": [], "description": ""}],
        },
        {"name": "unknown", "skip_reason": "not found"},
    ]
}


def test_an_audit_tells_holes_and_what_it_skipped():
    found = audit.findings_of(json.dumps(REPORT))
    assert found.holes == ["holed 1.0: PYSEC-1, mended in 1.1"]
    assert found.skipped == ["unknown: not found"]
    assert found.audited == 2


@pytest.mark.parametrize("kept", [{0}, {0, 1}, {0, 2}, {2}, set()])
def test_only_an_audit_of_everything_without_a_finding_passes(monkeypatch, kept):
    dependencies = [REPORT["dependencies"][place] for place in kept]
    found = audit.findings_of(json.dumps({"dependencies": dependencies}))
    monkeypatch.setattr(audit, "audit", lambda _: found)
    assert audit.main([]) == (0 if kept == {0} else 1)


def test_the_bill_of_materials_lists_every_locked_package_with_its_hashes(tmp_path):
    bill = tmp_path / "sbom.json"
    done = subprocess.run(
        [sys.executable, "-m", "scripts.sbom", "requirements-api.lock", str(bill)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(bill.read_text())
    assert told["bomFormat"] == "CycloneDX"
    assert told["metadata"]["component"]["name"] == "jobchurn"
    listed = {(one["name"], one["version"]) for one in told["components"]}
    held = locked((ROOT / "requirements-api.lock").read_text())
    assert listed == {(name, str(version)) for name in held for version in held[name]}
    for component in told["components"]:
        assert component["externalReferences"][0]["hashes"]
