"""The Adaptive Card: what it says, that it fits, and that nothing foreign comes alive in it."""

import json
import string
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobchurn.notify import Alert, Issue, alert_of, card_of, inert, text_of
from jobchurn.notify.card import MAX_BYTES
from jobchurn.policy import Criticality
from jobchurn.verdict import Reason, Verdict

STARTED = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)

HOSTILE = [
    "<at>everyone</at>.csv",
    "<script>alert(1)</script>.csv",
    "[click](https://evil.example).csv",
    "![x](https://evil.example/p.png)",
    "**bold** _it_ `code` ~~no~~ # h | t |.csv",
    "@channel @here @everyone",
    "<!channel> <@U123> <https://evil.example|ok>",
    "{{DATE(2017-02-14T06:08:39Z,COMPACT)}}",
    "${expression} {{TIME(2017-02-14T06:08:39Z)}}",
    "gnp.\u202efdc.csv",
    "a\r\nBcc: x@evil.example\r\n\r\nbody",
    "nul\x00esc\x1b[31mbell\x07",
    "zero\u200bwidth\ufeff\u2028line\u2029par",
    "raw\udc80\udcff.csv",
    "www.evil.example",
    "=cmd|' /C calc'!A0",
    '"}]}, {"type": "Image", "url": "https://evil.example"}',
    "X" * 10_000_000,
    "\U0001f600" * 5000,
    "\u202e" * 5000,
    "e" + "\u0301" * 5000,
    "",
]

# What the schema of Adaptive Cards 1.5 knows of the elements that we use: properties → required.
# Those in capitals are sets of allowed values.
COLOURS = {"Default", "Dark", "Light", "Accent", "Good", "Warning", "Attention"}
SPACINGS = {"Default", "None", "Small", "Medium", "Large", "ExtraLarge", "Padding"}
ELEMENTS = {
    "AdaptiveCard": ({"$schema", "version", "fallbackText", "msteams", "body", "actions"}, set()),
    "TextBlock": (
        {"text", "size", "weight", "color", "style", "wrap", "isSubtle", "spacing"},
        {"text"},
    ),
    "RichTextBlock": ({"inlines", "spacing"}, {"inlines"}),
    "TextRun": ({"text", "weight"}, {"text"}),
    "Table": ({"columns", "rows", "firstRowAsHeader", "showGridLines", "spacing"}, set()),
    "TableColumnDefinition": ({"width", "horizontalCellContentAlignment"}, set()),
    "TableRow": ({"cells"}, set()),
    "TableCell": ({"items"}, {"items"}),
    "Action.OpenUrl": ({"title", "url"}, {"url"}),
}
VALUES = {
    "size": {"Default", "Small", "Medium", "Large", "ExtraLarge"},
    "weight": {"Default", "Lighter", "Bolder"},
    "color": COLOURS,
    "style": {"default", "heading"},
    "spacing": SPACINGS,
    "horizontalCellContentAlignment": {"Left", "Center", "Right"},
}


def alert(**changes) -> Alert:
    fields = {
        "run_id": "20261124T073000-3f9a2c",
        "file": "raw_0001.csv",
        "criticality": Criticality.MEDIUM,
        "rows_total": 766,
        "rows_invalid": 120,
        "started_at": STARTED,
        "issues": (Issue("hours", "range", 80), Issue(None, "cell count", 40)),
        "report": "https://jobs.example/reports/20261124T073000-3f9a2c.html",
    }
    return Alert(**fields | changes)


def content(message: dict) -> dict:
    return message["attachments"][0]["content"]


def elements(node) -> Iterator[dict]:
    if isinstance(node, dict):
        if "type" in node:
            yield node
        for value in node.values():
            yield from elements(value)
    elif isinstance(node, list):
        for value in node:
            yield from elements(value)


def texts(node) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name not in ("$schema", "url", "contentType"):
                yield from texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from texts(value)
    elif isinstance(node, str):
        yield node


def assert_follows_the_schema(message: dict) -> None:
    assert message.keys() == {"type", "attachments"}
    assert message["type"] == "message"
    for element in elements(content(message)):
        known, required = ELEMENTS[element["type"]]
        assert element.keys() - {"type"} <= known
        assert required <= element.keys()
        for name, allowed in VALUES.items():
            assert element.get(name, next(iter(allowed))) in allowed
    card = content(message)
    assert card["version"] == "1.5"
    for table in (e for e in elements(card) if e["type"] == "Table"):
        assert {len(row["cells"]) for row in table["rows"]} == {len(table["columns"])}


def size(message: dict) -> int:
    """The larger of what is sent and what a JSON library in ASCII would send."""
    return max(
        len(json.dumps(message, ensure_ascii=False).encode()),
        len(json.dumps(message).encode()),
    )


def test_a_card_says_what_is_wrong_and_links_the_report():
    message = card_of(alert())
    said = list(texts(content(message)))
    assert "Medium: 120 of 766 rows are bad" in said
    assert "raw_0001.csv" in said
    assert "120 of 766 (15.7%)" in said
    assert "2026-11-24 07:30 UTC" in said
    table = next(e for e in elements(message) if e["type"] == "Table")
    rows = [list(texts(row["cells"])) for row in table["rows"]]
    shown = [[text for text in row if text in said and len(text) > 1] for row in rows]
    assert "hours" in shown[1]
    assert "80" in shown[1]
    assert "structure" in shown[2]
    assert content(message)["actions"] == [
        {
            "type": "Action.OpenUrl",
            "title": "Open the report",
            "url": "https://jobs.example/reports/20261124T073000-3f9a2c.html",
        }
    ]


@pytest.mark.parametrize("criticality", [c for c in Criticality if c is not Criticality.NONE])
def test_the_colour_of_the_headline_follows_criticality(criticality):
    card = content(card_of(alert(criticality=criticality)))
    expected = {"low": "Accent", "medium": "Warning", "high": "Attention"}[criticality]
    assert card["body"][0]["color"] == expected


@pytest.mark.parametrize(
    "report",
    [
        None,
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://x.example/\n",
        "https://x.example/" + "y" * 2000,
        "https://x.example/a b",
    ],
)
def test_a_card_has_no_action_without_an_address_for_readers(report):
    assert "actions" not in content(card_of(alert(report=report)))


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_come_out_inert(hostile):
    message = card_of(
        alert(
            file=hostile,
            run_id="20261124T073000-3f9a2c",
            issues=tuple(Issue(hostile, hostile, 1) for _ in range(50)),
        )
    )
    assert_follows_the_schema(message)
    assert size(message) < MAX_BYTES
    for text in texts(message):
        assert text.isprintable()
        for active in ("<", ">", "@", "{{", "${", "](", "://", "www."):
            assert active not in text
    for block in (e for e in elements(message) if e["type"] == "TextBlock"):
        # TextBlocks read Markdown: they hold our own words alone.
        assert block["text"] in (alert().headline, "and 42 more; the report lists them all")


@settings(max_examples=60, deadline=None)
@given(
    file=st.text(max_size=400),
    words=st.lists(st.tuples(st.text(max_size=200), st.text(max_size=200)), max_size=20),
    rows=st.integers(0, 10**15),
    criticality=st.sampled_from([c for c in Criticality if c is not Criticality.NONE]),
)
def test_any_alert_makes_a_card_that_teams_takes(file, words, rows, criticality):
    message = card_of(
        alert(
            file=file,
            rows_total=rows,
            rows_invalid=rows,
            criticality=criticality,
            issues=tuple(Issue(column, rule, rows) for column, rule in words),
        )
    )
    assert_follows_the_schema(message)
    assert size(message) < MAX_BYTES
    assert json.loads(json.dumps(message, ensure_ascii=False).encode()) == message


@given(st.text(), st.integers(1, 200))
def test_inert_text_is_printable_and_short(text, limit):
    shown = inert(text, limit)
    assert len(shown) <= limit
    assert shown.isprintable()


@given(st.text(alphabet=string.ascii_letters + string.digits + "-_. ", max_size=60))
def test_plain_names_stay_as_they_are(text):
    if "www." not in text.lower():
        assert inert(text, 60) == text


def test_no_record_and_no_cell_of_a_file_is_in_an_alert():
    cell = "cell of a person 4711"
    verdict = Verdict(
        rows_total=3,
        bad={2: (Reason(2, "hours", "kind", cell, f"{cell} is no number"),)},
        notes=(f"id {cell} is repeated",),
    )
    told = alert_of(
        verdict,
        run_id="r",
        file="f.csv",
        criticality=Criticality.HIGH,
        started_at=STARTED,
    )
    assert cell not in json.dumps(card_of(told))
    assert cell not in text_of(told)


def test_issues_are_counted_by_rows_and_sorted():
    kind = Reason(1, "hours", "kind", "x", "m")
    domain = Reason(1, "level", "domain", "y", "m")
    verdict = Verdict(rows_total=9, bad={1: (kind, domain), 2: (domain,), 5: (domain,)})
    told = alert_of(
        verdict, run_id="r", file="f", criticality=Criticality.MEDIUM, started_at=STARTED
    )
    assert told.issues == (Issue("level", "domain", 3), Issue("hours", "kind", 1))
    assert (told.rows_total, told.rows_invalid) == (9, 3)
    assert told.headline == "Medium: 3 of 9 rows are bad"


def test_a_missing_column_condemns_every_row_and_comes_first():
    verdict = Verdict(
        rows_total=4,
        bad={1: (Reason(1, "level", "domain", "y", "m"),)},
        missing=("hours",),
    )
    told = alert_of(verdict, run_id="r", file="f", criticality=Criticality.HIGH, started_at=STARTED)
    assert told.issues[0] == Issue("hours", "missing column", 4)
    assert told.rows_invalid == 4


def test_a_refused_file_is_said_to_be_unreadable():
    refusal = Reason(None, None, "binary", "\x7fELF", "not text")
    told = alert_of(
        Verdict(rows_total=0, refusal=refusal),
        run_id="r",
        file="f",
        criticality=Criticality.HIGH,
        started_at=STARTED,
    )
    assert told.headline == "High: a file could not be read"
    assert told.share == "the whole file"
    assert told.issues == (Issue(None, "binary", 0),)
    assert_follows_the_schema(card_of(told))
    assert "ELF" not in json.dumps(card_of(told))


def test_one_bad_row_is_spoken_of_in_the_singular():
    assert alert(rows_total=1, rows_invalid=1).headline == "Medium: 1 of 1 row is bad"
    assert alert(rows_invalid=1).headline == "Medium: 1 of 766 rows is bad"
    assert alert(rows_total=100_000, rows_invalid=1).share == "1 of 100,000 (under 0.1%)"


def test_the_plain_text_has_the_same_facts_line_by_line():
    assert text_of(alert()).splitlines() == [
        "File: raw_0001.csv",
        "Bad rows: 120 of 766 (15.7%)",
        "Begun: 2026-11-24 07:30 UTC",
        "Run: 20261124T073000-3f9a2c",
        "- hours: range, 80 rows",
        "- structure: cell count, 40 rows",
        "Report: https://jobs.example/reports/20261124T073000-3f9a2c.html",
    ]


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_add_no_line_to_the_plain_text(hostile):
    told = alert(file=hostile, issues=())
    assert len(text_of(told).splitlines()) == 5
    assert all(line.isprintable() for line in text_of(told).splitlines())
