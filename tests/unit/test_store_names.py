"""Text that PostgreSQL cannot hold is stored escaped, and read back as it was."""

import os

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobchurn.store.names import decoded, decoded_json, encoded, encoded_json

ANY_TEXT = st.text(alphabet=st.characters(categories=None, exclude_categories=()))
ESCAPED_LOOKING = st.text(alphabet="\\xu0c5d89ef\x00\ud800\udce9", max_size=12)


@given(ANY_TEXT | ESCAPED_LOOKING)
@example("\\xe9")
@example("\\x5cx5c")
@example("\\\udce9")
def test_every_text_comes_back_as_it_was(text):
    assert decoded(encoded(text)) == text


@given(ANY_TEXT | ESCAPED_LOOKING)
def test_every_encoded_text_can_be_stored(text):
    stored = encoded(text)
    assert "\x00" not in stored
    stored.encode()  # lone surrogates would raise


@given(st.binary(min_size=1, max_size=40))
def test_every_file_name_comes_back_as_its_bytes(name):
    assert os.fsencode(decoded(encoded(os.fsdecode(name)))) == name


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("data.csv", "data.csv"),
        ("Größe 100%.csv", "Größe 100%.csv"),
        ("a\\b.csv", "a\\b.csv"),
        (os.fsdecode(b"caf\xe9.csv"), "caf\\xe9.csv"),
        ("caf\\xe9.csv", "caf\\x5cxe9.csv"),
        ("nul\x00", "nul\\x00"),
    ],
)
def test_plain_names_are_stored_as_they_are_and_others_as_a_terminal_shows_them(text, stored):
    assert encoded(text) == stored


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | ESCAPED_LOOKING,
        lambda inner: st.lists(inner) | st.dictionaries(ESCAPED_LOOKING, inner),
        max_leaves=10,
    )
)
def test_json_comes_back_as_it_was(value):
    assert decoded_json(encoded_json(value)) == value
