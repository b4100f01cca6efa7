"""What is chosen of a dashboard's variables."""

import pytest

from jobchurn.api.choices import chosen_of
from jobchurn.errors import InvalidRequest
from jobchurn.panels import Variable


def test_of_many_values_that_are_not_on_offer_ten_are_held_against_what_is(monkeypatch):
    looked = []
    monkeypatch.setattr(
        "jobchurn.api.choices.difflib.get_close_matches", lambda *_, **__: looked.append(1) or []
    )
    door = Variable(name="door", label="Door", options=("web", "batch"))
    asked = [f"door{number}" for number in range(100)]
    with pytest.raises(InvalidRequest) as caught:
        chosen_of(door, door.options, asked)
    assert len(looked) == len(caught.value.details["errors"]) == 10
