"""The page on a file: whole in itself, safe whatever the file holds, and readable."""

import re
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser

import pytest

from jobchurn import report
from jobchurn.contract import JOB_CHANGE
from jobchurn.policy import Criticality
from jobchurn.verdict import Reason, RuleResult, Verdict

WHEN = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """What a browser would make of a page: elements, attributes and text."""

    def __init__(self, html):
        super().__init__()
        self.html, self.text, self.tags, self.open = html, "", [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.text += " "
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data

    @property
    def words(self):
        return " ".join(self.text.split())

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def page(verdict, **changes):
    arguments = {
        "file": "part_07.csv",
        "sha256": "ab" * 32,
        "criticality": "low",
        "started_at": WHEN,
    } | changes
    return Page(report.render(verdict, JOB_CHANGE, **arguments))


def reason(row, column="gender", rule="domain", text="x", message=None, repair=None):
    return Reason(row, column, rule, text, message or f"{column} is {text!r}: no", repair)


def one_bad(**fields):
    return Verdict(
        10,
        bad={3: (reason(3, **fields),)},
        results=(RuleResult("gender", "domain", "ExpectColumnValuesToBeInSet", 9, 1, (("x", 1),)),),
    )


HOSTILE = "<script>alert(1)</script>\u202e\x00\x1b[31m\udcff&\"'</bdi>{{7*7}}"


def hostile(size):
    """A verdict that holds the worst of everything, as much of it as it can."""
    rules = ["domain", "kind", "range", "finite"]
    names = [*(column.name for column in JOB_CHANGE.columns), None, HOSTILE]
    results = tuple(
        RuleResult(name, rule, "Expect" * 5, size, size, ((HOSTILE * size, size),) * 5)
        for name in names
        for rule in rules
    )
    bad = {
        row: tuple(
            Reason(row, name, rule, HOSTILE * size, HOSTILE * size, HOSTILE * size)
            for name in names
            for rule in rules
        )
        for row in range(1, size + 1)
    }
    return Verdict(size, bad=bad, results=results, notes=(HOSTILE * size,) * size)


def test_the_page_shows_file_time_digest_and_criticality_in_words():
    seen = page(Verdict(5), criticality="medium")
    for words in ("part_07.csv", "24 November 2026, 07:30:00 UTC", "ab" * 32, "Medium criticality"):
        assert words in seen.words


def test_the_time_is_shown_in_utc():
    seen = page(Verdict(1), started_at=WHEN.astimezone(timezone(timedelta(hours=5))))
    assert "07:30:00 UTC" in seen.words


@pytest.mark.parametrize("criticality", Criticality)
def test_every_criticality_has_its_badge(criticality):
    badges = [a["class"] for a in page(Verdict(1), criticality=criticality).all("strong")]
    assert badges == [f"badge {criticality}"]
    assert f".badge.{criticality} {{" in page(Verdict(1)).html


def test_the_rows_are_counted():
    words = page(one_bad()).words
    assert "in the file 10" in words
    assert "good (90.0%) 9" in words
    assert "bad (10.0%) 1" in words


@pytest.mark.parametrize(
    ("part", "whole", "share"),
    [
        (0, 10, "0%"),
        (10, 10, "100%"),
        (1, 3, "33.3%"),
        (1, 1_000_000, "< 0.1%"),
        (999_999, 1_000_000, "> 99.9%"),
    ],
)
def test_a_share_is_rounded_to_none_or_all_only_where_it_is_so(part, whole, share):
    verdict = Verdict(whole, bad=dict.fromkeys(range(1, part + 1), ()))
    assert f"bad ({share})" in page(verdict).words


def test_a_bad_row_is_shown_with_number_column_rule_text_and_repair():
    words = page(one_bad(text="Femael", repair="Female")).words
    assert "3 Gender domain 'Femael' likely meant 'Female'" in words


def test_the_text_beside_its_message_is_not_said_twice():
    words = page(one_bad(text="x", message="gender is 'x': not a known value")).words
    assert words.count("gender is 'x'") == 1
    assert "'x' not a known value" in words


def test_a_blank_is_named():
    assert "required blank" in page(one_bad(text="", rule="required")).words


def test_the_causes_come_by_frequency_with_an_example_each():
    verdict = Verdict(
        100,
        bad={1: (reason(1),)},
        results=(
            RuleResult("gender", "domain", "E", 100, 2, (("x", 2),)),
            RuleResult("city", "required", "E", 100, 7, (("", 7),)),
            RuleResult("target", "range", "E", 100, 0),
        ),
    )
    words = page(verdict).words
    causes = words[words.index("Why rows are bad") : words.index("Bad rows")]
    assert re.search(r"City required .*blank 7 7\.0% Gender domain .*'x': no 2 2\.0%", causes)
    assert "Looking for a new job" not in causes


def test_the_table_of_failures_has_a_row_for_each_column_and_a_rule_in_each_head():
    seen = page(one_bad())
    assert "Column domain all Gender 1 1" in seen.words


def test_every_rule_is_shown_with_its_expectation_and_counts():
    words = page(one_bad()).words
    assert "Gender gender Allowed: Male, Female, Other, or blank" in words
    assert "domain ExpectColumnValuesToBeInSet 9 1" in words


def test_structure_is_shown_apart_from_columns():
    verdict = Verdict(
        4,
        bad={2: (Reason(2, None, "too few cells", "a,b", "2 cells where 14 are expected."),)},
        results=(RuleResult(None, "too few cells", None, 4, 1),),
    )
    words = page(verdict).words
    assert "2 Structure too few cells not shown: a whole record bears its id 2 cells" in words
    assert "a,b" not in words
    assert "too few cells judged by the bytes 4 1" in words


def test_a_refused_file_says_why_what_was_found_and_what_cures_it():
    refusal = Reason(None, None, "delimiter", "a;b", "Cells are parted by semicolons.", "a,b")
    words = page(Verdict(0, refusal=refusal), criticality="high").words
    assert "The whole file is refused Cells are parted by semicolons." in words
    assert "Found: a;b Likely meant: a,b" in words
    assert "send it again" in words
    assert "in the file" not in words


def test_missing_columns_are_named_with_what_they_should_hold():
    results = (RuleResult("city", "missing column", None, 8, 8),)
    words = page(Verdict(8, missing=("city", "target"), results=results)).words
    assert "Required columns are missing" in words
    assert "city – City: text of 1 to 64 characters without control characters" in words
    assert "bad (100%) 8" in words


def test_a_missing_column_that_the_contract_does_not_know_is_named_too():
    assert "colour" in page(Verdict(8, missing=("colour",))).words


def test_a_repeat_points_to_the_run_that_came_first():
    seen = page(Verdict(1), duplicate_of="20261124T073000-3f9a2c")
    assert "This content has been here before" in seen.words
    assert [a["href"] for a in seen.all("a")] == ["20261124T073000-3f9a2c.html"]


def test_a_file_without_rows_says_so():
    assert "The file has a header and no rows." in page(Verdict(0)).words


def test_notes_are_shown():
    assert (
        "Noticed and accepted It has a mark." in page(Verdict(1, notes=("It has a mark.",))).words
    )


def test_the_sample_holds_some_of_each_kind_and_says_so():
    bad = {row: (reason(row),) for row in range(1, 500)}
    bad[500] = (reason(500, column="city", rule="required", text=""),)
    seen = page(Verdict(500, bad=bad))
    assert "51 reasons of 500, some of each kind" in seen.words
    assert "500 City required blank" in seen.words


def test_no_more_reasons_are_shown_than_the_sample_holds():
    bad = {row: (reason(row, rule=f"rule {row}"),) for row in range(1, 300)}
    assert f"{report.SAMPLE} reasons of 299" in page(Verdict(300, bad=bad)).words


def test_an_id_is_described_and_never_quoted():
    bad = {1: (reason(1, column="enrollee_id", rule="kind", text="text of 5 characters"),)}
    words = page(Verdict(1, bad=bad)).words
    assert "Enrollee kind text of 5 characters" in words
    assert "'text of 5 characters' " not in words


@pytest.fixture(scope="module")
def worst():
    refusal = Reason(None, None, HOSTILE, HOSTILE * 99, HOSTILE * 99, HOSTILE * 99)
    verdict = hostile(120)
    return [
        page(verdict, file=HOSTILE * 99, duplicate_of=HOSTILE),
        page(Verdict(5, missing=(HOSTILE,) * 3, notes=(HOSTILE,)), file=HOSTILE),
        page(Verdict(0, refusal=refusal), file=HOSTILE, criticality="high"),
    ]


def test_values_never_become_markup(worst):
    for seen in worst:
        assert "script" not in {tag for tag, _ in seen.tags}
        assert not any(name.startswith("on") for _, attributes in seen.tags for name in attributes)
        assert seen.open == []  # every element is closed, so none was closed by a value
        assert "<script>alert(1)</script>" in seen.words
        assert "{{7*7}}" in seen.words


def test_what_cannot_be_seen_is_written_out(worst):
    for seen in worst:
        odd = {c for c in seen.html if not c.isprintable()} - {"\n"}
        assert odd == set()
        assert r"\u202e\x00\x1b[31m\udcff" in seen.words


def test_a_page_can_be_written_in_utf_8_and_its_size_has_a_bound(worst):
    for seen in worst:
        assert len(seen.html.encode()) < 300_000


@pytest.mark.parametrize("character", ["&", "😀", "\x00", "'", "a\u0301"])
def test_no_character_makes_a_page_big(character):
    text = character * 5_000
    bad = {
        row: (Reason(row, "city", f"rule {row}", text, text, text),)
        for row in range(1, report.SAMPLE + 100)
    }
    names = [column.name for column in JOB_CHANGE.columns] * 3
    results = tuple(RuleResult(n, text, text[:60], 9, 9, ((text, 9),)) for n in names)
    seen = page(Verdict(999, bad=bad, results=results, notes=(text,) * 999), file=text)
    assert len(seen.html.encode()) < 300_000


def test_nothing_is_loaded_from_elsewhere_and_nothing_runs(worst):
    for seen in worst:
        tags = {tag for tag, _ in seen.tags}
        assert not tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
        assert not re.search(r"url\(|@import|https?:", seen.html)
        policy = [a["content"] for a in seen.all("meta") if "http-equiv" in a]
        assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_the_page_is_made_for_every_reader(worst):
    for seen in worst:
        assert seen.all("html") == [{"lang": "en"}]
        assert len(seen.all("h1")) == len(seen.all("title")) == len(seen.all("main")) == 1
        assert all(attributes.get("scope") for attributes in seen.all("th"))
        assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in seen.all(
            "meta"
        )
        ids = [attributes["id"] for _, attributes in seen.tags if "id" in attributes]
        assert len(ids) == len(set(ids))
        assert {a["aria-labelledby"] for a in seen.all("section")} <= set(ids)
        assert all(a["aria-label"] for tag, a in seen.tags if a.get("role") == "img")


def luminance(colour):
    """Relative luminance, by WCAG 2."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        *((text, ground) for text in ("text", "muted") for ground in ("ground", "surface", "chip")),
        *((text, "surface") for text in ("good", "bad", "accent")),
        ("warn-text", "warn-ground"),
        ("stop-text", "stop-ground"),
        ("warn-text", "chip"),
        ("stop-text", "chip"),
    ],
)
def test_text_stands_out_from_its_ground(scheme, text, ground):
    style = page(Verdict(1)).html.split("@media print")[0]
    light, dark = style.split("prefers-color-scheme: dark")
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", light if scheme == "light" else dark))
    assert contrast(colours[text], colours[ground]) >= 4.5


def test_the_words_on_a_badge_stand_out_from_it():
    colours = re.findall(r"\.badge\.\w+ \{ background: (#[0-9a-f]{6})", page(Verdict(1)).html)
    assert len(colours) == len(Criticality)
    assert min(contrast("#ffffff", colour) for colour in colours) >= 4.5
