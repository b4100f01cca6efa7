"""Alerts of whole ingestion runs on a real database: recorded, retried, never in the way."""

import dataclasses
import socket
from datetime import UTC, datetime, timedelta

import pytest

from api_house import open_house
from jobchurn.contract import JOB_CHANGE
from jobchurn.flow import ingest
from jobchurn.flow.alert import retry_alerts
from jobchurn.notify import Notifier, TeamsSender

HEADER = ",".join(column.name for column in JOB_CHANGE.columns)
EMPTY = "," * (len(JOB_CHANGE.columns) - 1)


@pytest.fixture
def house(store, tmp_path):
    services = open_house(store, tmp_path / "home", champion=False)
    settings = services.settings.model_copy(update={"settle_seconds": 0.0})
    return dataclasses.replace(services, settings=settings)


def ingested(house, name):
    path = house.folders.raw_data / name
    path.write_text(f"{HEADER}\n{EMPTY}\nnone{EMPTY}\n")
    return ingest.ingest_one(house, trigger="cli", file=path)


def gone():
    """The address of a webhook that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}/secret-token"


def test_a_webhook_that_is_not_there_stops_no_ingestion_and_is_tried_again(house):
    url = gone()
    unreached = dataclasses.replace(house, notifier=Notifier([TeamsSender(url)]))
    run = ingested(unreached, "raw.csv")
    assert run.finished_at is not None
    (alert,) = house.store.alerts.latest()
    assert (alert.run_id, alert.channel, alert.status, alert.attempts) == (
        run.run_id,
        "teams",
        "failed",
        1,
    )
    assert alert.last_error.startswith("connect error")
    assert "secret-token" not in repr(alert)
    later = datetime.now(UTC) + timedelta(hours=1)
    (delivery,) = retry_alerts(unreached, later)
    assert not delivery.ok
    assert house.store.alerts.latest()[0].attempts == 2


def test_a_name_that_is_no_text_is_told_and_told_again(house):
    unreached = dataclasses.replace(house, notifier=Notifier([TeamsSender(gone())]))
    ingested(unreached, "r\udce9sum\udce9 <at>all<at>.csv")
    (alert,) = house.store.alerts.latest()
    assert alert.body["file"] == r"r\udce9sum\udce9 ‹at›all‹at›.csv"


def test_without_channels_nothing_is_recorded(house):
    ingested(house, "raw.csv")
    assert house.store.alerts.latest() == []
