import asyncio
import concurrent.futures
import pathlib

import nbclient
import nbformat
import pytest

NOTEBOOK = pathlib.Path(__file__).resolve().parents[2] / "notebooks" / "train.ipynb"


@pytest.fixture
def temporary_folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """Where the notebook's own temporary folder goes."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_the_notebook_runs_from_top_to_bottom(temporary_folder: pathlib.Path) -> None:
    notebook = nbformat.read(NOTEBOOK, 4)
    client = nbclient.NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(NOTEBOOK.parent)}})
    # In a thread of its own: the browser tests leave an event loop running in this one.
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, client.async_execute()).result()
    (work,) = temporary_folder.glob("carvae-*")
    assert (work / "run" / "report" / "report.html").is_file()
    assert (work / "bundle" / "manifest.json").is_file()


def test_the_notebook_is_committed_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, 4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
