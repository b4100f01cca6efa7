import pytest
from benchmarks.figures import FIGURES
from benchmarks.measuring import Spread
from benchmarks.results import Measurement, kept, page, report


def measured(number, value, **more):
    given = {"rounds": 5, "versions": {"Python": "3.11"}, "machine": "2 × it", "date": "2026-11-28"}
    return Measurement(number, Spread(value * 0.9, value, value * 1.1), **given | more)


def rows_of(folder):
    """The table's rows by their figures' numbers."""
    lines = (folder / "results.md").read_text().splitlines()
    rows = [line.split(" | ") for line in lines if line.startswith("| ")]
    return {cells[0].strip("| "): cells for cells in rows}


def test_every_figure_has_a_row_measured_or_not(tmp_path):
    report(measured("7", 1.5), folder=tmp_path)
    rows = rows_of(tmp_path)
    assert set(FIGURES) <= set(rows)
    assert rows["7"][2:] == ["≤ 2", "1.5", "1.35 to 1.65", "reached |"]
    assert rows["1"][-1] == "not measured |"


def test_a_rerun_replaces_its_own_row_and_no_other(tmp_path):
    report(measured("7", 1.5), folder=tmp_path)
    report(measured("8", 6), folder=tmp_path)
    report(measured("7", 3), folder=tmp_path)
    assert {number: one.value.median for number, one in kept(tmp_path).items()} == {"7": 3, "8": 6}
    assert rows_of(tmp_path)["7"][-1] == "missed by 50% |"


def test_the_same_results_make_the_same_page(tmp_path):
    report(measured("7", 1.5), folder=tmp_path)
    first = (tmp_path / "results.md").read_text()
    report(measured("7", 1.5), folder=tmp_path)
    assert (tmp_path / "results.md").read_text() == first == page(tmp_path)


def test_a_rerun_leaves_the_notes_that_people_wrote(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "07.md").write_text("Bound by fsync.\n")
    for value in (1, 2):
        report(measured("7", value), folder=tmp_path)
    assert "Bound by fsync." in (tmp_path / "results.md").read_text()


def test_what_is_not_to_be_kept_is_printed_alone(tmp_path, capsys):
    report(measured("7", 1.5, absolute={"ours": "1.2 s"}), keep=False, folder=tmp_path)
    assert not list(tmp_path.iterdir())
    assert "1.5 (1.35 to 1.65)" in (said := capsys.readouterr().out)
    assert "ours 1.2 s" in said


def test_the_page_tells_command_versions_machine_and_remarks(tmp_path):
    report(measured("7", 1.5, remarks=("The file is in the page cache.",)), folder=tmp_path)
    text = (tmp_path / "results.md").read_text()
    for part in ("python -m benchmarks.ingestion", "Python 3.11", "2 × it", "page cache"):
        assert part in text


def test_what_was_measured_is_read_back_whole(tmp_path):
    one = measured("1b", 1.2, absolute={"ours": "900/s"}, remarks=("So it is.",))
    report(one, folder=tmp_path)
    assert kept(tmp_path) == {"1b": one}


@pytest.mark.parametrize(
    ("number", "value", "verdict"),
    [
        ("1", 0.9, "reached"),
        ("1", 0.45, "missed by 50%"),
        ("1", 0.8999, "missed by less than 1%"),
        ("4", 3, "reached"),
        ("4", 4.5, "missed by 50%"),
    ],
)
def test_a_missed_goal_says_by_how_much(number, value, verdict):
    assert FIGURES[number].verdict(value) == verdict


def test_results_sort_as_the_figures_do():
    names = [figure.file_name for figure in FIGURES.values()]
    assert names == sorted(names)


def test_a_figure_that_nobody_asked_for_is_refused(tmp_path):
    with pytest.raises(KeyError):
        report(measured("99", 1), folder=tmp_path)
