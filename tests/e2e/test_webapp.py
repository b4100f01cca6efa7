"""The web app in a real browser: what a person does, and how it looks and reads."""

import csv
import io
import re
import time
import uuid

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from fake_api import example_record
from jobchurn.contract import JOB_CHANGE

pytestmark = pytest.mark.e2e

PAGES = {"Home": "", "Batch": "batch", "Past predictions": "past_predictions"}
PAGES |= {"Ingestion": "ingestion", "Monitoring": "monitoring"}
DASHBOARDS = ("ingestion", "predictions", "service")
LOOKS = PAGES | {f"Monitoring, {name}": f"monitoring?dashboard={name}" for name in DASHBOARDS[1:]}
NAMES = [column.name for column in JOB_CHANGE.columns]
ANSWER = re.compile(f"This candidate ({JOB_CHANGE.positive}|{JOB_CHANGE.negative})")


def opened(page, webapp, path=""):
    """The page, once it has settled."""
    page.goto(f"{webapp}/{path}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    settled(page)
    return page


def settled(page):
    """Wait until Streamlit has run the page to its end."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)


def choose(page, label, text):
    field = page.get_by_role("combobox", name=re.compile(f"^{label}"))
    field.fill(text)
    field.press("Enter")


def stored(stack, city):
    """The stored predictions of a city."""
    rows = httpx.get(f"{stack.api}/past-predictions", params={"limit": 1000}).json()["rows"]
    return [row for row in rows if row["features"]["city"] == city]


def csv_of(records):
    text = io.StringIO()
    writer = csv.DictWriter(text, NAMES, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(records)
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def in_past_predictions(page, stack, city):
    """Expect a city among the past predictions that the page shows."""
    opened(page, stack.webapp, "past_predictions")
    # A schedule that runs beside the tests may predict many a row in between.
    page.get_by_text("Web app", exact=True).click()
    settled(page)
    # The table is painted; its cells stand in a table for screen readers, within the canvas.
    expect(page.locator("[role=gridcell]", has_text=city).first).to_be_attached()


@pytest.fixture
def city():
    """A city that no other test, and no model, knows."""
    return f"test-{uuid.uuid4().hex[:12]}"


def test_a_person_fills_the_form_and_finds_the_prediction_again(page, stack, city):
    opened(page, stack.webapp)
    choose(page, "City", city)
    page.get_by_role("spinbutton", name=re.compile("City development index")).fill("0.624")
    choose(page, "Relevant experience", "No relevant")
    page.get_by_role("spinbutton", name=re.compile("Training")).fill("47")
    choose(page, "Education", "Graduate")
    page.get_by_role("button", name="Predict", exact=True).click()
    # Seen without scrolling back from the button, which stands below a long form.
    expect(page.get_by_role("heading", name=ANSWER)).to_be_in_viewport(ratio=1)
    expect(page.get_by_text("makes it")).to_have_count(3)
    [row] = stored(stack, city)
    assert row["source"] == "webapp"
    assert row["features"]["training_hours"] == 47
    assert row["features"]["education_level"] == "Graduate"
    assert row["features"]["company_size"] is None
    in_past_predictions(page, stack, city)


def test_a_form_that_lacks_what_is_needed_is_not_sent_and_says_so_at_the_button(page, stack):
    opened(page, stack.webapp)
    unsent = page.get_by_text("Not sent yet")
    expect(unsent).to_be_hidden()
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(unsent).to_be_in_viewport()
    expect(page.get_by_role("combobox", name="City")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("heading", name=ANSWER)).to_have_count(0)
    page.get_by_role("button", name="Try an example").click()
    expect(unsent).to_be_hidden()
    page.get_by_role("spinbutton", name=re.compile("City development index")).fill("3")
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(unsent).to_be_in_viewport()
    expect(page.get_by_role("heading", name=ANSWER)).to_have_count(0)


def test_an_address_in_a_file_is_shown_as_text_and_never_as_a_link(page, stack):
    row = {c.name: c.write(c.examples[0]) for c in JOB_CHANGE.columns}
    content = csv_of([row | {"gender": "http://example.org"}, row | {"gender": "www.example.org"}])
    opened(page, stack.webapp, "batch")
    page.locator("input[type=file]").set_input_files(
        {"name": "people.csv", "mimeType": "text/csv", "buffer": content}
    )
    damaged = page.get_by_role("table").last
    expect(damaged).to_contain_text("example.org")
    expect(damaged.get_by_role("link")).to_have_count(0)


def test_a_file_with_damaged_rows_is_predicted_as_far_as_it_can_be(page, stack, city):
    good = {c.name: c.write(c.examples[0]) for c in JOB_CHANGE.columns} | {"city": city}
    content = csv_of(
        [
            good | {"enrollee_id": "1"},
            good | {"enrollee_id": "2", "gender": "female"},
            good | {"enrollee_id": "3", "company_size": "Oct-49"},
            good | {"enrollee_id": "4", "training_hours": "-3"},
        ]
    )
    file = {"name": "people.csv", "mimeType": "text/csv", "buffer": content}

    def upload():
        opened(page, stack.webapp, "batch")
        page.locator("input[type=file]").set_input_files(file)
        page.get_by_role("button", name="Predict 2 candidates").click()
        expect(page.get_by_role("heading", name="Predictions", exact=True)).to_be_visible()
        settled(page)

    upload()
    damaged = page.get_by_role("table").last
    for text in ("gender", "Female", "training_hours", "out of range"):
        expect(damaged).to_contain_text(text)
    assert [row["features"]["company_size"] for row in stored(stack, city)] == ["10-49", "50-99"]
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the predictions").click()
    rows = list(csv.DictReader(download.value.path().open(encoding="utf-8")))
    assert [row["row"] for row in rows] == ["1", "3"]
    assert all(0 <= float(row["probability"]) <= 1 for row in rows)
    upload()
    assert len(stored(stack, city)) == 2
    in_past_predictions(page, stack, city)


def test_a_second_click_on_older_or_newer_goes_to_the_same_page(page, misled_webapp, monkeypatch):
    api = misled_webapp.api
    answer, kept = api.answer, list(api.rows)
    for position in range(250):
        api.keep(example_record(position), "webapp")

    def slowly(*asked):
        if asked[0] == "/past-predictions":
            time.sleep(0.5)  # the second click comes while the first one is being answered
        return answer(*asked)

    monkeypatch.setattr(api, "answer", slowly)
    opened(page, misled_webapp.address, "past_predictions")
    for button, place in (("Older", "101 to 200"), ("Newer", "1 to 100")):
        expect(page.get_by_role("button", name=button)).to_be_enabled()
        page.get_by_role("button", name=button).evaluate(
            "button => { button.click(); setTimeout(() => button.click(), 150) }"
        )
        page.wait_for_timeout(1_000)
        settled(page)
        expect(page.get_by_text(f"{place}, newest first")).to_be_visible()
    api.rows[:] = kept


def test_the_download_of_past_predictions_is_a_csv_with_one_header(page, stack):
    opened(page, stack.webapp, "past_predictions")
    link = page.get_by_role("link", name="Download all that match (CSV)")
    answer = httpx.get(link.get_attribute("href"))
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.text.count("probability") == 1


def test_a_report_opens_from_the_list_of_files(page, stack):
    opened(page, stack.webapp, "ingestion")
    link = page.get_by_role("link", name="Open report").first
    answer = httpx.get(link.get_attribute("href"))
    assert answer.status_code == 200
    assert "<html" in answer.text


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_reached_from_the_navigation(page, stack, name):
    opened(page, stack.webapp)
    page.get_by_role("link", name=name).click()
    expect(page).to_have_url(f"{stack.webapp}/{PAGES[name]}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def filled(page, stack, path):
    """The page with something on it."""
    opened(page, stack.webapp, path)
    if path == "":
        page.get_by_role("button", name="Try an example").click()
        expect(page.get_by_role("spinbutton", name="Training time")).not_to_have_value("")
        page.get_by_role("button", name="Predict", exact=True).click()
        expect(page.get_by_role("heading", name=ANSWER)).to_be_visible()
    if path == "batch":
        page.get_by_text("Which columns does the file need?").click()
        row = {c.name: c.write(c.examples[0]) for c in JOB_CHANGE.columns}
        content = csv_of([row, row | {"gender": "?"}])
        page.locator("input[type=file]").set_input_files(
            {"name": "people.csv", "mimeType": "text/csv", "buffer": content}
        )
        page.get_by_role("button", name="Predict 1 candidate").click()
        expect(page.get_by_role("heading", name="Predictions", exact=True)).to_be_visible()
    settled(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", LOOKS.values(), ids=LOOKS)
def test_a_checker_finds_nothing_serious_against_accessibility(page, stack, path, scheme):
    page.emulate_media(color_scheme=scheme)
    filled(page, stack, path)
    found = Axe().run(page).response["violations"]
    serious = [v for v in found if v["impact"] in ("serious", "critical")]
    assert [(v["id"], [node["html"] for node in v["nodes"]]) for v in serious] == []


CUT_OFF = """() => [...document.querySelectorAll('.stMain *')].filter(element => {
  const style = getComputedStyle(element);
  const hidden = ['hidden', 'clip'].includes(style.overflowX);
  const own = [...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  const seen = element.getClientRects().length && style.clip === 'auto' && element.clientWidth > 1;
  return own && seen && hidden && element.scrollWidth > element.clientWidth + 1;
}).map(element => element.outerHTML.slice(0, 200))"""


@pytest.mark.parametrize("width", [1280, 1920])
@pytest.mark.parametrize("path", LOOKS.values(), ids=LOOKS)
def test_nothing_is_cut_off(page, stack, path, width):
    page.set_viewport_size({"width": width, "height": 1000})
    filled(page, stack, path)
    main = page.get_by_test_id("stMain")
    assert main.evaluate("element => element.scrollWidth <= element.clientWidth")
    assert page.evaluate(CUT_OFF) == []


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_a_page_whose_api_is_away_says_what_to_do(page, lonely_webapp, path):
    opened(page, lonely_webapp, path)
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("does not answer")
    expect(alert).to_contain_text("jobchurn up")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    found = Axe().run(page).response["violations"]
    assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []


PICTURES = ".st-key-panels .stVegaLiteChart :is(svg.marks, canvas.marks)"
REFRESHED = ".st-key-panels [data-testid=stCaptionContainer]"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_panel_of_a_dashboard_is_drawn(page, stack, name, scheme):
    page.emulate_media(color_scheme=scheme)
    opened(page, stack.webapp, f"monitoring?dashboard={name}")
    panels = httpx.get(f"{stack.api}/panels/{name}", timeout=60).json()["panels"]
    assert [panel["error"] for panel in panels] == [None] * len(panels)
    expect(page.locator(".st-key-panels h3")).to_have_count(len(panels))
    expect(page.get_by_test_id("stException")).to_have_count(0)
    filled = [panel["kind"] for panel in panels if panel["rows"]]
    charts = page.locator(PICTURES)
    expect(charts).to_have_count(len([kind for kind in filled if kind not in ("stat", "table")]))
    for box in (chart.bounding_box() for chart in charts.all()):
        assert box["width"] > 200
        assert box["height"] > 60


def test_what_is_chosen_in_monitoring_is_in_the_address_and_a_link_shows_the_same(page, stack):
    opened(page, stack.webapp, "monitoring")
    page.get_by_role("radio", name="Predictions and drift").click()
    settled(page)
    page.get_by_role("radio", name="24 h").click()
    settled(page)
    choose(page, "Feature", "Experience")
    settled(page)
    expect(page).to_have_url(re.compile(r"dashboard=predictions.*range=24h.*var-feature="))
    page.reload()
    settled(page)
    expect(page.get_by_role("radio", name="24 h")).to_be_checked()
    expect(page.get_by_role("radio", name="Predictions and drift")).to_be_checked()
    expect(page.get_by_role("combobox", name=re.compile("^Feature"))).to_have_value("Experience")


def test_panels_refresh_by_themselves_and_stay_where_they_are(page, stack):
    opened(page, stack.webapp, "monitoring?dashboard=service&range=1h&refresh=10s")
    expect(page.locator(PICTURES).first).to_be_visible()
    before = page.locator(REFRESHED).first.inner_text()
    drawn = page.locator(PICTURES).first.element_handle()
    main = page.get_by_test_id("stMain")
    main.evaluate("element => element.scrollTo(0, 400)")
    expect(page.locator(REFRESHED).first).not_to_have_text(before)
    settled(page)
    assert drawn.evaluate("element => element.isConnected")
    assert main.evaluate("element => element.scrollTop") == 400
