"""Another domain goes the whole way by another contract, and without a change to the package."""

import csv
import dataclasses
import io
import random
from pathlib import Path

import pytest

from api_house import open_house
from jobchurn import files, quality
from jobchurn.faults import faults_of
from jobchurn.flow import ingest, score
from jobchurn.flow.predict import predict
from jobchurn.flow.split import split
from jobchurn.flow.train import train
from jobchurn.store import Store

NAMES = ["temperature", "maker", "site", "failed"]
MAKERS = ["O'Neill & Söhne", "50% : cheap", "back\\slash", ""]


@pytest.fixture
def house(toy, empty_database, tmp_path):
    """The services of a house that has never heard of jobs."""
    store = Store.connect(empty_database, toy)
    store.migrate()
    services = open_house(store, tmp_path / "home", toy, champion=False)
    settings = services.settings.model_copy(update={"settle_seconds": 0.0})
    yield dataclasses.replace(services, settings=settings)
    store.close()


def machines(count, seed=0):
    """Rows of machines: the hot ones of one maker fail."""
    chance = random.Random(seed)
    rows = []
    for _ in range(count):
        temperature = round(chance.uniform(-40, 250), 1)
        maker = chance.choice(MAKERS)
        likely = 0.8 if temperature > 120 and maker == MAKERS[1] else 0.15
        site = chance.choice(["Hall 3", "Ümlaut", '"A", b', ""])
        rows.append([str(temperature), maker, site, str(int(chance.random() < likely))])
    return rows


def write_csv(path, rows, names=NAMES):
    with path.open("w", newline="", encoding="utf-8") as target:
        csv.writer(target).writerows([names, *rows])
    return path


FAULTY = {
    2: (["250.6", "", "", "0"], "temperature", "range"),
    3: (["", "", "", ""], "temperature", "required"),
    4: (["warm", "", "", ""], "temperature", "kind"),
    5: (["-inf", "", "", ""], "temperature", "finite"),
    6: (["20", "O'Neil", "", ""], "maker", "domain"),
    7: (["20", "", "a site too long", ""], "site", "length"),
    8: (["20", "", "bell\a", ""], "site", "characters"),
    9: (["20", "", "", "2"], "failed", "range"),
    10: (["20", "", "", "0.5"], "failed", "integral"),
}
"""Row → its cells, and the column and rule that refuse it."""


def test_its_files_are_checked_by_its_own_rules(toy, tmp_path):
    rows = [["20", "ONeill", "Hall 3", "1"], *(cells for cells, *_ in FAULTY.values())]
    sheet = files.cut(write_csv(tmp_path / "machines.csv", rows), toy)
    verdict = quality.judge(sheet.columns, toy, rows=sheet.rows, faults=sheet.faults)
    found = {
        row: [(reason.column, reason.rule) for reason in reasons]
        for row, reasons in verdict.bad.items()
    }
    assert found == {row: [(column, rule)] for row, (_, column, rule) in FAULTY.items()}


def test_its_report_speaks_of_its_columns(house, tmp_path):
    path = write_csv(tmp_path / "machines.csv", [cells for cells, *_ in FAULTY.values()])
    page = Path(ingest.ingest_one(house, trigger="cli", file=path).report).read_text()
    for _, column, _ in FAULTY.values():
        assert column in page
    assert "250.6" in page


def test_its_rows_are_learnt_from_and_its_patterns_found(house, tmp_path):
    model = train(
        house, write_csv(tmp_path / "machines.csv", machines(600)), progress=lambda _: None
    )
    assert model.card.contract == "machine-failure"
    assert set(model.card.features) == {"temperature", "maker", "site"}
    assert model.card.metrics["cross_validation"]["roc_auc"] > 0.6
    hot = {"temperature": 200.0, "maker": MAKERS[1], "site": None}
    cold = hot | {"temperature": 0.0}
    failing, running = model.probabilities([hot, cold])
    assert failing > 0.5 > running


def test_its_files_go_from_arrival_to_stored_predictions(house, tmp_path):
    train_and_promote(house, tmp_path)
    rows = machines(30, seed=1)
    rows[0][1] = "ONeill"
    rows[1][0] = "warm"
    write_csv(house.folders.raw_data / "machines.csv", rows)
    run = ingest.ingest_one(house, trigger="cli")
    assert (run.rows_valid, run.rows_invalid) == (29, 1)
    assert [one.rows for one in score.score_new(house)] == [29]
    stored, _ = house.store.predictions.page()
    by_row = {row.row_number: row for row in stored}
    assert len(stored) == len(by_row) == 29
    assert by_row[1].record == {
        "temperature": float(rows[0][0]),
        "maker": "O'Neill & Söhne",
        "site": rows[0][2] or None,
        "failed": int(rows[0][3]),
    }
    assert list(score.score_new(house)) == []


def train_and_promote(house, tmp_path):
    source = write_csv(tmp_path / "known.csv", machines(300, seed=5))
    version = train(house, source, progress=lambda _: None).version
    house.registry.promote(version)
    return version


def test_its_records_are_predicted_and_explained_in_its_words(house, tmp_path):
    version = train_and_promote(house, tmp_path)
    record = {"temperature": 71.5, "maker": MAKERS[2], "site": "Hall 3"}
    answer = predict(house, house.registry.champion(), [record], source="webapp")
    assert (answer.n, answer.model_version) == (1, version)
    assert answer.features == [record]
    [explained] = house.registry.champion().explain([record])
    assert explained["contributions"].keys() == record.keys()


def test_a_persons_file_of_it_comes_back_predicted(house, tmp_path):
    train_and_promote(house, tmp_path)
    out = io.StringIO()
    rows = [["20", "ONeill", "=1+1", ""], ["warm", "", "", ""]]
    score.predict_file(house, write_csv(tmp_path / "mine.csv", rows), out)
    first, second = csv.DictReader(io.StringIO(out.getvalue()))
    assert (first["maker"], first["site"], first["refused_because"]) == (
        "O'Neill & Söhne", "'=1+1", "",
    )  # fmt: skip
    assert (second["prediction"], second["temperature"]) == ("", "warm")


def test_its_own_errors_are_injected_and_all_found(house, toy, tmp_path):
    source = write_csv(tmp_path / "machines.csv", machines(400, seed=7))
    manifest = split(source, house.folders.raw_data, 10, 0.2, contract=toy)
    assert {injection.fault for injection in manifest.injections} == {
        fault.number for fault in faults_of(toy)
    }
    runs = {run.file: run for run in ingest.ingest_all(house, trigger="cli")}
    for raw in manifest.files:
        damaged = {injection.row for injection in raw.faults}
        expected = raw.rows if None in damaged else len(damaged)
        assert runs[raw.file].rows_invalid == expected
