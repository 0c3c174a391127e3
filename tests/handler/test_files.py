from pathlib import Path

import pytest

from handler import files


def test_a_file_has_its_name_when_it_is_complete(tmp_path: Path) -> None:
    with files.whole(tmp_path / "car.png") as file:
        file.write(b"pixels")
        assert not (tmp_path / "car.png").exists()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"pixels"]


def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "car.png").write_bytes(b"before")

    def stopped_half_way() -> None:
        with files.whole(tmp_path / "car.png") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped_half_way()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"before"]


def test_two_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    with files.whole(tmp_path / "car.png") as first, files.whole(tmp_path / "car.png") as second:
        first.write(b"first")
        second.write(b"second")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"first"]
