"""What the panels on ingestion share: which runs and issues are looked at, and their words."""

from __future__ import annotations

# Content that was there before is a run of its own, but its rows are not counted again.
FIRST_TIME = (
    "$__timeFilter(finished_at) AND duplicate_of IS NULL AND trigger IN (${trigger:sqlstring})"
)
"""Which runs."""

ISSUES = "ingestion_issues JOIN ingestion_runs USING (run_id)"
"""What was wrong in them."""

TRIGGERS = {"start": "the first start", "cli": "hand", "dag": "Airflow"}
"""What ingested a file → the word for it."""

INGESTED_BY = (
    "CASE trigger "
    + " ".join(f"WHEN '{name}' THEN '{words}'" for name, words in TRIGGERS.items())
    + " ELSE trigger END"
)
"""That word, in SQL."""

NO_FILE = "No file came in this time range: put one into raw_data/, or run `jobchurn ingest`."
NO_ISSUE = "No rule was broken in this time range."
"""What to do where there is nothing to be seen."""
