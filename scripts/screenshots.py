"""Takes the pictures of the documentation from a running stack, one per page and colour scheme.

    export JOBCHURN_HOME=$(mktemp -d)
    jobchurn up --only postgres,api,webapp --detach
    eval "$(jobchurn env)"
    python -m scripts.history
    python scripts/screenshots.py --api "$API_URL" --webapp "$WEBAPP_URL"
    jobchurn down

It predicts a record and a small file on the way, so that there is something to see; ``history``
gives Monitoring a past to show. It needs the extra ``e2e`` and a Chromium (Debian: ``apt-get
install chromium``).
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import httpx
from playwright.sync_api import Browser, Page, expect, sync_playwright

from jobchurn.contract import JOB_CHANGE, Contract

IMAGES = Path(__file__).parents[1] / "docs" / "images"
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
PATIENCE_MILLISECONDS = 60_000
FILE_ROWS = 200
DAMAGED_EVERY = 60


def settle(page: Page) -> None:
    """Wait until the page has run to its end and its charts are drawn."""
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    app = page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
    page.mouse.move(0, 0)
    page.wait_for_timeout(1_500)


def predict_one(page: Page, _: bytes) -> None:
    """Fill the form with the example, and ask."""
    number = page.get_by_role("spinbutton").first
    page.get_by_role("button", name="Try an example").click()
    expect(number).not_to_have_value("")
    settle(page)
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.get_by_role("heading", name="All reasons")).to_be_visible()


def predict_file(page: Page, content: bytes) -> None:
    """Upload a file, and have it predicted."""
    page.locator("input[type=file]").set_input_files(
        {"name": f"{JOB_CHANGE.subject}s.csv", "mimeType": "text/csv", "buffer": content}
    )
    page.get_by_role("button", name="Predict ").click()
    expect(page.get_by_role("heading", name="Predictions", exact=True)).to_be_visible()


def look(_: Page, __: bytes) -> None:
    """There is something to see already."""


PAGES: Mapping[str, tuple[str, Callable[[Page, bytes], None]]] = {
    "home": ("", predict_one),
    "batch": ("batch", predict_file),
    "past-predictions": ("past_predictions", look),
    "ingestion": ("ingestion", look),
    "monitoring-ingestion": ("monitoring?dashboard=ingestion&refresh=off", look),
    "monitoring-predictions": ("monitoring?dashboard=predictions&refresh=off", look),
    "monitoring-service": ("monitoring?dashboard=service&refresh=off", look),
}
"""Name of the picture → the page's path, and what is done there first."""

HEADS = {"monitoring": "monitoring-predictions"}
"""Name of a further picture → that of the one whose upper part it is."""

HEAD_PIXELS = 2_000
"""How much of a page its upper part is, at most."""


def file_of(api: str, contract: Contract) -> bytes:
    """A CSV of records that were predicted lately, a few of them damaged."""
    answer = httpx.get(f"{api}/past-predictions", params={"limit": FILE_ROWS}, timeout=60)
    records = [row["features"] for row in answer.raise_for_status().json()["rows"]]
    for record, column in zip(records[::DAMAGED_EVERY], contract.required, strict=False):
        if column.name in record:
            record[column.name] = str(record[column.name]).upper() if column.is_closed else ""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [column.name for column in contract.inputs])
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue().encode()


def head_of(page: Page) -> float:
    """How high the upper part of a page of panels is, which ends between two rows of them."""
    boxes = [row.bounding_box() for row in page.locator(".st-key-panels .stColumn").all()]
    ends = {box["y"] + box["height"] for box in boxes if box}
    return max(end for end in ends if end < HEAD_PIXELS) + 7


def shoot(browser: Browser, webapp: str, content: bytes, folder: Path, width: int) -> None:
    """Write the pictures of every page in every scheme."""
    for scheme in SCHEMES:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, locale="en-GB"
        )
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        for name, (path, prepare) in PAGES.items():
            page = context.new_page()
            page.goto(f"{webapp}/{path}")
            settle(page)
            prepare(page, content)
            settle(page)
            # Streamlit scrolls within the window: a window as high as the page shows all of it.
            height = page.get_by_test_id("stMainBlockContainer").bounding_box()
            page.set_viewport_size(
                {"width": width, "height": int(height["height"] if height else 0)}
            )
            page.wait_for_timeout(500)
            page.screenshot(path=folder / f"{name}-{scheme}.png")
            print(folder / f"{name}-{scheme}.png")
            for head, whole in HEADS.items():
                if whole == name:
                    page.screenshot(
                        path=folder / f"{head}-{scheme}.png",
                        clip={"x": 0, "y": 0, "width": width, "height": head_of(page)},
                    )
            page.close()
        context.close()


def main() -> None:
    """Read the arguments, and take the pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--api", default="http://127.0.0.1:8000", help="the API's address")
    parser.add_argument("--webapp", default="http://127.0.0.1:8501", help="the web app's address")
    parser.add_argument("--out", type=Path, default=IMAGES, help="the folder of the pictures")
    parser.add_argument("--width", type=int, default=1280, help="the window's width in pixels")
    parser.add_argument("--browser", default=shutil.which("chromium"), help="the Chromium to use")
    arguments = parser.parse_args()
    if arguments.browser is None:
        sys.exit("No Chromium was found. Install it (apt-get install chromium), or name --browser.")
    arguments.out.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=PATIENCE_MILLISECONDS)
    content = file_of(arguments.api.rstrip("/"), JOB_CHANGE)
    # Chromium's own sandbox refuses to run as root.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=arguments.browser, args=options)
        shoot(browser, arguments.webapp.rstrip("/"), content, arguments.out, arguments.width)
        browser.close()


if __name__ == "__main__":
    main()
