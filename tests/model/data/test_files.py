import pathlib

import pytest

from model.data import files


def write_half(out: pathlib.Path) -> None:
    with files.whole_folder(out) as work:
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
        with files.whole_folder(out) as work:
            (work / content).touch()
    assert [path.name for path in out.iterdir()] == ["second"]


def test_a_whole_file_takes_the_place_under_a_name_of_the_same_kind(tmp_path: pathlib.Path) -> None:
    with files.whole(tmp_path / "cars.png") as unfinished:
        assert unfinished.suffix == ".png"
        unfinished.write_text("cars")
        assert not (tmp_path / "cars.png").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["cars.png"]


def test_a_file_half_written_is_not_left(tmp_path: pathlib.Path) -> None:
    (tmp_path / "cars.png").write_text("old")

    def broken() -> None:
        with files.whole(tmp_path / "cars.png") as unfinished:
            unfinished.write_text("ha")
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        broken()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]
