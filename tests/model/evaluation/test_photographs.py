import pathlib
import shutil

import numpy as np
import pytest
import torch

from model.evaluation.photographs import open_photographs


def test_photographs_and_what_was_prepared_of_them_are_the_same_pictures(
    photographs: pathlib.Path, prepared: pathlib.Path
) -> None:
    one, other = (open_photographs(data, 32)("test") for data in (photographs, prepared))
    names = set(one.names) & set(other.names)
    assert len(names) >= 6
    for name in names:
        assert np.array_equal(one.read(one.names.index(name)), other.read(other.names.index(name)))


def test_photographs_take_the_table_that_prepare_data_wrote(
    photographs: pathlib.Path, prepared: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    bare = shutil.copytree(photographs, tmp_path / "bare", ignore=shutil.ignore_patterns("splits.csv"))
    with pytest.raises(ValueError, match=r"no splits.csv in it; name the one that prepare_data.py wrote with --splits"):
        open_photographs(bare, 32)
    named = open_photographs(bare, 32, prepared / "splits.csv")
    shutil.copy(prepared / "splits.csv", bare)
    beside = open_photographs(bare, 32)
    for split in ("train", "val", "test"):
        assert named(split).names == beside(split).names == open_photographs(prepared, 32)(split).names
    assert named("test").tensor([0, 1]).shape == (2, 3, 32, 32)


def test_a_zip_of_photographs_takes_the_table_too(
    photographs: pathlib.Path, prepared: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    archive = shutil.make_archive(str(tmp_path / "cars"), "zip", photographs)
    found = open_photographs(pathlib.Path(archive), 32, prepared / "splits.csv")("val")
    assert torch.equal(found.tensor([0]), open_photographs(prepared, 32)("val").tensor([0]))


def test_larger_prepared_images_are_made_smaller(prepared: pathlib.Path) -> None:
    assert open_photographs(prepared, 16)("val").tensor([0]).shape == (1, 3, 16, 16)


def test_drawn_photographs_are_of_all_folders_and_the_seed_says_which(photographs: pathlib.Path) -> None:
    split = open_photographs(photographs, 32)("train")
    some = split.drawn(12, seed=7)
    assert some == split.drawn(12, seed=7) != split.drawn(12, seed=8)
    assert {split.folder(index) for index in some} == {"wide", "tall"}
    assert len(set(some)) == 12


def test_what_does_not_fit_is_named(photographs: pathlib.Path, prepared: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match="images of 32 px, smaller than the 128 px of the bundle; prepare them with"):
        open_photographs(prepared, 128)
    with pytest.raises(ValueError, match="nowhere: no such folder"):
        open_photographs(tmp_path / "nowhere", 32)
    table = tmp_path / "splits.csv"
    with pytest.raises(ValueError, match=r"splits.csv: no table of splits \(No such file"):
        open_photographs(photographs, 32, table)
    table.write_text("file,split\nwide/01.png,practice\n")
    with pytest.raises(ValueError, match=r"splits.csv, line 2: .*practice"):
        open_photographs(photographs, 32, table)
    table.write_text("file,split\nwide/none.png,test\n")
    with pytest.raises(ValueError, match=r"splits.csv names wide/none.png, which is not in"):
        open_photographs(photographs, 32, table)
