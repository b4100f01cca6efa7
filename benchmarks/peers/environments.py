"""An environment for each peer, made once under the cache folder by uv.

``JOBCHURN_BENCHMARKS`` names another folder than ``~/.cache/jobchurn-benchmarks``.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.machine import ROOT


def environment(name: str, requirements: Sequence[str]) -> Path:
    """The folder of programs of an environment that has ``requirements``, installed where needed.

    Raises:
        InstallFailed: it cannot be installed; what the installer said is the message.
    """
    wanted = hashlib.sha256(f"{sys.version} {requirements}".encode()).hexdigest()
    place = cache() / f"{name}-{wanted[:12]}"
    stamp = place / "installed"
    if not stamp.exists():
        print(f"installing {' '.join(requirements)} into {place}", file=sys.stderr, flush=True)
        uv = _uv()
        _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, place])
        python = place / "bin" / "python"
        _run([uv, "pip", "install", "--quiet", "--python", python, *requirements])
        stamp.touch()
    return place / "bin"


class InstallFailed(RuntimeError):
    """A peer cannot be installed here."""


def cache() -> Path:
    """The folder for what is made once."""
    chosen = os.environ.get("JOBCHURN_BENCHMARKS")
    return Path(chosen) if chosen else Path.home() / ".cache" / "jobchurn-benchmarks"


def _uv() -> str:
    """The one of ``scripts/setup.sh``, or of the PATH."""
    own = ROOT / ".uv" / "bin" / "uv"
    found = str(own) if own.exists() else shutil.which("uv")
    if found is None:
        raise InstallFailed("There is no uv; `make setup` puts one into .uv.")
    return found


def _run(command: Sequence[str | Path]) -> None:
    try:
        subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        raise InstallFailed(error.stderr.strip()[-500:]) from None
