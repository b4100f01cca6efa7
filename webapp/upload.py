"""A person's CSV → records: each cell read once, by its column, here at the edge.

Bytes and structure follow the rules of arriving files, save that a record may come without an id,
as in the API. Nothing is guessed: what cannot be read is named, with its row, its column, the
reason and the likely repair, and the other rows go on.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from form import asked
from jobchurn.contract import Column, Contract, Value, Violation, shown
from problems import Problem

MOST_COLUMNS = 1000
"""More names than this in a header are no table of ours."""

MOST_ROWS = 250_000
"""So many rows, with what is said of them, take this process more than a gigabyte while they are
looked at: a few larger files at once would end it, for everybody."""

_LONGEST_SHOWN = 60
_OTHER_ENCODINGS = (b"\xff\xfe", b"\xfe\xff", b"\x00")
_OTHER_FORMATS = {
    b"PK\x03\x04": "an Excel workbook or a ZIP archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\x1f\x8b": "a compressed file",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
}
_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True)
class Damage:
    """Why a row cannot be predicted.

    Attributes:
        row: the record's number, from 1, the header not counted.
        column: the column's name, or empty where the whole record is meant.
        text: the offending text, cut to a length fit to be shown.
        reason: what is wrong.
        repair: what was likely meant, or empty.
    """

    row: int
    column: str
    text: str
    reason: str
    repair: str = ""


@dataclass
class Upload:
    """A CSV, read.

    Attributes:
        header: its column names.
        rows: how many records it holds.
        numbers, records: the readable records, each with its row number.
        damaged: what is wrong with the others.
        cells: row number → the cells of a damaged row, as they came.
        notes: what was noticed and accepted.
    """

    header: tuple[str, ...]
    rows: int = 0
    numbers: list[int] = field(default_factory=list)
    records: list[dict[str, Value]] = field(default_factory=list)
    damaged: list[Damage] = field(default_factory=list)
    cells: dict[int, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_upload(content: bytes, contract: Contract) -> Upload:
    """Read a CSV's bytes.

    Raises:
        Problem: the file as a whole cannot be used; the message says why and what to do.
    """
    records = _records_of(_text_of(content))
    header = _header_of(records, contract)
    upload = Upload(header)
    by_name = {column.name: column for column in asked(contract)}
    columns = {position: by_name[name] for position, name in enumerate(header) if name in by_name}
    _note_columns(upload, contract)
    for cells in records:
        upload.rows += 1
        if upload.rows > MOST_ROWS:
            raise Problem(
                f"The file has more than {MOST_ROWS:,} rows, which is too many for this page.",
                "Upload it in parts, or predict it in a terminal: `jobchurn predict FILE -o OUT`.",
            )
        record, damage = _record_of(upload.rows, cells, header, columns)
        if damage:
            upload.damaged += damage
            upload.cells[upload.rows] = cells if isinstance(cells, list) else []
        else:
            upload.numbers.append(upload.rows)
            upload.records.append(record)
    return upload


def _text_of(content: bytes) -> str:
    """The file's text; bytes that are not UTF-8 stay as lone surrogates, found cell by cell."""
    for mark, what in _OTHER_FORMATS.items():
        if content.startswith(mark):
            raise Problem(f"This is {what}, not a CSV.", "Export the sheet as CSV (UTF-8).")
    if content.startswith(_OTHER_ENCODINGS) or b"\x00" in content[:200]:
        raise Problem("This file is not UTF-8 text.", "Save it as CSV (UTF-8).")
    text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    if not text.strip():
        raise Problem("The file is empty.", "Upload a CSV with a header line and one row or more.")
    return text


def _records_of(text: str) -> Iterator[list[str] | str]:
    """The records, blank lines left out; where one cannot be cut into cells, what is wrong."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            unclosed = "unexpected end of data" in str(error)
            yield (
                "a quotation mark is opened and never closed; the rest of the file is lost in it"
                if unclosed
                else f"it cannot be cut into cells ({error})"
            )
            continue
        if cells:
            yield cells


def _header_of(records: Iterator[list[str] | str], contract: Contract) -> tuple[str, ...]:
    first = next(records)
    if isinstance(first, str):
        raise Problem(f"The header cannot be read: {first}.", "Mend the file's first line.")
    header = tuple(name.strip() for name in first)
    if len(header) > MOST_COLUMNS:
        raise Problem(
            f"The file has {len(header)} columns; at most {MOST_COLUMNS} are read.",
            "Export only the columns that are needed.",
        )
    if len(header) == 1:
        for mark, what in _DELIMITERS.items():
            if mark in header[0]:
                raise Problem(
                    f"The cells are separated by {what}.", "Save the file with commas between them."
                )
    if twice := sorted({name for name in header if name and header.count(name) > 1}):
        raise Problem(
            f"The header names {_listed(twice)} more than once.", "Keep one column of each name."
        )
    _check_names(header, contract)
    return header


def _check_names(header: Sequence[str], contract: Contract) -> None:
    """Refuse a header that lacks what every row needs, or spells a known name in another case."""
    absent = [name for name in contract.by_name if name not in header]
    folded = {name.casefold(): name for name in absent}
    respelt = [
        f"{shown(name)} should be {folded[name.casefold()]}"
        for name in header
        if name.casefold() in folded
    ]
    if respelt:
        raise Problem(
            f"The header spells names differently: {'; '.join(respelt)}.",
            "Rename these columns and upload the file again.",
        )
    needed = {column.name for column in asked(contract) if column.required}
    missing = [name for name in absent if name in needed]
    if missing:
        strays = [name for name in header if name not in contract.by_name]
        guesses = tuple(
            f"{shown(name)} may be meant as {guess}."
            for name in strays
            if (guess := contract.nearest_name(name)) in missing
        )
        raise Problem(
            f"The header lacks {_listed(missing)}, which every row needs.",
            "Add the missing columns, or rename those that hold them, and upload the file again.",
            guesses,
        )


def _note_columns(upload: Upload, contract: Contract) -> None:
    outcome = contract.outcome.name
    if outcome in upload.header:
        upload.notes.append(f"The column {outcome} is what is predicted: it is ignored.")
    strays = [name for name in upload.header if name not in contract.by_name]
    if strays:
        upload.notes.append(f"Unknown columns are ignored: {_listed([shown(n) for n in strays])}.")
    blank = [c.name for c in contract.inputs if not c.required and c.name not in upload.header]
    if blank:
        upload.notes.append(f"The file lacks {_listed(blank)}: taken as unknown in every row.")
    if contract.id and contract.id.name not in upload.header:
        upload.notes.append(f"The file lacks {contract.id.name}: rows go by their numbers.")


def _record_of(
    number: int, cells: list[str] | str, header: Sequence[str], columns: dict[int, Column]
) -> tuple[dict[str, Value], list[Damage]]:
    if isinstance(cells, str):
        return {}, [Damage(number, "", "", cells)]
    if len(cells) != len(header):
        reason = f"it has {len(cells)} cells where the header has {len(header)}"
        return {}, [Damage(number, "", "", reason)]
    if [cell.strip() for cell in cells] == list(header):
        return {}, [Damage(number, "", "", "it repeats the header")]
    record: dict[str, Value] = {}
    damage: list[Damage] = []
    for position, column in columns.items():
        try:
            record[column.name] = column.read(cells[position])
        except Violation as violation:
            damage.append(_damage_of(number, cells[position], violation))
    return record, damage


def _damage_of(number: int, text: str, violation: Violation) -> Damage:
    if any("\ud800" <= character <= "\udfff" for character in text):
        return Damage(number, violation.column, shown(text), "it is not UTF-8 text")
    plain = text.isprintable() and len(text) <= _LONGEST_SHOWN
    return Damage(
        row=number,
        column=violation.column,
        text=text if plain else shown(text, _LONGEST_SHOWN),
        # The message without its beginning, which the other fields say already.
        reason=str(violation).removeprefix(f"{violation.column} is {shown(violation.value)}: "),
        repair=violation.repair or "",
    )


def _listed(names: Sequence[str], most: int = 12) -> str:
    """Names in a sentence."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
