"""On what something was measured: the machine, and the versions of what took part."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def described() -> str:
    """Cores, processor, memory and kernel in one line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    return f"{cores} × {_processor()}, {memory:.0f} GB, Linux {platform.release()}"


def versions(*packages: str) -> dict[str, str]:
    """Of Python, of jobchurn (its commit), and of ``packages`` as they are installed here."""
    found = {"Python": platform.python_version(), "jobchurn": _commit()}
    return found | {name: version(name) for name in packages}


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()


def _commit() -> str:
    """The commit; with a plus where files that git knows, save the results, are changed."""
    commit = _git("rev-parse", "--short=10", "HEAD")
    if not commit:
        return f"{version('jobchurn')}, no commit known"
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", *_RESULTS)
    return f"{commit}+" if changed else commit


_RESULTS = tuple(
    f":(exclude){path}"
    for path in ("benchmarks/results", "benchmarks/results.md", "docs/reference/figures.md")
)


def _git(*arguments: str) -> str:
    try:
        command = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return command.stdout.strip()


def joined(parts: Mapping[str, str]) -> str:
    """Names and what belongs to them, in one line."""
    return ", ".join(f"{name} {value}" for name, value in parts.items())
