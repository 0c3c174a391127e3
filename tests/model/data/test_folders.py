import pathlib

import pytest

from model.data import folders


def write_half(out: pathlib.Path) -> None:
    with folders.written_whole(out) as work:
        (work / "new").write_text("half")
        raise RuntimeError("half-way")


def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path: pathlib.Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "old").write_text("kept")
    with pytest.raises(RuntimeError, match="half-way"):
        write_half(out)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (out / "old").read_text() == "kept"


def test_a_whole_folder_takes_the_place(tmp_path: pathlib.Path) -> None:
    out = tmp_path / "deep" / "out"
    for content in ("first", "second"):
        with folders.written_whole(out) as work:
            (work / content).touch()
    assert [path.name for path in out.iterdir()] == ["second"]
