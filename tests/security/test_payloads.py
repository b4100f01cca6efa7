"""Hostile texts where people and programs come to see them: inert in reports, alerts, tables, logs.

Each place is first shown a harmless text. Whatever a hostile one does to the place's structure (an
element, an attribute, a line, a cell more or less) is a fault.
"""

import csv
import io
import json
import unicodedata
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from jinja2 import Environment
from rich.console import Console

import tables
import words
from jobchurn import report
from jobchurn.cli import show
from jobchurn.contract import JOB_CHANGE
from jobchurn.files import printable, without_formula
from jobchurn.notify import News, RuleAlert, alert_of, card_of, text_of
from jobchurn.panels import Severity, Unit
from jobchurn.policy import Criticality
from jobchurn.verdict import Reason, RuleResult, StructureRule, Verdict
from security.payloads import ALL, FORMULAS, HARMLESS, MARKDOWN, SCRIPTS

WHEN = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
CLOSED = next(column.name for column in JOB_CHANGE.columns if column.is_closed)

# Invisible, reordering, and what steers: Unicode's categories, save for plain line ends.
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def hidden(text):
    """What of a text cannot be seen, or is more than seen."""
    return [c for c in text if unicodedata.category(c) in HIDDEN and c != "\n"]


def verdict_with(text):
    """A verdict that holds the text wherever a file can bring it in."""
    bad = Reason(1, CLOSED, "domain", text, f"{CLOSED} is {text!r}: not a known value", text)
    stray = Reason(2, None, StructureRule.TOO_MANY_CELLS, text, f"it holds {text}", text)
    other = Reason(3, text, text, text, text, text)
    return Verdict(
        rows_total=4,
        bad={1: (bad,), 2: (stray,), 3: (other,)},
        missing=(text,),
        results=(
            RuleResult(CLOSED, "domain", "ExpectColumnValuesToBeInSet", 4, 1, ((text, 1),)),
            RuleResult(text, text, None, 4, 1, ((text, 1),)),
        ),
        notes=(text, f"the column {text} is not known"),
    )


def page_of(text, verdict=None):
    return report.render(
        verdict or verdict_with(text),
        JOB_CHANGE,
        file=text,
        sha256="ab" * 32,
        criticality="high",
        started_at=WHEN,
        duplicate_of="20261124T073000-3f9a2c",
    )


class Structure(HTMLParser):
    """The elements of a page, with their attributes; texts apart."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, tuple(attributes)))

    def handle_endtag(self, tag):
        self.tags.append((f"/{tag}", ()))

    def handle_decl(self, decl):
        self.tags.append(("!", (decl,)))

    def handle_comment(self, data):
        self.tags.append(("--", (data,)))

    def handle_pi(self, data):
        self.tags.append(("?", (data,)))

    def handle_data(self, data):
        self.text += data


def faults_of_pages(payloads):
    """The payloads that change what a report is made of, or are hidden in it."""
    refused = {"rows_total": 0, "refusal": Reason(None, HARMLESS, HARMLESS, HARMLESS, HARMLESS)}
    plain = Structure(page_of(HARMLESS)).tags
    plain_refused = Structure(page_of(HARMLESS, Verdict(**refused))).tags
    faults = []
    for payload in payloads:
        reason = Reason(None, payload, payload, payload, payload)
        page = Structure(page_of(payload))
        other = Structure(page_of(payload, Verdict(**refused | {"refusal": reason})))
        if page.tags != plain or other.tags != plain_refused or hidden(page.text + other.text):
            faults.append(payload)
    return faults


def test_there_are_more_than_two_hundred():
    assert len(set(ALL)) == len(ALL) > 200


def test_a_report_stays_what_it_is_whatever_a_file_holds():
    assert faults_of_pages(ALL) == []


def test_a_report_that_does_not_escape_is_noticed(monkeypatch):
    escaping = Environment.from_string

    def unescaping(self, source):
        self.autoescape = False
        return escaping(self, source)

    report._template.cache_clear()
    monkeypatch.setattr(Environment, "from_string", unescaping)
    try:
        found = faults_of_pages(SCRIPTS)
    finally:
        report._template.cache_clear()
    assert len(found) > len(SCRIPTS) / 2


def test_a_report_that_shows_what_cannot_be_seen_is_noticed(monkeypatch):
    report._template.cache_clear()
    monkeypatch.setattr(report, "visible", lambda text, limit: text[:limit])
    try:
        found = faults_of_pages(["x\u202ey", "\x1b[31mx"])
    finally:
        report._template.cache_clear()
    assert len(found) == 2


def alerts_of(text):
    """All kinds of alerts, with the text wherever one can hold it."""
    judged = {"run_id": "r1", "file": text, "criticality": Criticality.HIGH, "started_at": WHEN}
    reason = Reason(None, text, text, text, text)
    return [
        alert_of(verdict_with(text), **judged),
        alert_of(Verdict(rows_total=0, refusal=reason), **judged),
        RuleAlert(
            rule="drift",
            summary="It drifts",
            meaning="It is off.",
            severity=Severity.CRITICAL,
            news=News.FIRED,
            value=1.0,
            above=0.0,
            unit=Unit.COUNT,
            since=WHEN,
            at=WHEN,
            details=(text, f"and {text}"),
        ),
    ]


def shape(value):
    """JSON without its texts, save for those that say what an element is."""
    if isinstance(value, dict):
        return {k: v if k in ("type", "style", "url") else shape(v) for k, v in value.items()}
    return [shape(each) for each in value] if isinstance(value, list) else type(value).__name__


def elements(value, kind):
    """Every element of a kind in a card."""
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    here = [value] if isinstance(value, dict) and value.get("type") == kind else []
    return here + [found for each in below for found in elements(each, kind)]


@pytest.mark.parametrize("kind", range(3))
def test_a_card_stays_what_it_is_and_reads_no_text_of_others_as_markdown(kind):
    plain = card_of(alerts_of(HARMLESS)[kind])
    ours = [block["text"] for block in elements(plain, "TextBlock")]
    for payload in ALL:
        card = card_of(alerts_of(payload)[kind])
        assert shape(card) == shape(plain), payload
        # These, and titles and what stands in for the card, may hold Markdown.
        assert [block["text"] for block in elements(card, "TextBlock")] == ours, payload
        assert not elements(card, "FactSet")
        for run in elements(card, "TextRun"):
            assert hidden(run["text"]) == [], payload
            assert not set("<>@") & set(run["text"]), payload
            for active in ("://", "](", "{{", "${", "\n"):
                assert active not in run["text"], payload
        assert len(json.dumps(card).encode()) < 28_000


@pytest.mark.parametrize("kind", range(3))
def test_an_alert_as_text_has_no_line_and_no_sign_more(kind):
    plain = alerts_of(HARMLESS)[kind]
    for payload in ALL:
        alert = alerts_of(payload)[kind]
        assert len(text_of(alert).split("\n")) == len(text_of(plain).split("\n")), payload
        assert hidden(text_of(alert) + alert.title) == [], payload
        assert "\n" not in alert.title
        assert "://evil.test" not in text_of(alert)


def test_the_web_app_s_markdown_shows_every_text_as_it_stands():
    """Every sign that Markdown knows is escaped; what is left is letters."""
    for payload in ALL:
        shown = words.escaped(payload)
        assert hidden(shown.replace("\N{WORD JOINER}", "")) == [], payload
        assert "\n" not in shown
        bare = shown.replace("\\\\", "")
        for place, sign in enumerate(bare):
            if sign in "\\`*_{}[]()<>#+-.!|~$:&\"'=^@/":
                assert sign == "\\" or bare[place - 1] == "\\", payload


def cells_of(text):
    return next(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("write", ["the API", "the web app"])
def test_no_cell_of_a_csv_is_a_formula_and_none_is_two(write):
    for payload in ALL:
        if write == "the API":
            text = io.StringIO(newline="")
            csv.writer(text).writerow(["x", without_formula(payload), "y"])
            line = text.getvalue()
        else:
            line = tables.csv_of(["x", payload, "y"], []).decode()
        first, cell, last = cells_of(line)
        assert (first, last) == ("x", "y"), payload
        assert cell.removeprefix("'") == payload.removeprefix("'"), payload
        # What a spreadsheet looks at, once it has taken off what it does not show.
        bare = cell.lstrip(" \ufeff\u200b\x00")
        assert not bare or bare[0] not in "=+-@＝＋－＠\t\r\n", payload


def test_a_csv_with_formulas_is_noticed():
    bare = [cell for cell in FORMULAS if cell.lstrip()[0] in "=+-@＝＋－＠"]
    assert len(bare) > 15
    assert all(without_formula(cell) == f"'{cell}" for cell in bare)
    assert without_formula("-1.5") == "-1.5"


def test_a_file_s_name_is_one_line_that_steers_nothing():
    for payload in ALL:
        shown = printable(payload)
        assert hidden(shown) == [], payload
        assert "\n" not in shown, payload


def test_a_note_and_a_table_of_the_terminal_steer_nothing(capsys):
    for payload in ALL:
        show.note(f"x {payload} y")
        said = capsys.readouterr().err
        assert hidden(said) == [], payload
        assert said.count("\n") <= payload.count("\n") + 1
    show.table("Runs", ("file", "rows"), [(payload, 1) for payload in ALL])
    said = capsys.readouterr().out
    assert hidden(said) == []
    # Rich would read its own marks in a text, and colour it: nothing of them is gone.
    assert "[red]x[/red]" in "".join(said.split())


def test_a_terminal_that_takes_colours_gets_none_of_others(monkeypatch):
    shown = io.StringIO()

    def terminal():
        return Console(file=shown, force_terminal=True, width=200, color_system="truecolor")

    monkeypatch.setattr(show, "Console", terminal)
    show.table("Runs", ("file",), [(HARMLESS,)] * len(ALL))
    plain = shown.getvalue().count("\x1b")
    shown.truncate(0)
    show.table("Runs", ("file",), [(payload,) for payload in ALL])
    assert shown.getvalue().count("\x1b") == plain


def test_the_check_of_markdown_has_something_to_check():
    assert all(words.escaped(payload) != payload for payload in MARKDOWN)
