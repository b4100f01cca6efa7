"""Signed links: what they open, and everything that they do not."""

import stat
from datetime import UTC, datetime, timedelta
from multiprocessing.pool import ThreadPool
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobchurn.errors import InvalidSettings
from jobchurn.links import Links, is_signed, secret_in

NOW = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
LINKS = Links("s" * 32)
REPORT = "/reports/20261124T073000-3f9a2c.html"

# A name no longer is one once it is decoded twice, or cut at a question mark.
parameters = st.lists(st.tuples(st.text(min_size=1, max_size=8), st.text(max_size=8)), max_size=4)


def test_a_signed_link_is_admitted_until_it_expires():
    link = LINKS.sign(REPORT, LATER)
    assert LINKS.admits(link, NOW)
    assert LINKS.admits(link, LATER - timedelta(seconds=1))
    assert not LINKS.admits(link, LATER)


def test_a_link_without_a_signature_is_not_admitted():
    assert not LINKS.admits(REPORT, NOW)
    assert not LINKS.admits(f"{REPORT}?expires=99999999999", NOW)


def test_a_link_opens_its_path_and_no_other():
    link = LINKS.sign(REPORT, LATER)
    query = link.partition("?")[2]
    assert not LINKS.admits(f"/reports/20261124T073000-3f9a2d.html?{query}", NOW)
    assert not LINKS.admits(f"/past-predictions?{query}", NOW)
    assert not LINKS.admits(f"{REPORT}/?{query}", NOW)


def test_a_link_opens_its_query_and_no_other():
    link = LINKS.sign("/past-predictions?format=csv&source=webapp", LATER)
    opened = LINKS.opens(link, NOW)
    assert opened == ("/past-predictions", "format=csv&source=webapp")
    assert not LINKS.admits(link.replace("webapp", "all"), NOW)
    assert not LINKS.admits(link.replace("?", "?limit=1&"), NOW)
    assert not LINKS.admits(f"{link}&limit=1", NOW)
    assert not LINKS.admits(link.replace("format=csv&", ""), NOW)


def test_the_moment_cannot_be_moved():
    link = LINKS.sign(REPORT, LATER)
    moment = str(int(LATER.timestamp()))
    for other in (str(int(moment) + 1), f"0{moment}", f"+{moment}", f"{moment}.0", "", "inf"):
        assert not LINKS.admits(link.replace(moment, other), NOW)
    # Digits of another script are digits to Python.
    foreign = "".join(chr(0xFF10 + int(digit)) for digit in moment)
    assert not LINKS.admits(link.replace(moment, quote(foreign)), NOW)


def test_parameters_of_its_own_count_once_and_at_the_end():
    link = LINKS.sign(REPORT, LATER)
    path, _, query = link.partition("?")
    expires, signature = query.split("&")
    assert not LINKS.admits(f"{path}?{signature}&{expires}", NOW)
    assert not LINKS.admits(f"{path}?{expires}&{expires}&{signature}", NOW)
    assert not LINKS.admits(f"{path}?{query}&{signature}", NOW)
    assert not LINKS.admits(f"{path}?{query}&{query}", NOW)


@pytest.mark.parametrize("signature", ["", "x", "é", "%FF", "%00", "=" * 43, "A" * 10_000])
def test_a_strange_signature_is_refused(signature):
    expires = int(LATER.timestamp())
    assert not LINKS.admits(f"{REPORT}?expires={expires}&signature={signature}", NOW)


def test_another_secret_signs_otherwise():
    assert not Links("t" * 32).admits(LINKS.sign(REPORT, LATER), NOW)


def test_an_address_that_was_spelt_anew_opens_the_same():
    link = LINKS.sign("/panels/ein%20Bild?var-a=b%20c", LATER)
    assert LINKS.admits(link.replace("/panels", "/%70anels").replace("b%20c", "b+c"), NOW)


@given(name=st.text(min_size=1, max_size=20), asked=parameters, other=parameters)
def test_a_link_is_admitted_as_it_was_signed_and_with_no_other_parameters(name, asked, other):
    def query_of(pairs):
        return "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in pairs)

    asked = [(f"p{key}", value) for key, value in asked]
    other = [(f"p{key}", value) for key, value in other]
    path = f"/{quote(name, safe='')}"
    link = LINKS.sign(f"{path}?{query_of(asked)}", LATER)
    assert LINKS.admits(link, NOW)
    own = link[link.index("expires=") :]
    assert LINKS.admits(f"{path}?{query_of(other)}&{own}", NOW) == (asked == other)


def test_a_folder_s_signature_opens_what_lies_right_in_it():
    query = LINKS.sign_folder("/runbook/", LATER)
    assert LINKS.opens(f"/runbook/drift?{query}", NOW) == ("/runbook/drift", "")
    assert not LINKS.admits(f"/runbook/drift?{query}", LATER)


@pytest.mark.parametrize(
    "path",
    [
        "/runbook/",
        "/runbook",
        "/reports/drift",
        "/runbook/../model",
        "/runbook/..",
        "/runbook/%2e%2e/model",
        "/runbook/%2e%2e",
        "/runbook/a%2fb",
        "/runbook//model",
        "/Runbook/drift",
        "/model",
        "//runbook/drift",
    ],
)
def test_a_folder_s_signature_opens_nothing_else(path):
    assert not LINKS.admits(f"{path}?{LINKS.sign_folder('/runbook/', LATER)}", NOW)


def test_a_folder_cannot_be_put_in_place_of_another():
    query = LINKS.sign_folder("/runbook/", LATER)
    assert not LINKS.admits(f"/reports/x?{query.replace('runbook', 'reports')}", NOW)
    assert not LINKS.admits(f"/runbook/drift?limit=1&{query}", NOW)


def test_a_path_s_signature_is_no_folder_s():
    """Whoever may have paths signed must not come to a folder so."""
    link = LINKS.sign("/past-predictions?folder=/runbook/", LATER)
    assert not LINKS.admits(f"/runbook/drift?{link.partition('?')[2]}", NOW)


def test_only_a_plain_path_is_signed():
    for target in ("reports/x", "https://elsewhere/x", "", LINKS.sign(REPORT, LATER)):
        with pytest.raises(ValueError, match="path"):
            LINKS.sign(target, LATER)
    for folder in ("/runbook", "runbook/", ""):
        with pytest.raises(ValueError, match="slash"):
            LINKS.sign_folder(folder, LATER)


def test_whether_a_target_is_signed_is_seen_wherever_the_signature_stands():
    assert is_signed(LINKS.sign(REPORT, LATER))
    assert is_signed("/x?signature=&a=b")
    assert not is_signed("/x?a=signature")


def test_a_short_secret_is_refused():
    with pytest.raises(InvalidSettings, match="LINK_SECRET"):
        Links("s" * 31)


def test_a_secret_is_not_shown():
    assert "sss" not in repr(LINKS)


def test_a_secret_is_made_once_for_its_owner_alone(tmp_path):
    path = tmp_path / "secrets" / "links.key"
    with ThreadPool(8) as pool:
        found = set(pool.map(secret_in, [path] * 32))
    assert len(found) == 1
    assert len(found.pop()) >= 43
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_a_secret_of_one_s_own_is_left_as_it_is(tmp_path):
    path = tmp_path / "links.key"
    path.write_text("o" * 40 + "\n")
    assert secret_in(path) == "o" * 40
