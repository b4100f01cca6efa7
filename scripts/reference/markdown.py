"""Markdown as these pages need it: tables and code spans, whatever stands in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def page(title: str, *parts: str) -> str:
    """A whole page: its title, then its parts with blank lines between."""
    note = "<!-- Made by `python -m scripts.build_reference`; a test holds it to the code. -->"
    return "\n\n".join([note, f"# {title}", *(part.strip() for part in parts if part)]) + "\n"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table without the columns that would be empty; bars in cells are escaped."""
    listed = [list(row) for row in rows]
    kept = [place for place in range(len(headings)) if any(row[place] for row in listed)]
    lines = [headings, ["---"] * len(headings), *listed]
    return "\n".join(f"| {' | '.join(_cell(line[place]) for place in kept)} |" for line in lines)


def code(text: object) -> str:
    """A code span."""
    fence = "``" if "`" in str(text) else "`"
    return f"{fence}{text}{fence}"


def codes(texts: Iterable[object]) -> str:
    """Code spans with commas between."""
    return ", ".join(map(code, texts))


def prose(docstring: str | None) -> str:
    """A docstring as Markdown: double backticks become single ones."""
    return " ".join((docstring or "").replace("``", "`").split())


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
