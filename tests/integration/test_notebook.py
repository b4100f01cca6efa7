"""The notebook runs from top to bottom, and shows what it promises."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from jobchurn.contract import JOB_CHANGE
from jobchurn.faults import faults_of

PATH = Path(__file__).parents[2] / "notebooks/error_generation.ipynb"
FAULTS = faults_of(JOB_CHANGE)


def committed():
    return nbformat.read(PATH, as_version=4)


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook with its outputs; an exception in any cell is an error here."""
    folder = tmp_path_factory.mktemp("notebook")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):
            patch.setenv(name, str(folder))
        client = NotebookClient(
            committed(),
            timeout=300,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
        )
        return client.execute()


def shown(cell):
    """What a cell shows: printed text, and its results as HTML, Markdown or text."""
    parts = []
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        parts.append(output.get("text", "") or data.get("text/markdown", ""))
        parts.append(data.get("text/html", ""))
    return "\n".join(parts)


def demonstration(notebook, number):
    (cell,) = [cell for cell in notebook.cells if cell.source == f"show({number})"]
    return shown(cell)


def test_the_notebook_is_committed_without_outputs():
    code = [cell for cell in committed().cells if cell.cell_type == "code"]
    assert code
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


def test_all_eight_errors_are_shown():
    assert [fault.number for fault in FAULTS] == list(range(1, 9))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_error_is_shown_with_the_rule_that_finds_it_and_the_reason(executed, fault):
    text = demonstration(executed, fault.number)
    assert fault.description in text
    assert f"`{fault.column.name}`" in text
    assert f"Found by the rule **{fault.rule}**" in text
    good = 0 if fault.takes_the_column else 3
    assert f"{good} of 4 rows are good." in text


def test_the_report_is_shown(executed):
    assert "Quality report" in shown(executed.cells[-1])


def test_no_cell_complains(executed):
    streams = [o for c in executed.cells for o in c.get("outputs", []) if o.output_type == "stream"]
    assert {output.name for output in streams} == {"stdout"}
