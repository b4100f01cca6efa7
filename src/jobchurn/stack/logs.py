"""Reading the programs' logs: their last lines, and what is added to them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

BYTES_A_LINE = 400
"""How far from the end of a file its last lines are looked for, per line."""


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a log, at most ``count``; none where there is no log."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - count * BYTES_A_LINE))
            text = file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return []
    return text.splitlines()[-count:]


def told(logs: Mapping[str, Path], count: int) -> Iterator[str]:
    """The last lines of several logs, one log after the other, each line led by its log's name."""
    for name, path in logs.items():
        yield from _led(name, logs, last_lines(path, count))


def followed(logs: Mapping[str, Path], pause: float = 0.3) -> Iterator[str]:
    """Lines as they are added to the logs, each led by its log's name; never ends."""
    ends = {name: _size(path) for name, path in logs.items()}
    rests = dict.fromkeys(logs, "")
    while True:
        for name, path in logs.items():
            size = _size(path)
            start = ends[name] if size >= ends[name] else 0  # a new file has taken its place
            if size == start:
                continue
            with path.open("rb") as file:
                file.seek(start)
                added = file.read(size - start).decode("utf-8", errors="replace")
            ends[name] = size
            *lines, rests[name] = (rests[name] + added).split("\n")
            yield from _led(name, logs, lines)
        time.sleep(pause)


def _led(name: str, logs: Mapping[str, Path], lines: Iterable[str]) -> Iterator[str]:
    width = max(map(len, logs))
    for line in lines:
        yield line if len(logs) == 1 else f"{name:<{width}} | {line}"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
