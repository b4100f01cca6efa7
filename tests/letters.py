"""A contract of three columns, and generated tables that may or may not keep to it."""

from hypothesis import strategies as st

from jobchurn.contract import Column, Contract, Kind, Role

LETTERS = Contract(
    name="letters",
    subject="letter",
    positive="is answered",
    negative="is not answered",
    columns=(
        Column(
            name="a",
            label="A",
            kind=Kind.TEXT,
            role=Role.FEATURE,
            meaning="Any text.",
            required=True,
            max_length=9,
        ),
        Column(
            name="b",
            label="B",
            kind=Kind.TEXT,
            role=Role.FEATURE,
            meaning="Any text.",
            max_length=9,
        ),
        Column(
            name="c",
            label="C",
            kind=Kind.INTEGER,
            role=Role.OUTCOME,
            meaning="Zero or one.",
            minimum=0,
            maximum=1,
        ),
    ),
)
LINE_ENDS = ("\n", "\r\n", "\r")
HEADS = [
    b"a,b,c",
    b"c,a",
    b"a",
    b'"a","b",c',
    b' "a" , b',
    b"x,a,y",
    b"\xef\xbb\xbfa,b",
    b"\n\na,b,c",
]

# The bytes that mean something, far more often than chance would have them.
SHARP = st.lists(
    st.sampled_from(
        [
            b'"',
            b'""',
            b",",
            b"\n",
            b"\r",
            b"\r\n",
            b" ",
            b"\t",
            b"a",
            b"a,b,c",
            b"1",
            b"\0",
            b"\xff",
            b"\xc3",
            b"\xef\xbb\xbf",
            "é".encode(),
            "\u2028".encode(),
            b"x" * 70_000,
        ]
    ),
    max_size=40,
).map(b"".join)
TABLES = st.builds(
    lambda head, end, body: head + end.encode() + body,
    st.sampled_from(HEADS),
    st.sampled_from(LINE_ENDS),
    SHARP,
)
