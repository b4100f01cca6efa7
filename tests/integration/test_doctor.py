"""What ``jobchurn doctor`` says of the model in charge, by a real database."""

import pytest

from conftest import free_port
from jobchurn.settings import Settings
from jobchurn.stack.doctor import Level, doctor
from small_model import small_model
from watched_house import watched_house


@pytest.fixture
def said(store, database, tmp_path):
    """A house, and what the doctor finds of its model."""
    house = watched_house(store, tmp_path / "home")
    settings = Settings(
        jobchurn_home=tmp_path / "home", database_url=database, api_port=free_port()
    )

    def ask():
        return next(finding for finding in doctor(settings) if finding.name == "model")

    return house, ask


def test_a_champion_that_drift_can_be_measured_by_is_well(said):
    house, ask = said
    assert ask().state is Level.OK
    assert house.registry.champion().version in ask().found


def test_a_champion_whose_card_is_too_old_for_drift_is_no_silent_matter(said):
    house, ask = said
    silent = small_model(house.contract)  # its card has no baseline
    house.registry.add(silent)
    house.registry.promote(silent.version)
    assert ask().state is Level.WARN
    assert "drift cannot be measured" in ask().found
    assert "jobchurn train" in ask().cure
