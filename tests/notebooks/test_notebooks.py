"""The notebooks run from top to bottom, and are committed with what they show."""

import asyncio
import concurrent.futures
import pathlib
import re

import nbclient
import nbformat
import pytest

NOTEBOOKS = pathlib.Path(__file__).resolve().parents[2] / "notebooks"
NAMES = sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))


@pytest.fixture
def temporary_folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """Where a notebook's own temporary folder goes."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def run(name: str) -> nbformat.NotebookNode:
    """Execute a notebook in a process of its own; a cell that fails is an error."""
    notebook = nbformat.read(NOTEBOOKS / name, 4)
    client = nbclient.NotebookClient(notebook, timeout=500, resources={"metadata": {"path": str(NOTEBOOKS)}})
    # In a thread of its own: the browser tests leave an event loop running in this one.
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, client.async_execute()).result()
    return notebook


def shown(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def texts(notebook: nbformat.NotebookNode) -> str:
    """What is shown as text."""
    return "\n".join(
        str(each.get("text", "")) + str(each.get("data", {}).get("text/plain", "")) for each in shown(notebook)
    )


def test_training_runs_from_top_to_bottom(temporary_folder: pathlib.Path) -> None:
    run("train.ipynb")
    (work,) = temporary_folder.glob("carvae-*")
    assert (work / "run" / "report" / "report.html").is_file()
    assert (work / "bundle" / "manifest.json").is_file()


def test_exploring_runs_from_top_to_bottom_and_shows_cars() -> None:
    said = texts(run("explore.ipynb"))
    recognised = re.search(r"random cars: (\d+) of 16 recognised", said)
    assert recognised is not None
    assert int(recognised[1]) > 8


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_committed_with_its_outputs_and_no_path_of_a_machine(name: str) -> None:
    notebook = nbformat.read(NOTEBOOKS / name, 4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert sum(any("image/" in kind for kind in each.get("data", {})) for each in shown(notebook)) >= 5
    assert not [each for each in shown(notebook) if each.output_type == "error" or each.get("name") == "stderr"]
    assert re.findall(r"(?:/|\\)(?:tmp|home|root|work|Users|var|opt)\b.*", texts(notebook)) == []
    assert (NOTEBOOKS / name).stat().st_size < 1_000_000
