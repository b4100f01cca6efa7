"""Feed: the first files of a new home, and ever new ones while a demonstration runs."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from jobchurn import files, synth
from jobchurn.flow.ingest import ingest_one
from jobchurn.flow.score import score_new
from jobchurn.flow.services import Services
from jobchurn.flow.split import split
from jobchurn.flow.start import ERROR_RATE

Progress = Callable[[str], None]

FIRST_FILES = 3
"""How many raw files the first start ingests and scores itself; the rest is left to arrive."""

FEWEST_WAITING = 3
"""A demonstration adds raw files when fewer than this are waiting."""

FILES_AT_ONCE, ROWS_A_FILE = 8, 200
"""What a demonstration adds then: with eight files each kind of error occurs."""


def feed_first(services: Services, progress: Progress) -> None:
    """Ingest and score the first raw files, where nothing was ever ingested here."""
    if services.store.runs.finished(limit=1):
        return
    for _ in range(FIRST_FILES):
        run = ingest_one(services, trigger="start")
        if run is None:
            break
        progress(f"Ingested {run.file}: {run.rows_valid} good and {run.rows_invalid} bad rows.")
    for scored in score_new(services):
        progress(f"Predicted {scored.rows} rows of {scored.file}.")


def top_up(services: Services, progress: Progress) -> None:
    """Add raw files of fresh built-in rows where few are waiting.

    Their seed is the clock's, so that no two additions hold the same rows, and none those that a
    model was trained on.
    """
    raw = services.folders.raw_data
    if len(files.arriving(raw)) >= FEWEST_WAITING:
        return
    seed = time.time_ns() // 1_000_000
    with tempfile.TemporaryDirectory(dir=services.folders.data, prefix="feed-") as folder:
        rows = Path(folder) / "rows.csv"
        synth.write_csv(rows, rows=FILES_AT_ONCE * ROWS_A_FILE, seed=seed)
        out = Path(folder) / "raw"
        split(
            rows,
            out,
            n_files=FILES_AT_ONCE,
            error_rate=ERROR_RATE,
            seed=seed,
            contract=services.contract,
        )
        for path in files.arriving(out):
            files.move(path, raw / f"demo_{seed}_{path.name}")
    progress(f"{FILES_AT_ONCE} raw files added.")
