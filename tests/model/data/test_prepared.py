import pathlib
import tracemalloc
import types

import numpy as np
import pytest
import torch

from model.data import drawings, prepared
from model.data.batches import ImageData


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The four files of MNIST with 60 drawn digits for training and 12 for testing."""
    folder = tmp_path_factory.mktemp("digits") / "mnist"
    drawings.write_digits(folder, 60, 12)
    return folder


def test_mnist_is_validated_on_training_images_that_are_kept_out_of_training(digits: pathlib.Path) -> None:
    train, val, test = (prepared.open_split(digits, split) for split in ("train", "val", "test"))
    assert [len(images) for images in (train, val, test)] == [50, 10, 12]
    pictures = [{images[row].numpy().tobytes() for row in range(len(images))} for images in (train, val, test)]
    assert not pictures[0] & pictures[1]
    assert not pictures[1] & pictures[2]
    assert val.labels is not None
    assert val.labels.tolist() == [seed % 10 for seed in range(50, 60)]


def test_too_few_digits_for_a_validation_split_are_named(tmp_path: pathlib.Path) -> None:
    drawings.write_digits(tmp_path / "few", 5, 2)
    with pytest.raises(ValueError, match="5 images are too few for a split 'val'"):
        prepared.open_split(tmp_path / "few", "val")


def test_binarised_pixels_are_white_as_often_as_their_grey_level_says() -> None:
    grey = np.repeat(np.array([0, 51, 204, 255], np.uint8), 10_000).reshape(4, 100, 100, 1)
    images = prepared.Images(grey, range(4))
    drawn = prepared.binarised(images, seed=0).__getitems__([0, 1, 2, 3])
    assert set(drawn.unique().tolist()) == {0, 255}
    assert (drawn == 255).float().mean((1, 2, 3)).tolist() == pytest.approx([0, 0.2, 0.8, 1], abs=0.02)
    assert torch.equal(drawn, prepared.binarised(images, seed=0).__getitems__([0, 1, 2, 3]))
    assert not torch.equal(drawn, prepared.binarised(images, seed=1).__getitems__([0, 1, 2, 3]))


def test_training_images_are_binarised_anew_at_each_step_and_validation_images_once(digits: pathlib.Path) -> None:
    data = ImageData(str(digits), flip=False, binarise=True)
    data.setup("fit")
    grey = data.train.__getitems__(range(20))

    def at(step: int) -> torch.Tensor:
        place = types.SimpleNamespace(training=True, world_size=1, global_rank=0, global_step=step)
        place.fit_loop, place.accumulate_grad_batches = types.SimpleNamespace(batch_idx=-1), 1
        data.trainer = place  # type: ignore[assignment]
        return data.on_after_batch_transfer(grey, 0)

    assert set(at(0).unique().tolist()) == {0, 1}
    assert torch.equal(at(0), at(0))
    assert not torch.equal(at(0), at(1))
    mean = torch.stack([at(step) for step in range(200)]).mean(0)
    assert (mean - grey / 255).abs().max() < 0.2
    assert set(data.val.__getitems__(range(10)).unique().tolist()) == {0, 255}


def test_a_missing_split_is_named(request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue("prepared")
    with pytest.raises(ValueError, match="nothing"):
        prepared.open_split(folder, "nothing")  # type: ignore[arg-type]


def test_a_folder_without_prepared_data_says_how_to_make_it(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match="prepare_data"):
        prepared.open_split(tmp_path, "train")


def test_opening_takes_few_bytes_per_image(tmp_path: pathlib.Path) -> None:
    count = 20_000
    np.save(tmp_path / "images.npy", np.zeros((count, 1, 1, 1), np.uint8))
    lines = (f"folder/{number:07}.jpg,{'val' if number % 4 == 0 else 'train'}" for number in range(count))
    (tmp_path / "splits.csv").write_text("\n".join(["file,split", *lines]) + "\n")
    tracemalloc.start()
    try:
        images = prepared.open_split(tmp_path, "train")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(images) == 15_000
    assert images.rows[:4].tolist() == [1, 2, 3, 5]
    assert set(images.folders) == {"folder"}
    assert most < 64 * count


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,split\n1.png,train\n", "columns .*'name', 'split'.*; expected file and split"),
        ("", r"columns \[\]; expected file and split"),
        ("file,split\n1.png\n", "1 values in line 2, 2 columns"),
        ("file,split\n1.png,train\n2.png,train\n", "names 2 images, images.npy holds 1"),
        ("file,split\n1.png,test\n", "no image in split 'train'"),
    ],
)
def test_splits_that_do_not_fit_are_named(text: str, message: str, tmp_path: pathlib.Path) -> None:
    np.save(tmp_path / "images.npy", np.zeros((1, 1, 1, 1), np.uint8))
    (tmp_path / "splits.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        prepared.open_split(tmp_path, "train")
