import dataclasses
import errno
import importlib.util
import json
from collections import Counter
from pathlib import Path

import pytest

from jobchurn import files
from jobchurn.contract import JOB_CHANGE, Violation
from jobchurn.errors import DataUnusable, InvalidRequest
from jobchurn.flow import split as splitting
from jobchurn.flow.split import set_aside, split

HEAD = ",".join(JOB_CHANGE.by_name) + "\n"


def row_of(number):
    size = ("", "Oct-49", "50-99")[number % 3]
    return (
        f"{number},city_{number % 5},0.{number % 10},{('Male', '')[number % 2]},"
        f"Has relevent experience,no_enrollment,Graduate,STEM,>20,{size},,1,"
        f"{number % 90},{number % 2}\n"
    )


def rows_of(count):
    return [row_of(number) for number in range(1, count + 1)]


@pytest.fixture
def data_set(tmp_path):
    path = tmp_path / "source.csv"
    path.write_text(HEAD + "".join(rows_of(400)))
    return path


@pytest.fixture
def out(tmp_path):
    return tmp_path / "demo" / "raw"


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def undone(manifest, folder, head=HEAD):
    """The rows of all raw files, with each injected cell put back."""
    rows = []
    for raw in manifest.files:
        text = (folder / raw.file).read_text()
        lines = text.splitlines(keepends=True)[1:]
        for injection in raw.faults:
            if injection.row is None:
                assert injection.column not in text.splitlines()[0].split(",")
            else:
                assert text.startswith(head)
                cells = lines[injection.row - 1].split(",")
                place = head.strip().split(",").index(injection.column)
                assert cells[place] == injection.injected
                cells[place] = injection.original
                lines[injection.row - 1] = ",".join(cells)
        assert len(lines) == raw.rows
        rows.append(lines)
    return rows


def test_every_row_is_in_exactly_one_file_and_in_order(data_set, out):
    manifest = split(data_set, out, 7, contract=JOB_CHANGE)
    assert [line for lines in undone(manifest, out) for line in lines] == rows_of(400)
    assert sorted(contents(out)) == [f"raw_00{n}.csv" for n in range(7)]


def test_files_differ_by_one_row_at_most(data_set, out):
    manifest = split(data_set, out, 7, contract=JOB_CHANGE)
    assert {raw.rows for raw in manifest.files} == {57, 58}


def test_from_eight_files_on_every_fault_occurs(data_set, out):
    manifest = split(data_set, out, 8, contract=JOB_CHANGE)
    assert {injection.fault for injection in manifest.injections} == set(range(1, 9))
    assert [i.row for i in manifest.injections if i.fault == 8] == [None]


def test_with_fewer_files_none_loses_a_column(data_set, out):
    manifest = split(data_set, out, 7, contract=JOB_CHANGE)
    assert {injection.fault for injection in manifest.injections} == set(range(1, 8))


def test_eight_rows_in_eight_files_show_every_fault(tmp_path, out):
    (tmp_path / "small.csv").write_text(HEAD + "".join(rows_of(8)))
    manifest = split(tmp_path / "small.csv", out, 8, contract=JOB_CHANGE)
    assert {injection.fault for injection in manifest.injections} == set(range(1, 9))


@pytest.mark.parametrize(("rate", "n_files"), [(0.1, 5), (0.25, 10), (1.0, 8)])
def test_the_error_rate_is_the_share_of_damaged_rows_in_the_files_with_all_columns(
    data_set, out, rate, n_files
):
    manifest = split(data_set, out, n_files, rate, contract=JOB_CHANGE)
    whole = [raw for raw in manifest.files if all(i.row for i in raw.faults)]
    rows = sum(raw.rows for raw in whole)
    assert sum(len(raw.faults) for raw in whole) == round(rate * rows)


def test_the_faults_of_cells_occur_equally_often(data_set, out):
    manifest = split(data_set, out, 5, 0.5, contract=JOB_CHANGE)
    counts = Counter(injection.fault for injection in manifest.injections)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_an_error_rate_of_zero_damages_nothing(data_set, out):
    manifest = split(data_set, out, 10, 0.0, contract=JOB_CHANGE)
    assert manifest.injections == ()
    assert all(content.startswith(HEAD.encode()) for content in contents(out).values())


def test_a_row_is_damaged_in_one_cell_only(data_set, out):
    manifest = split(data_set, out, 10, 0.5, contract=JOB_CHANGE)
    for raw in manifest.files:
        rows = [injection.row for injection in raw.faults]
        assert len(rows) == len(set(rows))


def test_every_injected_cell_is_refused_by_the_promised_rule_and_no_other_cell_is(data_set, out):
    manifest = split(data_set, out, 10, 0.2, contract=JOB_CHANGE)
    assert_the_manifest_tells_all_that_is_bad(manifest, out)


def assert_the_manifest_tells_all_that_is_bad(manifest, folder):
    found = set()
    for raw in manifest.files:
        sheet = files.cut(folder / raw.file, JOB_CHANGE)
        assert (sheet.refusal, sheet.faults, sheet.rows) == (None, {}, raw.rows)
        assert sheet.sha256 == raw.sha256
        for column in sheet.missing:
            found.add((raw.file, None, column, "missing column"))
        for name, cells in sheet.columns.items():
            for row, text in enumerate(cells, 1):
                try:
                    JOB_CHANGE[name].read(text)
                except Violation as broken:
                    found.add((raw.file, row, name, broken.rule))
    assert found == {
        (raw.file, i.row, i.column, i.rule) for raw in manifest.files for i in raw.faults
    }


def test_a_data_set_without_a_required_column_is_refused(tmp_path, out):
    (tmp_path / "a.csv").write_text("enrollee_id,city\n1,city_1\n")
    with pytest.raises(DataUnusable, match="relevent_experience"):
        split(tmp_path / "a.csv", out, 1, contract=JOB_CHANGE)


def test_twenty_files_of_the_real_data_hold_every_fault_and_no_other_bad_row(real_csv, out):
    manifest = split(real_csv, out, 20, contract=JOB_CHANGE)
    assert {injection.fault for injection in manifest.injections} == set(range(1, 9))
    assert_the_manifest_tells_all_that_is_bad(manifest, out)
    head, *rows = real_csv.read_text().splitlines(keepends=True)
    for raw, lines in zip(manifest.files, undone(manifest, out, head), strict=True):
        expected, rows = rows[: len(lines)], rows[len(lines) :]
        for injection in raw.faults:
            if injection.row is None:
                place = head.split(",").index(injection.column)
                cells = [row.split(",") for row in expected]
                expected = [",".join(row[:place] + row[place + 1 :]) for row in cells]
        assert lines == expected
    assert rows == []


def test_the_same_seed_splits_the_same_way_byte_for_byte(data_set, tmp_path):
    for place in ("one", "two"):
        split(data_set, tmp_path / place / "raw", 9, seed=5, contract=JOB_CHANGE)
    assert contents(tmp_path / "one" / "raw") == contents(tmp_path / "two" / "raw")
    manifests = [(tmp_path / place / "manifest.json").read_bytes() for place in ("one", "two")]
    assert manifests[0] == manifests[1]


def test_another_seed_splits_another_way(data_set, tmp_path):
    for seed in (1, 2):
        split(data_set, tmp_path / str(seed) / "raw", 9, seed=seed, contract=JOB_CHANGE)
    assert contents(tmp_path / "1" / "raw") != contents(tmp_path / "2" / "raw")


def test_the_manifest_lies_beside_the_folder_and_tells_what_was_done(data_set, out):
    manifest = split(data_set, out, 8, 0.1, 3, contract=JOB_CHANGE)
    told = json.loads((out.parent / "manifest.json").read_text())
    assert told == json.loads(manifest.to_json())
    assert told == json.loads(json.dumps(dataclasses.asdict(manifest)))
    assert {key: told[key] for key in ("source", "seed", "error_rate", "n_files", "rows")} == {
        "source": "source.csv",
        "seed": 3,
        "error_rate": 0.1,
        "n_files": 8,
        "rows": 400,
    }
    injection = told["files"][0]["faults"][0]
    assert set(injection) == {
        "row",
        "fault",
        "name",
        "column",
        "rule",
        "original",
        "injected",
    }


def test_file_names_grow_with_the_number_of_files(tmp_path, out):
    (tmp_path / "a.csv").write_text(HEAD + "".join(rows_of(1001)))
    split(tmp_path / "a.csv", out, 1001, contract=JOB_CHANGE)
    names = sorted(contents(out))
    assert (names[0], names[-1]) == ("raw_0000.csv", "raw_1000.csv")


def test_quotes_line_ends_and_a_byte_order_mark_survive(tmp_path, out):
    record = '{0},"city, ""{0}""",0.5,,"No relevent experience",,,,,,,,7,\r\n'
    records = [record.format(number) for number in range(1, 101)]
    head = "\ufeff" + HEAD.replace("\n", "\r\n")
    (tmp_path / "a.csv").write_bytes((head + "".join(records)).encode())
    manifest = split(tmp_path / "a.csv", out, 8, 0.5, contract=JOB_CHANGE)
    assert_the_manifest_tells_all_that_is_bad(manifest, out)
    seen = 0
    for raw in manifest.files:
        text = (out / raw.file).read_bytes().decode()
        assert text.startswith("\ufeffenrollee_id,")
        injected = {i.row: i for i in raw.faults}
        for row, line in enumerate(text.split("\r\n")[1:-1], 1):
            seen += 1
            if row not in injected and None not in injected:
                assert line + "\r\n" == records[seen - 1]
            elif row in injected and injected[row].fault == 4:
                assert f'"{injected[row].injected}"' in line
    assert seen == 100


def test_a_last_row_without_a_line_end_gets_one_where_rows_follow_or_not(tmp_path, out):
    (tmp_path / "a.csv").write_text((HEAD + "".join(rows_of(9))).rstrip("\n"))
    split(tmp_path / "a.csv", out, 2, 0.0, contract=JOB_CHANGE)
    assert contents(out)["raw_001.csv"].endswith(row_of(9).encode())


def test_rows_that_are_bad_already_are_split_as_they_are_and_not_damaged_further(tmp_path, out):
    bad = ["1,2,3\n", row_of(7).replace("Graduate", "None"), 'x"y\n']
    (tmp_path / "a.csv").write_text(HEAD + "".join([*rows_of(20), *bad]))
    manifest = split(tmp_path / "a.csv", out, 1, 1.0, contract=JOB_CHANGE)
    assert [injection.row for injection in manifest.files[0].faults] == list(range(1, 21))
    assert contents(out)["raw_000.csv"].endswith("".join(bad).encode())


def test_without_an_optional_column_its_fault_does_not_occur(tmp_path, out):
    lines = [line.split(",") for line in [HEAD, *rows_of(60)]]
    text = "".join(",".join(cells[:3] + cells[4:]) for cells in lines)
    (tmp_path / "a.csv").write_text(text)
    manifest = split(tmp_path / "a.csv", out, 10, 0.5, contract=JOB_CHANGE)
    assert {injection.fault for injection in manifest.injections} == {1, 2, 4, 5, 6, 7, 8}


# What cannot be split


@pytest.mark.parametrize("n_files", [0, -1])
def test_there_is_no_split_into_no_files(data_set, out, n_files):
    with pytest.raises(InvalidRequest, match="too few"):
        split(data_set, out, n_files, contract=JOB_CHANGE)


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan"), float("inf")])
def test_an_error_rate_is_a_share(data_set, out, rate):
    with pytest.raises(InvalidRequest, match="no share"):
        split(data_set, out, 2, rate, contract=JOB_CHANGE)


def test_more_files_than_rows_are_refused(data_set, out):
    with pytest.raises(DataUnusable, match="400 rows, too few for 401 files"):
        split(data_set, out, 401, contract=JOB_CHANGE)
    assert not out.exists()


@pytest.mark.parametrize("content", ["", "x,y\n1,2\n", HEAD.replace(",", ";")])
def test_what_is_no_csv_file_of_the_contract_is_refused_with_the_cure(tmp_path, out, content):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(DataUnusable) as caught:
        split(tmp_path / "a.csv", out, 1, contract=JOB_CHANGE)
    assert caught.value.cure


def test_an_absent_data_set_is_told(tmp_path, out):
    with pytest.raises(DataUnusable, match="cannot be read: No such file"):
        split(tmp_path / "gone.csv", out, 1, contract=JOB_CHANGE)


# What lies in the folder already


def test_to_split_again_the_same_way_changes_nothing(data_set, out):
    split(data_set, out, 8, contract=JOB_CHANGE)
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    split(data_set, out, 8, contract=JOB_CHANGE)
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before


def test_a_split_that_was_cut_short_is_completed(data_set, out):
    split(data_set, out, 8, contract=JOB_CHANGE)
    whole = contents(out)
    (out / "raw_003.csv").unlink()
    (out.parent / "manifest.json").unlink()
    split(data_set, out, 8, contract=JOB_CHANGE)
    assert contents(out) == whole
    assert (out.parent / "manifest.json").exists()


@pytest.mark.parametrize("name", ["raw_002.csv", "raw_777.csv"])
def test_raw_files_of_another_split_are_not_overwritten(data_set, out, name):
    out.mkdir(parents=True)
    (out / name).write_text("mine")
    with pytest.raises(DataUnusable, match=f"{name} is there already") as caught:
        split(data_set, out, 8, contract=JOB_CHANGE)
    assert caught.value.cure
    assert contents(out) == {name: b"mine"}
    assert not (out.parent / "manifest.json").exists()


def test_other_files_in_the_folder_are_left_alone(data_set, out):
    out.mkdir(parents=True)
    (out / "other.csv").write_text("mine")
    split(data_set, out, 8, contract=JOB_CHANGE)
    assert contents(out)["other.csv"] == b"mine"


def test_a_place_that_cannot_be_written_is_told_with_the_cure(data_set, tmp_path):
    with pytest.raises(DataUnusable, match="cannot be written") as caught:
        split(data_set, tmp_path / "source.csv", 2, contract=JOB_CHANGE)
    assert caught.value.cure


def test_a_disk_that_fills_up_leaves_no_manifest_and_no_half_file(data_set, out, monkeypatch):
    write = files.write_atomically

    def fill_up(path, content):
        if path.name == "raw_004.csv":
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, content)

    monkeypatch.setattr(splitting.files, "write_atomically", fill_up)
    with pytest.raises(DataUnusable, match="No space left"):
        split(data_set, out, 8, contract=JOB_CHANGE)
    assert sorted(contents(out)) == [f"raw_00{n}.csv" for n in range(4)]
    assert not (out.parent / "manifest.json").exists()


# Setting rows aside


@pytest.fixture
def sides(tmp_path):
    return tmp_path / "training.csv", tmp_path / "rest.csv"


def records(path):
    return path.read_text().splitlines(keepends=True)[1:]


def test_seventy_percent_are_set_aside_and_every_row_is_on_one_side(data_set, sides):
    training, rest = sides
    assert set_aside(data_set, training, rest, contract=JOB_CHANGE) == 280
    assert len(records(training)) == 280
    assert sorted(records(training) + records(rest)) == sorted(rows_of(400))
    for path in sides:
        assert path.read_text().startswith(HEAD)
        assert records(path) == sorted(records(path), key=lambda r: int(r.split(",")[0]))


def test_the_same_seed_sets_the_same_rows_aside(data_set, tmp_path):
    for place in "ab":
        (tmp_path / place).mkdir()
        where = tmp_path / place / "t", tmp_path / place / "r"
        set_aside(data_set, *where, seed=4, contract=JOB_CHANGE)
    set_aside(data_set, tmp_path / "t", tmp_path / "r", seed=5, contract=JOB_CHANGE)
    assert (tmp_path / "a" / "t").read_bytes() == (tmp_path / "b" / "t").read_bytes()
    assert (tmp_path / "a" / "t").read_bytes() != (tmp_path / "t").read_bytes()


def test_rows_of_one_id_are_on_one_side_whatever_its_spelling(tmp_path, sides):
    rows = [
        row_of(n // 3 + 1).replace(f"{n // 3 + 1},", f"{spelt},", 1)
        for n, spelt in enumerate(
            f"{'+' if k == 1 else ''}{n}{'.0' if k == 2 else ''}"
            for n in range(1, 41)
            for k in range(3)
        )
    ]
    (tmp_path / "a.csv").write_text(HEAD + "".join(rows))
    set_aside(tmp_path / "a.csv", *sides, contract=JOB_CHANGE)
    ids = [{float(row.split(",")[0]) for row in records(path)} for path in sides]
    assert len(ids[0] | ids[1]) == 40
    assert not ids[0] & ids[1]


def test_rows_without_sound_structure_are_never_learnt_from(tmp_path, sides):
    (tmp_path / "a.csv").write_text(HEAD + "1,2\n" * 10 + "".join(rows_of(30)))
    assert set_aside(tmp_path / "a.csv", *sides, share=0.75, contract=JOB_CHANGE) == 30
    assert records(sides[1]) == ["1,2\n"] * 10


def test_a_contract_without_an_id_sets_rows_aside_one_by_one(data_set, sides):
    anonymous = dataclasses.replace(JOB_CHANGE, columns=JOB_CHANGE.columns[1:])
    assert set_aside(data_set, *sides, contract=anonymous) == 280


def test_rows_are_not_set_aside_another_way_over_those_that_were(data_set, sides):
    set_aside(data_set, *sides, contract=JOB_CHANGE)
    before = sides[0].read_bytes()
    set_aside(data_set, *sides, contract=JOB_CHANGE)
    with pytest.raises(DataUnusable, match="is there already") as caught:
        set_aside(data_set, *sides, seed=1, contract=JOB_CHANGE)
    assert caught.value.cure
    assert sides[0].read_bytes() == before


@pytest.mark.parametrize("share", [0, 1, -1, 2, float("nan")])
def test_a_share_lies_between_nothing_and_all(data_set, sides, share):
    with pytest.raises(InvalidRequest, match="no share"):
        set_aside(data_set, *sides, share=share, contract=JOB_CHANGE)


def test_one_row_cannot_be_set_aside_and_left(tmp_path, sides):
    (tmp_path / "a.csv").write_text(HEAD + row_of(1))
    with pytest.raises(DataUnusable, match="too few rows"):
        set_aside(tmp_path / "a.csv", *sides, contract=JOB_CHANGE)


# The script


@pytest.fixture
def script():
    path = Path(__file__).parents[2] / "scripts" / "split_dataset.py"
    spec = importlib.util.spec_from_file_location("split_dataset", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "options",
    [
        ["--n_files", "8", "--error-rate", "0.2", "--seed", "3"],
        ["--n-files", "8", "--error_rate", "0.2", "--seed", "3"],
    ],
)
def test_the_script_splits_and_says_what_it_did(script, data_set, out, capsys, options):
    assert script.main(["--csv", str(data_set), "--out", str(out), *options]) == 0
    told = capsys.readouterr().out
    assert "400 rows of source.csv in 8 files" in told
    assert "missing column" in told
    assert "lacks city" in told
    manifest = json.loads((out.parent / "manifest.json").read_text())
    assert (manifest["error_rate"], manifest["seed"]) == (0.2, 3)


@pytest.mark.parametrize(("n_files", "code"), [("0", 2), ("401", 4)])
def test_the_script_ends_with_the_failures_exit_code_and_cure(
    script, data_set, out, capsys, n_files, code
):
    arguments = ["--csv", str(data_set), "--out", str(out), "--n_files", n_files]
    assert script.main(arguments) == code
    assert "Cure:" in capsys.readouterr().err
