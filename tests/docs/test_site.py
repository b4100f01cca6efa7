"""The documentation site: it builds, is whole, and its reference is that of the code."""

import html
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
OUTSIDE = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The site, built strictly from a copy, so that nobody's own is touched."""
    pytest.importorskip("zensical")
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(DOCS, folder / "docs")
    shutil.copy(ROOT / "zensical.toml", folder)
    for room in ("src", "scripts"):
        (folder / room).symlink_to(ROOT / room)
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    done = subprocess.run(
        command, check=False, cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


def nav_of(entries):
    """Every page that the site's plan names."""
    for entry in entries:
        if isinstance(entry, str):
            yield entry
        else:
            for target in entry.values():
                yield from [target] if isinstance(target, str) else nav_of(target)


def attributes(page, name):
    """The values of an attribute in a page, with the tag that bears it."""
    found = re.findall(rf"<(\w+)[^>]*?\s{name}=\"?([^\s\">]+)", page.read_text())
    return [(tag, html.unescape(value)) for tag, value in found]


def test_every_page_is_in_the_plan_once():
    plan = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"]
    pages = sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))
    assert sorted(nav_of(plan)) == pages


def test_the_reference_is_that_of_the_code():
    command = [sys.executable, "-m", "scripts.build_reference", "--check"]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


@pytest.mark.parametrize("page", OUTSIDE, ids=lambda page: page.name)
def test_links_outside_the_site_lead_to_something(page):
    text = page.read_text()
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|srcset)="([^"]+)"', text)
    assert links
    for link in links:
        parts = urlsplit(link)
        assert parts.scheme in ("", "http", "https")
        if not parts.scheme and parts.path:
            assert (ROOT / parts.path).exists(), link


def test_every_decision_is_listed():
    listed = (DOCS / "decisions/index.md").read_text()
    for record in (DOCS / "decisions").glob("[0-9]*.md"):
        assert f"({record.name})" in listed


def test_what_the_site_refers_to_is_in_it(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        for name in ("href", "src"):
            for tag, link in attributes(page, name):
                parts = urlsplit(link)
                if parts.scheme or parts.netloc or not parts.path:
                    continue
                start = site if parts.path.startswith("/") else page.parent
                target = start / unquote(parts.path).lstrip("/")
                assert target.exists(), f"{page.relative_to(site)}: <{tag} {name}={link}>"


def test_the_site_loads_nothing_from_elsewhere(site):
    for page in site.rglob("*.html"):
        loaded = [link for _, link in attributes(page, "src")]
        loaded += [link for tag, link in attributes(page, "href") if tag == "link"]
        assert [link for link in loaded if link.startswith(("http", "//"))] == []


def test_the_python_pages_show_the_code_without_sphinxs_roles(site):
    page = (site / "reference/python/index.html").read_text()
    assert 'id="jobchurn.contract.Column.admits"' in page
    assert 'id="jobchurn.flow.ingest.read_data"' in page
    assert not re.search(r":(class|meth|func|data|attr):", page)
