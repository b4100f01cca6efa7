"""Make the pages of the reference, and the picture of the rooms, from what they describe.

Usage, in the repository's folder: ``python -m scripts.build_reference [--check]``. With ``--check``
nothing is written; it ends with 1 and names the pages that are not as the code has them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.results import page as figures_page
from scripts.reference.commands import commands_page
from scripts.reference.contract import contract_page
from scripts.reference.damaged_files import damaged_files_page
from scripts.reference.database import database_page
from scripts.reference.http import http_page
from scripts.reference.rooms import rooms_picture
from scripts.reference.settings import settings_page

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"

PAGES: Mapping[str, Callable[[], str]] = {
    "contract.md": contract_page,
    "commands.md": commands_page,
    "settings.md": settings_page,
    "http.md": http_page,
    "damaged-files.md": damaged_files_page,
    "database.md": database_page,
    "figures.md": figures_page,
    "../images/rooms.svg": rooms_picture,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages, or check them; return the exit code."""
    parser = argparse.ArgumentParser(description="Make the pages of the reference.")
    parser.add_argument("--check", action="store_true", help="write nothing; name stale pages")
    check = parser.parse_args(arguments).check
    FOLDER.mkdir(parents=True, exist_ok=True)
    stale = []
    for name, made in PAGES.items():
        path, text = FOLDER / name, made()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not check:
                path.write_text(text, encoding="utf-8")
    if stale:
        print(f"{'stale' if check else 'written'}: {', '.join(stale)}")
    if stale and check:
        print("  Cure: python -m scripts.build_reference", file=sys.stderr)
    return int(bool(stale and check))


if __name__ == "__main__":
    sys.exit(main())
