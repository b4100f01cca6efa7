"""Hostile texts in a real browser: nothing of them runs, is fetched, or moves what stands there."""

from contextlib import contextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from jinja2 import Environment
from playwright.sync_api import expect

from fake_api import example_record, example_runs
from jobchurn import report
from jobchurn.api.routes.reports import _POLICY as POLICY
from jobchurn.contract import JOB_CHANGE, Kind
from jobchurn.verdict import Reason, RuleResult, Verdict
from security.payloads import ALL, HARMLESS, SCRIPTS

pytestmark = pytest.mark.e2e

OPEN = next(column.name for column in JOB_CHANGE.columns if column.kind is Kind.TEXT)
CLOSED = next(column.name for column in JOB_CHANGE.columns if column.is_closed)
REPORT = "http://report.test/r1.html"
WEAK = '<meta http-equiv="Content-Security-Policy"'
"""With this the page protects itself. Here it is shown that it need not."""


@contextmanager
def watched(page):
    """What the page does that a page of ours never does: dialogs, and requests to other places."""
    done = []

    def dialog(shown):
        done.append(f"dialog: {shown.message}")
        shown.dismiss()

    def elsewhere(url):
        return urlsplit(url).hostname not in (None, "127.0.0.1", "report.test")

    def request(route):
        # A request that the browser itself refuses to make does not come so far.
        done.append(f"request: {route.request.url}")
        route.abort()

    page.on("dialog", dialog)
    page.route(elsewhere, request)
    try:
        yield done
    finally:
        page.remove_listener("dialog", dialog)
        page.unroute(elsewhere, request)


def html_of(text):
    bad = Reason(1, CLOSED, "domain", text, f"{CLOSED} is {text!r}: not a known value", text)
    other = Reason(2, text, text, text, text, text)
    verdict = Verdict(
        rows_total=3,
        bad={1: (bad,), 2: (other,)},
        missing=(text,),
        results=(RuleResult(text, text, None, 3, 1, ((text, 1),)),),
        notes=(text,),
    )
    page = report.render(
        verdict,
        JOB_CHANGE,
        file=text,
        sha256="ab" * 32,
        criticality="high",
        started_at=datetime(2026, 11, 24, tzinfo=UTC),
    )
    assert WEAK in page
    return page.replace(WEAK, '<meta name="none"', 1)


def shown(page, html, **headers):
    """What the page does once it shows a report, and of how many elements that is made."""
    page.unroute("http://report.test/**")
    page.route(
        "http://report.test/**",
        lambda route: route.fulfill(
            body=html, content_type="text/html; charset=utf-8", headers=headers
        ),
    )
    with watched(page) as done:
        page.goto(REPORT)
        page.mouse.move(300, 300)
        page.keyboard.press("Tab")
        elements = page.locator("*").count()
    return done, elements


def is_wider_than_the_window(page):
    return page.evaluate("document.documentElement.scrollWidth > window.innerWidth")


@pytest.fixture
def unescaped():
    """Reports as they would be if somebody forgot to escape."""
    original = Environment.from_string

    def from_string(self, source):
        self.autoescape = False
        return original(self, source)

    report._template.cache_clear()
    Environment.from_string = from_string
    yield
    Environment.from_string = original
    report._template.cache_clear()


def test_a_report_shows_every_text_and_does_none(page):
    plain = shown(page, html_of(HARMLESS))
    assert plain[0] == []
    for text in ALL:
        assert shown(page, html_of(text)) == plain, text
        assert not is_wider_than_the_window(page), text


def test_a_report_that_does_not_escape_is_noticed(browser, unescaped):
    page = browser.new_page()
    html = html_of("<img src=x onerror=alert(1)><img src=http://evil.test/i.png>")
    done, _ = shown(page, html)
    page.close()
    assert any(line.startswith("dialog") for line in done)
    assert any(line.startswith("request") for line in done)


def test_the_api_s_headers_keep_even_a_report_that_does_not_escape_from_doing_a_thing(
    browser, unescaped
):
    page = browser.new_page()
    for text in SCRIPTS:
        done, _ = shown(page, html_of(text), **{"Content-Security-Policy": POLICY})
        assert done == [], text
    page.close()


def opened(page, address, path):
    """What the web app does as it shows a page, to its end."""
    with watched(page) as done:
        page.goto(f"{address}/{path}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        app = page.get_by_test_id("stApp")
        expect(app).to_have_attribute("data-test-script-state", "notRunning")
        expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
        page.wait_for_timeout(300)
    return done


def stands(page):
    """Assert that the page is one of ours, and nothing on it is a text's."""
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.get_by_test_id("stException").count() == 0
    assert not is_wider_than_the_window(page)
    theirs = page.locator("[href*='evil.test'], [src*='evil.test'], [href^='javascript']")
    assert theirs.count() == 0
    # Of what the page shows in words: no mark-up of others has become an element.
    inside = "[data-testid=stMarkdownContainer], [data-testid=stTable]"
    foreign = page.locator(inside).locator("script, img, iframe, svg[onload], form, input, style")
    assert foreign.count() == 0


def test_the_page_of_files_shows_every_name_and_fault_and_does_none(page, misled_webapp):
    size = 20
    for first in range(0, len(ALL), size):
        texts = ALL[first : first + size]
        runs = (example_runs(misled_webapp.api.now) * 2)[: len(texts)]
        misled_webapp.api.runs = [
            run
            | {"run_id": f"r{place}", "file": text, "duplicate_of": None, "rows_total": 5}
            | {"issues": [{"rule": text, "column": text, "rows": 1}], "report": "/reports/r.html"}
            for place, (run, text) in enumerate(zip(runs, texts, strict=True))
        ]
        assert opened(page, misled_webapp.address, "ingestion") == [], texts
        stands(page)
        table = page.get_by_test_id("stTable").first
        assert table.get_by_role("link").count() == len(texts), texts


def test_the_history_shows_every_text_and_does_none(page, misled_webapp):
    api = misled_webapp.api
    for first in range(0, len(ALL), 50):
        api.rows.clear()
        for place, text in enumerate(ALL[first : first + 50]):
            api.keep(example_record(place) | {OPEN: text}, "webapp")
        assert opened(page, misled_webapp.address, "past_predictions") == []
        stands(page)
    api.rows.clear()


def test_an_upload_shows_every_text_and_does_none(page, misled_webapp):
    names = [column.name for column in JOB_CHANGE.columns]
    for texts in (ALL[: len(ALL) // 2], ALL[len(ALL) // 2 :]):
        lines = [",".join([*names, '"<img src=x onerror=alert(1)>"'])]
        for place, text in enumerate(texts):
            record = example_record(place) | {CLOSED: text, OPEN: text}
            quoted = (str(record.get(name) or "").replace('"', '""') for name in names)
            lines.append(",".join([*(f'"{cell}"' for cell in quoted), "x"]))
        upload = {
            "name": "<img src=x onerror=alert(1)>.csv",
            "mimeType": "text/csv",
            "buffer": "\n".join(lines).replace("\x00", "").encode(),
        }
        assert opened(page, misled_webapp.address, "batch") == []
        with watched(page) as done:
            page.locator("input[type=file]").set_input_files(upload)
            expect(page.get_by_text("Rows that cannot be predicted")).to_be_visible()
            page.wait_for_timeout(300)
        assert done == []
        stands(page)


def test_what_the_api_says_of_a_failure_is_shown_and_not_done(page, misled_webapp):
    for first in range(0, len(ALL), 25):
        texts = ALL[first : first + 25]
        errors = [{"message": text, "field": text, "nearest": text} for text in texts]
        misled_webapp.api.trouble = (
            422,
            {"title": "Problem", "detail": texts[0], "cure": "Try again.", "errors": errors},
        )
        try:
            assert opened(page, misled_webapp.address, "ingestion") == [], texts
            stands(page)
        finally:
            misled_webapp.api.trouble = None


def test_markdown_that_is_not_escaped_is_noticed(page, misled_webapp):
    """A cure is text of our own, and shown as Markdown; here it is not our own."""
    cure = "![x](https://evil.test/m.png) [x](https://evil.test)"
    misled_webapp.api.trouble = 422, {"title": "Problem", "detail": "x", "cure": cure}
    try:
        assert opened(page, misled_webapp.address, "ingestion") == [
            "request: https://evil.test/m.png"
        ]
        with pytest.raises(AssertionError):
            stands(page)
    finally:
        misled_webapp.api.trouble = None
