"""Damages CSV files in every way that was ever seen, and some more; one seed, one file."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable

from faults.promises import NAMES
from jobchurn.contract import JOB_CHANGE
from small_model import random_records

SHARP = [
    b'"',
    b'""',
    b'",',
    b',"',
    b",",
    b",,,,",
    b"\n",
    b"\r",
    b"\r\n",
    b"\n\n",
    b" ",
    b"\t",
    b"\0",
    b"\x1a",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    "\u2028".encode(),
    "\u200b".encode(),
    "\x85".encode(),
    "\u0430".encode(),
    "\U0001f600".encode(),
]
"""Bytes that mean something to some reader of CSV."""

TEXTS = [
    "inf",
    "-inf",
    "NaN",
    "1e400",
    "1_000",
    "0x1F",
    "１２",
    "٣",
    "1,000",
    "0,5",
    "True",
    "1.5",
    "-0.0",
    "1.0",
    "9223372036854775808",
    "1" * 5_000,
    "NA",
    "None",
    "null",
    "",
    " ",
    "=1+1",
    "@SUM(A1)",
    "<script>alert(1)</script>",
    "{{ 7 * 7 }}",
    "'; DROP TABLE predictions; --",
    "Ｍale",
    "male",
    "a\u0301",
    "x" * 70_000,
]
"""Cells that some reader takes for something else than they are."""


def sound_file(chance: random.Random) -> bytes:
    """A file without any fault: some rows, perhaps in quotes, with either line end."""
    end, quote = chance.choice(["\n", "\r\n"]), chance.random() < 0.3
    records = random_records(JOB_CHANGE, chance.randint(0, 12), seed=chance.randrange(10**6))
    rows = [NAMES, *([c.write(record[c.name]) for c in JOB_CHANGE.columns] for record in records)]
    cell = '"{}"'.format if quote else str
    return "".join(",".join(map(cell, row)) + end for row in rows).encode()


def mutated(seed: int) -> bytes:
    """The file of a seed: a sound one that met one to four accidents."""
    chance = random.Random(seed)
    data = sound_file(chance)
    for _ in range(chance.choice([1, 1, 1, 2, 2, 3, 4])):
        data = chance.choice(ACCIDENTS)(data, chance)
    return data


def _place(data: bytes, chance: random.Random) -> int:
    return chance.randint(0, len(data))


def _flip(data: bytes, chance: random.Random) -> bytes:
    octets = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 20])):
        if octets:
            octets[chance.randrange(len(octets))] ^= 1 << chance.randrange(8)
    return bytes(octets)


def _truncate(data: bytes, chance: random.Random) -> bytes:
    return data[: _place(data, chance)]


def _cut_out(data: bytes, chance: random.Random) -> bytes:
    first, last = sorted((_place(data, chance), _place(data, chance)))
    return data[:first] + data[last:]


def _double(data: bytes, chance: random.Random) -> bytes:
    first, last = sorted((_place(data, chance), _place(data, chance)))
    return data[:last] + data[first:last] + data[last:]


def _insert(data: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.choice([1, 1, 2, 5])):
        place = _place(data, chance)
        data = data[:place] + chance.choice(SHARP) + data[place:]
    return data


def _garbage(data: bytes, chance: random.Random) -> bytes:
    place = _place(data, chance)
    return data[:place] + chance.randbytes(chance.choice([3, 40, 3_000])) + data[place:]


def _on_lines(change: Callable[[list[bytes], random.Random], None]):
    def accident(data: bytes, chance: random.Random) -> bytes:
        lines = data.splitlines(keepends=True)
        if lines:
            change(lines, chance)
        return b"".join(lines)

    return accident


@_on_lines
def _repeat_header(lines, chance):
    lines.insert(chance.randint(0, len(lines)), lines[0])


@_on_lines
def _drop_header(lines, _):
    del lines[0]


@_on_lines
def _repeat_a_line(lines, chance):
    lines.insert(chance.randint(0, len(lines)), chance.choice(lines))


@_on_lines
def _mix_line_ends(lines, chance):
    for place, line in enumerate(lines):
        lines[place] = line.rstrip(b"\r\n") + chance.choice([b"\n", b"\r\n", b"\r", b"\n\n"])


@_on_lines
def _blank_lines(lines, chance):
    for _ in range(3):
        lines.insert(chance.randint(0, len(lines)), chance.choice([b"\n", b"  \r\n", b"\t\n"]))


@_on_lines
def _strange_cell(lines, chance):
    place = chance.randrange(len(lines))
    cells = lines[place].split(b",")
    text = chance.choice(TEXTS)
    if chance.random() < 0.5:
        text = '"{}"'.format(text.replace('"', '""'))
    cells[chance.randrange(len(cells))] = text.encode()
    lines[place] = b",".join(cells)


@_on_lines
def _change_header(lines, chance):
    names = lines[0].rstrip(b"\r\n").split(b",")
    place = chance.randrange(len(names))
    kind = chance.randrange(7)
    if kind == 0:
        names[place] = names[place].upper()
    elif kind == 1:
        names[place] = chance.choice(names)
    elif kind == 2:
        names[place] = b" " + names[place] + b"\t"
    elif kind == 3:
        del names[place]
    elif kind == 4:
        names.insert(place, chance.choice([b"", b"extra", b"x" * 300, b"=1+1", b"<b>"]))
    elif kind == 5:
        names += [b"c%d" % number for number in range(chance.choice([3, 1_200]))]
    else:
        chance.shuffle(names)
    lines[0] = b",".join(names) + b"\n"


def _without_a_column(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(NAMES))
    lines = [line.split(b",") for line in data.split(b"\n")]
    return b"\n".join(b",".join(cells[:place] + cells[place + 1 :]) for cells in lines)


def _another_delimiter(data: bytes, chance: random.Random) -> bytes:
    return data.replace(b",", chance.choice([b";", b"\t", b"|", b", "]))


def _another_encoding(data: bytes, chance: random.Random) -> bytes:
    text = data.decode(errors="replace")
    return text.encode(chance.choice(["utf-16", "utf-16-le", "utf-32", "utf-8-sig"]))


def _compressed(data: bytes, _: random.Random) -> bytes:
    return gzip.compress(data, mtime=0)


def _no_last_line_end(data: bytes, _: random.Random) -> bytes:
    return data.rstrip(b"\r\n")


ACCIDENTS: list[Callable[[bytes, random.Random], bytes]] = [
    _flip,
    _truncate,
    _cut_out,
    _double,
    _insert,
    _insert,
    _garbage,
    _repeat_header,
    _drop_header,
    _repeat_a_line,
    _mix_line_ends,
    _blank_lines,
    _strange_cell,
    _strange_cell,
    _strange_cell,
    _change_header,
    _change_header,
    _without_a_column,
    _another_delimiter,
    _another_encoding,
    _compressed,
    _no_last_line_end,
]
