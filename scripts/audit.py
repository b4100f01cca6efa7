"""Ask whether anything that the locks hold is known to have a hole; no answer is a failure too.

    python -m scripts.audit [LOCK …]

pip-audit leaves out what the service that it asks does not know, says so, and ends with 0. Then
nothing was audited, and here that is an error.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-api.lock")


class Findings(NamedTuple):
    """What an audit of one lock found.

    Attributes:
        holes: package, version, advisory, and the versions without it.
        skipped: packages that could not be audited, and why.
        audited: how many could.
    """

    holes: list[str]
    skipped: list[str]
    audited: int


def findings_of(report: str) -> Findings:
    """Read pip-audit's report in JSON.

    Raises:
        ValueError: it is no such report.
    """
    dependencies = json.loads(report)["dependencies"]
    holes = [
        f"{one['name']} {one['version']}: {hole['id']}, mended in "
        f"{', '.join(hole['fix_versions']) or 'no version yet'}"
        for one in dependencies
        for hole in one.get("vulns", ())
    ]
    skipped = [
        f"{one['name']}: {one['skip_reason']}" for one in dependencies if "skip_reason" in one
    ]
    return Findings(holes, skipped, len(dependencies) - len(skipped))


def audit(lock: Path) -> Findings:
    """Audit every package of a lock, installing nothing.

    Raises:
        ValueError: pip-audit gave no report.
    """
    done = subprocess.run(  # noqa: S603 (our own command)
        [
            *(sys.executable, "-m", "pip_audit", "--requirement", str(lock)),
            *("--require-hashes", "--disable-pip", "--format", "json"),
            *("--progress-spinner", "off"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if not done.stdout:
        raise ValueError(f"pip-audit ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return findings_of(done.stdout)


def main(names: Sequence[str]) -> int:
    """Audit the locks; 0 where every package was looked up and none has a hole."""
    wrong = False
    for name in names or LOCKS:
        found = audit(ROOT / name)
        for line in found.holes:
            print(f"{name}: {line}")
        if found.skipped:
            print(f"{name}: {len(found.skipped)} packages were not audited, {found.skipped[0]}")
        print(f"{name}: {found.audited} packages audited, {len(found.holes)} holes")
        wrong = wrong or bool(found.holes or found.skipped) or not found.audited
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
