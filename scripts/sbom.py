"""Write a lock's bill of materials, in CycloneDX's format: what it holds, by which hashes.

    python -m scripts.sbom [LOCK [FILE]]

By default both locks, into ``dist/sbom/``. The same lock gives the same bill.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.audit import LOCKS, ROOT


def write(lock: str, bill: Path) -> int:
    """Write one bill; the exit code of what writes it."""
    bill.parent.mkdir(parents=True, exist_ok=True)
    return subprocess.run(  # noqa: S603 (our own command)
        [
            *(sys.executable, "-m", "cyclonedx_py", "requirements", "--output-reproducible"),
            *("--pyproject", str(ROOT / "pyproject.toml"), "--output-file", str(bill)),
            str(ROOT / lock),
        ],
        # A bill of a lock has no graph, and says so each time.
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
        check=False,
    ).returncode


def main(arguments: Sequence[str]) -> int:
    """Write the bills that are asked for; 0 where all were written."""
    if len(arguments) > 1:
        return write(arguments[0], Path(arguments[1]))
    return max(
        write(lock, ROOT / "dist" / "sbom" / f"{Path(lock).stem}.cdx.json")
        for lock in arguments or LOCKS
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
