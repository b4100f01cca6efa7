"""A contract of a harbour's ships, and how the bytes of a file of theirs are cut."""

from jobchurn import files
from jobchurn.contract import Column, Contract, Kind, Role

HARBOUR = Contract(
    name="harbour",
    subject="ship",
    positive="will be late",
    negative="will not be late",
    columns=(
        Column(
            name="ship_id",
            label="Ship",
            kind=Kind.INTEGER,
            role=Role.ID,
            meaning="Its number.",
            required=True,
            minimum=1,
            maximum=10**6,
        ),
        Column(
            name="port",
            label="Port",
            kind=Kind.TEXT,
            role=Role.FEATURE,
            meaning="Where it lies.",
            required=True,
            max_length=100_000,
        ),
        Column(
            name="Flag",
            label="Flag",
            kind=Kind.CATEGORY,
            role=Role.FEATURE,
            meaning="Its flag, whose name is not in lower case.",
            levels=("NO", "DK"),
        ),
        Column(
            name="late",
            label="Late",
            kind=Kind.INTEGER,
            role=Role.OUTCOME,
            meaning="Whether it was.",
            minimum=0,
            maximum=1,
        ),
    ),
)
HEAD = b"ship_id,port,Flag,late\n"
A, B, C = b"1,Oslo,NO,0\n", b"2,Kiel,,1\n", b"3,Riga,DK,\n"


def cut(data):
    return files.cut_bytes(data, HARBOUR)


def records(sheet):
    return [sheet.record(row) for row in range(1, sheet.rows + 1)]
