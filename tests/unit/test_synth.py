"""The built-in data set: reproducible to the byte, admitted by the contract, nobody's rows."""

import csv
import hashlib
import json
import random
import subprocess
import sys
from collections import Counter
from importlib.resources import files

import numpy as np
import pytest

from jobchurn import synth
from jobchurn.contract import JOB_CHANGE, Role
from jobchurn.flow.rows import read_rows
from jobchurn.synth.fit import fit
from jobchurn.synth.structure import FEWEST
from toy import TOY

NAMES = [column.name for column in JOB_CHANGE.columns]
OUTCOME = JOB_CHANGE.outcome.name


@pytest.fixture(scope="module")
def rows():
    return synth.generate()


def share(cells, text):
    return cells.count(text) / len(cells)


def test_the_default_data_set_is_this_one_to_the_byte(tmp_path):
    synth.write_csv(tmp_path / "a.csv")
    digest = hashlib.sha256((tmp_path / "a.csv").read_bytes()).hexdigest()
    assert digest == "9263680f26db5003cd7672d4549cfc6008f1d9e1d77d97f9842bcffe7be38c73"


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(tmp_path):
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        synth.write_csv(tmp_path / name, rows=200, seed=seed)
    contents = [(tmp_path / name).read_bytes() for name in "abc"]
    assert contents[0] == contents[1] != contents[2]


def test_a_file_is_whole_or_absent(tmp_path, monkeypatch):
    target = tmp_path / "a.csv"
    target.write_text("before")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("jobchurn.synth.sample.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        synth.write_csv(target, rows=10)
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_it_has_the_contracts_columns_and_as_many_rows_as_the_original(rows):
    assert list(rows) == NAMES
    assert {len(cells) for cells in rows.values()} == {19_158}


def test_every_row_is_admitted_and_has_an_outcome(tmp_path):
    synth.write_csv(tmp_path / "a.csv")
    read = read_rows(tmp_path / "a.csv", JOB_CHANGE)
    assert not read.refused
    assert {record[OUTCOME] for record in read.records.values()} == {0, 1}


@pytest.mark.parametrize("count", [0, 1, 50_000])
def test_ids_are_unique_however_many_rows_there_are(count):
    cells = synth.generate(count)[JOB_CHANGE.id.name]
    assert len(set(cells)) == len(cells) == count


def test_a_number_follows_from_its_text(rows):
    for name, rule in synth.parameters()["derived"].items():
        pairs = set(zip(rows[rule["from"]], rows[name], strict=True))
        assert len(pairs) == len(set(rows[rule["from"]])) > 100


def test_a_blank_follows_where_a_rule_says_so(rows):
    rules = synth.parameters()["implied_blanks"]
    assert rules
    for name, rule in rules.items():
        cells = [
            b for a, b in zip(rows[rule["from"]], rows[name], strict=True) if a in rule["texts"]
        ]
        assert cells
        assert set(cells) == {""}


def test_the_parameters_are_short_and_hold_no_rare_value():
    text = files("jobchurn.synth").joinpath("parameters.json").read_bytes()
    assert len(text) < 200_000
    fitted = synth.parameters()
    for binned in fitted["binned"].values():
        for values in binned["bins"]:
            assert min(values["weights"]) >= FEWEST
    for levels in fitted["levels"].values():
        assert all(sum(weights) > 0.99e6 for weights in levels["weights"])


def test_sampling_loads_numpy_and_nothing_heavier():
    program = (
        "import sys\nfrom jobchurn import synth\nsynth.generate(5)\n"
        "heavy = {'lightgbm', 'pandas', 'sklearn', 'scipy'} & set(sys.modules)\nassert not heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_it_has_the_shares_of_the_real_data(rows, real_csv):
    with real_csv.open(newline="") as file:
        real = list(csv.DictReader(file))
    for column in JOB_CHANGE.columns:
        if not column.is_closed and column.role is not Role.OUTCOME:
            continue
        seen = Counter(row[column.name] for row in real)
        for text, count in seen.items():
            assert share(rows[column.name], text) == pytest.approx(count / len(real), abs=0.015)


def test_no_more_rows_are_somebodys_than_chance_makes(rows, real_csv):
    inputs = [column.name for column in JOB_CHANGE.inputs]
    with real_csv.open(newline="") as file:
        real = Counter(tuple(row[name] for name in inputs) for row in csv.DictReader(file))
    made = list(zip(*(rows[name] for name in inputs), strict=True))
    known = sum(row in real for row in made) / len(made)
    # Of the real rows themselves 1 in 100 shares all of these with another one.
    assert known < 0.02


def toy_cells(count=900, seed=3):
    """Machines of which the site sets the temperature, and one maker's never stand at A."""
    chance = random.Random(seed)
    makers = TOY["maker"].levels
    cells = {column.name: [] for column in TOY.columns}
    for _ in range(count):
        site = chance.choice(["A", "A", "A", "B", "B", "C"])
        maker = chance.choice(makers[:2] if site == "A" else makers)
        failed = chance.random() < (0.9 if site == "C" else 0.1)
        row = {"temperature": {"A": "20.5", "B": "31", "C": "99"}[site], "maker": maker}
        for name, text in (row | {"site": site, "failed": str(int(failed))}).items():
            cells[name].append(text)
    return cells


def test_a_data_set_of_another_domain_is_fitted_without_a_change():
    cells = toy_cells()
    fitted = fit(cells, TOY, classes=3)
    made = synth.generate(4000, fitted=json.loads(json.dumps(fitted)))
    assert fitted["id"] is None
    assert list(made) == list(cells)
    assert set(zip(made["site"], made["temperature"], strict=True)) == set(
        zip(cells["site"], cells["temperature"], strict=True)
    )
    for name in ("maker", "site", "failed"):
        for text in set(cells[name]):
            assert share(made[name], text) == pytest.approx(share(cells[name], text), abs=0.05)
    failed = [f for f, site in zip(made["failed"], made["site"], strict=True) if site == "C"]
    assert share(failed, "1") > 0.7


def test_columns_that_belong_together_stay_together():
    cells = toy_cells()
    made = synth.generate(4000, fitted=fit(cells, TOY, classes=6, pseudo_count=1.0))
    rare = TOY["maker"].levels[2]
    at_a = [m for m, site in zip(made["maker"], made["site"], strict=True) if site == "A"]
    assert share(at_a, rare) < 0.5 * share(made["maker"], rare)


def test_a_value_that_few_rows_share_is_left_out():
    cells = toy_cells()
    for place in range(FEWEST - 1):
        cells["site"][place], cells["temperature"][place] = "unique place", "66.6"
    text = json.dumps(fit(cells, TOY, classes=3))
    assert "unique place" not in text
    assert "66.6" not in text


def test_a_number_of_its_own_is_drawn_from_its_bins():
    cells = toy_cells()
    chance = random.Random(5)
    cells["temperature"] = [str(chance.randint(0, 200)) for _ in cells["site"]]
    fitted = fit(cells, TOY, classes=3)
    made = synth.generate(4000, fitted=fitted)
    assert not fitted["derived"]
    numbers = np.array(made["temperature"], dtype=float)
    assert np.quantile(numbers, [0.25, 0.5, 0.75]) == pytest.approx([50, 100, 150], abs=12)


def test_blanks_of_a_number_stay_as_frequent():
    cells = toy_cells()
    optional = dict(cells, temperature=["" if n % 4 == 0 else "20" for n in range(900)])
    made = synth.generate(4000, fitted=fit(optional, TOY, classes=2))
    assert share(made["temperature"], "") == pytest.approx(0.25, abs=0.05)


def test_a_rule_of_blanks_is_found_and_kept():
    name, source = next(iter(synth.parameters()["implied_blanks"].items()))
    cells = synth.generate(3000, seed=1)
    rules = fit(cells, JOB_CHANGE, classes=2)["implied_blanks"]
    assert rules[name]["from"] == source["from"]
    assert set(rules[name]["texts"]) <= set(source["texts"])


def test_fitting_tells_what_it_does():
    told = []
    fit(toy_cells(), TOY, classes=2, progress=told.append)
    assert told == ["Fitting 2 classes …", "Fitting the outcome …"]
