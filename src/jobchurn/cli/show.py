"""How the command line shows things: notes on stderr, tables on stdout."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDTH = 140
"""How wide a table is at least that goes into a file or a pipe, which have no width to fit into."""


def note(text: str) -> None:
    """Tell the person what is going on, on stderr."""
    typer.echo(harmless(text), err=True)


def table(title: str, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table on stdout; numbers to the right."""
    listed = [tuple(row) for row in rows]
    shown = Table(title=title, title_justify="left", header_style="bold")
    for index, heading in enumerate(headings):
        numeric = all(isinstance(row[index], int | float) for row in listed)
        shown.add_column(heading, justify="right" if numeric and listed else "left")
    for row in listed:
        shown.add_row(*(Text("" if cell is None else harmless(str(cell))) for cell in row))
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, WIDTH)
    console.print(shown)


def harmless(text: str) -> str:
    """The text with what would steer a terminal, or is no text at all, as an escape.

    Names of files come from elsewhere, and may hold any bytes.
    """
    return "".join(
        character
        if character.isprintable() or character == "\n"
        else character.encode("unicode_escape").decode()
        for character in text
    )
