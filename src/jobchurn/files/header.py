"""Whether a file can be read at all: its first bytes, and the names in its header."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from jobchurn.contract import Contract
from jobchurn.contract import shown as quoted
from jobchurn.files.cells import spans
from jobchurn.files.scan import BOM, MAX_COLUMNS
from jobchurn.files.structure import refusal
from jobchurn.verdict import Reason, StructureRule

_COMPRESSED = {
    "gzip": b"\x1f\x8b",
    "zip (as workbooks are)": b"PK\x03\x04",
    "xz": b"\xfd7zXZ\x00",
    "bzip2": b"BZh",
    "Zstandard": b"\x28\xb5\x2f\xfd",
}
_BZIP2_BLOCK = re.compile(rb"BZh[1-9](?:1AY&SY|\x17\x72\x45\x38\x50\x90)")
_UTF_32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_NOT_IN_TEXT = re.compile(rb"[\x00-\x08\x0e-\x19\x1b-\x1f]")
_SAMPLE = 8192
_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_LISTED = 10
_LONGEST = 1024 * 1024


@dataclass(frozen=True)
class Header:
    """The names in a file's header.

    Attributes:
        names: every column's, without blanks and quotes around it.
        positions: column of the contract → its place among the cells, in the file's order.
        missing: required columns that are not there.
        notes: what was noticed and accepted.
    """

    names: tuple[str, ...]
    positions: dict[str, int]
    missing: tuple[str, ...]
    notes: tuple[str, ...]


def refusal_of_bytes(data: bytes) -> Reason | None:
    """Why these are not the bytes of a CSV file in UTF-8, as far as the first of them tell."""
    if not data.removeprefix(BOM):
        return refusal(
            StructureRule.EMPTY, data, "The file is empty. Send it again once it is complete."
        )
    for name, magic in _COMPRESSED.items():
        if data.startswith(magic) and (name != "bzip2" or _BZIP2_BLOCK.match(data)):
            return refusal(
                StructureRule.COMPRESSED,
                data[:_SAMPLE],
                f"The content is compressed: {name}. Unpack it, and send the CSV file in it.",
            )
    if data.startswith((*_UTF_32, *_UTF_16)):
        return _not_utf_8(data[:_SAMPLE], "UTF-32" if data.startswith(_UTF_32) else "UTF-16")
    return None


def header_of(
    line: bytes, broken: StructureRule | None, contract: Contract, data: bytes
) -> Header | Reason:
    """The header's names, or why the file is refused for them.

    Args:
        line: the header's record, without byte order mark and line end.
        broken: the rule of quotes or cells that it breaks.
        contract: whose names are looked for.
        data: the file's bytes, whose first tell text from what is none.
    """
    if len(line) > _LONGEST:  # to look for names in it would take a multiple of its memory
        if _is_binary(data):
            return _binary(line[:_SAMPLE])
        return refusal(
            StructureRule.NO_HEADER,
            line[:_SAMPLE],
            f"The first line is no header: it has {len(line):,} bytes. "
            "Put one line with the names of the columns first.",
        )
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return _unreadable(line, contract, data)
    if "\0" in text:
        return _unreadable(line, contract, data)
    if broken is StructureRule.TOO_MANY_CELLS or line.count(b",") >= MAX_COLUMNS:
        return refusal(
            StructureRule.TOO_MANY_COLUMNS,
            line,
            f"The header names more than {MAX_COLUMNS:,} columns. Leave out those that no contract "
            "asks for.",
        )
    places = spans(line)
    if places is None:
        rule = broken or StructureRule.STRAY_QUOTE
        return _other_delimiter(text, contract) or refusal(
            rule, line, f"The header cannot be read: {rule}. Write quotes around whole names only."
        )
    names = tuple(plain(line[start:stop].decode()) for start, stop in places)
    return _refusal_of_names(names, text, contract, data) or _accepted(names, contract)


def plain(name: str) -> str:
    """A name as the header means it: without blanks and quotes around it."""
    return name.strip().strip('"').replace('""', '"').strip()


def _unreadable(line: bytes, contract: Contract, data: bytes) -> Reason:
    """Why a header is refused that is no UTF-8 or holds a NUL."""
    names = {plain(name) for name in line.replace(b"\0", b"").decode(errors="replace").split(",")}
    is_known = bool(_meant(names, contract))
    if is_known and 3 * line.count(b"\0") > len(line):
        return _not_utf_8(line, "UTF-16")
    if b"\0" in line or (not is_known and _is_binary(data)):
        return _binary(line)
    return _not_utf_8(line, "not UTF-8")


def _refusal_of_names(
    names: tuple[str, ...], text: str, contract: Contract, data: bytes
) -> Reason | None:
    meant = _meant(names, contract)
    wanted = {column.name for column in contract.required or contract.columns}
    if not wanted & set(meant.values()):
        if _is_binary(data):
            return _binary(text.encode())
        return _other_delimiter(text, contract) or _no_header(names, text, contract)
    if another_case := {n: m for n, m in meant.items() if n != m and m not in names}:
        likely = _listed([f"{m} for {quoted(n)}" for n, m in another_case.items()])
        return refusal(
            StructureRule.HEADER_CASE,
            ", ".join(another_case).encode(),
            f"Names in the header are in another case. Write {likely}.",
            ", ".join(another_case.values()),
        )
    if twice := [name for name, count in Counter(names).items() if count > 1 and name]:
        return refusal(
            StructureRule.REPEATED_NAME,
            ", ".join(twice).encode(),
            f"The header names a column more than once: {_listed(list(map(quoted, twice)))}. "
            "Leave one of each.",
        )
    return None


def _meant(names: Iterable[str], contract: Contract) -> dict[str, str]:
    """Name in the header → the contract's name that it is, whatever its case."""
    folded = {name.casefold(): name for name in contract.by_name}
    return {
        name: name if name in contract.by_name else folded[name.casefold()]
        for name in names
        if name.casefold() in folded
    }


def _is_binary(data: bytes) -> bool:
    return _NOT_IN_TEXT.search(data[:_SAMPLE]) is not None


def _other_delimiter(text: str, contract: Contract) -> Reason | None:
    for delimiter, words in _DELIMITERS.items():
        if _meant({plain(name) for name in text.split(delimiter)}, contract):
            return refusal(
                StructureRule.DELIMITER,
                text.encode(),
                f"The cells are parted by {words}. Save the file with commas between them.",
                text.replace(delimiter, ",")[:_SAMPLE],
            )
    return None


def _no_header(names: tuple[str, ...], text: str, contract: Contract) -> Reason:
    likely = {name: near for name in names[:100] if (near := contract.nearest_name(name[:200]))}
    hint = "".join(f" Did you mean {near} by {quoted(name)}?" for name, near in likely.items())
    required = [column.name for column in contract.required or contract.columns]
    return refusal(
        StructureRule.NO_HEADER,
        text.encode(),
        "The first line is no header: it names none of the required columns. "
        f"Put this line first: {','.join(required)} (more columns may follow).{hint[:500]}",
        ", ".join(likely.values()) or None,
    )


def _accepted(names: tuple[str, ...], contract: Contract) -> Header:
    positions = {name: place for place, name in enumerate(names) if name in contract.by_name}
    notes = []
    for name in [n for n in names if n not in positions][:_LISTED]:
        near = contract.nearest_name(name[:200])
        hint = f" Did you mean {near}?" if near and near not in positions else ""
        notes.append(f"Column {quoted(name)} is not in the contract, and was left unread.{hint}")
    if (more := len(names) - len(positions) - _LISTED) > 0:
        notes.append(f"{more:,} more columns are not in the contract, and were left unread.")
    if list(positions) != [name for name in contract.by_name if name in positions]:
        notes.append("The columns stand in another order than the contract's.")
    absent = [c.name for c in contract.columns if not c.required and c.name not in positions]
    if absent:
        notes.append(f"Optional columns are absent, and read as blank: {_listed(absent)}.")
    missing = tuple(c.name for c in contract.required if c.name not in positions)
    return Header(names, positions, missing, tuple(notes))


def _not_utf_8(raw: bytes, found: str) -> Reason:
    return refusal(
        StructureRule.ENCODING, raw, f"The text is {found}. Save the file in UTF-8, and send it."
    )


def _binary(raw: bytes) -> Reason:
    return refusal(
        StructureRule.BINARY, raw, "The content is no text. Export it as a CSV file in UTF-8."
    )


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
