"""What ``jobchurn doctor`` says of the model in charge, by a real database."""

import psycopg
import pytest

from jobchurn.settings import Settings
from jobchurn.stack.doctor import Level, doctor
from ports import free_port
from small_model import small_model
from watched_house import watched_house


@pytest.fixture
def said(store, database, tmp_path):
    """A house, and what the doctor finds of its model."""
    house = watched_house(store, tmp_path / "home")
    settings = Settings(
        jobchurn_home=tmp_path / "home", database_url=database, api_port=free_port()
    )

    def ask(name="model", **given):
        asked = Settings.model_validate(dict(settings) | given)
        return next(finding for finding in doctor(asked) if finding.name == name)

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


def test_one_user_for_all_programs_works_and_is_told(said):
    _, ask = said
    found = ask("database roles")
    assert found.state is Level.WARN
    assert "as its owner" in found.found
    assert "jobchurn db roles" in found.cure


def test_roles_of_the_services_own_are_well_until_somebody_changes_their_rights(said, database):
    _, ask = said
    own = {"api_database_url": database, "ingestion_database_url": database}
    assert ask("database roles", **own).state is Level.OK
    with psycopg.connect(database) as connection:
        connection.execute("GRANT DELETE ON predictions TO jobchurn_api")
    found = ask("database roles", **own)
    assert found.state is Level.WARN
    assert "jobchurn db migrate" in found.cure
