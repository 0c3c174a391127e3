"""Prepared photographs or MNIST, and the batches that training takes from them."""

import array
import csv
import gzip
import pathlib
import shutil
import sys
import tempfile
import typing as t

import numpy as np
import torch
from numpy.lib.format import open_memmap
from torch import Tensor
from torch.utils.data import Dataset

IMAGES = "images.npy"
SPLITS = "splits.csv"
Split = t.Literal["train", "val", "test"]

#: Images and labels. MNIST has no validation split: the last sixth of its training images, 10,000, is one here.
MNIST_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


class Images(Dataset[Tensor]):
    """One split: rows of an array of uint8 images ``(N, S, S, C)``.

    Items are tensors ``(C, S, S)``, batches ``(N, C, S, S)``; ``labels`` are the classes and ``folders`` the first
    folder of each image's file, empty for a file in none, where there are any.
    """

    def __init__(self, images: np.ndarray[t.Any, np.dtype[np.uint8]], rows: t.Sequence[int], limit: int = 0) -> None:
        self.images, self.rows = images, np.array(rows[: limit or None])
        self.labels: Tensor | None = None
        self.folders: list[str] = []

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Tensor:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: t.Sequence[int]) -> Tensor:
        """A whole batch at once: one fancy index instead of N small copies."""
        return torch.from_numpy(np.ascontiguousarray(self.images[self.rows[indices]])).permute(0, 3, 1, 2)

    def only(self, indices: np.ndarray[t.Any, np.dtype[np.int64]]) -> "Images":
        """The images at these indices, in this order, with their labels and folders."""
        some = Images(self.images, self.rows[indices])
        some.labels = self.labels[torch.from_numpy(indices)] if self.labels is not None else None
        some.folders = [self.folders[index] for index in indices] if self.folders else []
        return some


def open_split(folder: pathlib.Path, split: Split, limit: int = 0) -> Images:
    """Open a folder that ``scripts/prepare_data.py`` wrote, or one with the four MNIST files.

    Parameters
    ----------
    limit
        Keep only the first so many images; 0 keeps all.

    Raises
    ------
    ValueError
        The folder holds neither, or no image of this split.
    """
    if any(folder.glob(f"{MNIST_FILES['train'][0]}*")):
        return _mnist(folder, split, limit)
    return _prepared(folder, split, limit)


def _mnist(folder: pathlib.Path, split: Split, limit: int) -> Images:
    from torchvision.datasets.mnist import read_image_file, read_label_file

    pictures, names = (folder / name for name in MNIST_FILES["test" if split == "test" else "train"])
    try:
        pixels = _unzipped(pictures, read_image_file).unsqueeze(3).numpy()
        labels = _unzipped(names, read_label_file)
    except (OSError, EOFError, ValueError, AssertionError) as error:
        raise ValueError(f"{folder}: no readable MNIST files ({error})") from error
    first = len(pixels) - len(pixels) // 6
    parts = {"train": range(first), "val": range(first, len(pixels)), "test": range(len(pixels))}
    if not parts[split]:
        raise ValueError(f"{pictures}: {len(pixels)} images are too few for a split {split!r}")
    images = Images(pixels, parts[split], limit)
    images.labels = labels[torch.from_numpy(images.rows)]
    return images


def _unzipped(path: pathlib.Path, read: t.Callable[[str], Tensor]) -> Tensor:
    """Read an idx file, or the .gz that it is published as, which torchvision's reader does not open."""
    if path.exists():
        return read(str(path))
    with tempfile.NamedTemporaryFile() as plain, gzip.open(f"{path}.gz") as packed:
        shutil.copyfileobj(packed, plain)
        plain.flush()
        return read(plain.name)


def _prepared(folder: pathlib.Path, split: Split, limit: int) -> Images:
    try:
        pixels = open_memmap(folder / IMAGES, mode="r")
        count, chosen, folders = _read_splits(folder / SPLITS, split)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{folder}: no prepared data ({error}); make it with scripts/prepare_data.py SOURCE {folder}"
        ) from error
    if count != len(pixels):
        raise ValueError(f"{folder}: {SPLITS} names {count} images, {IMAGES} holds {len(pixels)}")
    if not chosen:
        raise ValueError(f"{folder / SPLITS}: no image in split {split!r}")
    images = Images(pixels, chosen, limit)
    images.folders = folders[: len(images)]
    return images


def _read_splits(path: pathlib.Path, split: Split) -> tuple[int, t.Sequence[int], list[str]]:
    """How many images a splits.csv names, which rows are of a split, and the first folder of each of these.

    The file is read row by row: a million rows in a list of dictionaries would take several hundred megabytes.
    """
    count, rows, folders = 0, array.array("q"), []
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        if not {"file", "split"} <= set(header):
            raise ValueError(f"{path}: columns {header}; expected file and split")
        name, kind = header.index("file"), header.index("split")
        for count, row in enumerate(reader, 1):
            if len(row) != len(header):
                raise ValueError(f"{path}: {len(row)} values in line {reader.line_num}, {len(header)} columns")
            if row[kind] == split:
                rows.append(count - 1)
                first, slash, _ = row[name].partition("/")
                folders.append(sys.intern(first) if slash else "")  # few folders, each kept once
    return count, rows, folders


def binarised(images: Images, seed: int) -> Images:
    """The same images with each pixel black or white, white with the probability of its grey level (Burda et al. 2016).

    Drawn once: an image is the same whenever it is looked at.
    """
    grey = images.images[images.rows]
    levels = torch.rand(grey.shape, generator=torch.Generator().manual_seed(seed)).numpy()
    drawn = Images(np.where(levels * 255 < grey, 255, 0).astype(np.uint8), range(len(grey)))
    drawn.labels, drawn.folders = images.labels, images.folders
    return drawn


def in_batches(images: Images, size: int) -> t.Iterator[Tensor]:
    """All images in their order as `as_float` makes them, at most ``size`` at a time."""
    for start in range(0, len(images), size):
        yield as_float(images.__getitems__(range(start, min(start + size, len(images)))))


def as_float(images: Tensor) -> Tensor:
    """Uint8 images to float32 in [0, 1], channels last, which convolutions on a CPU are fastest with."""
    return (images.float() / 255).contiguous(memory_format=torch.channels_last)


def step_generator(seed: int, step: int, purpose: int, part: int = 0) -> torch.Generator:
    """Random numbers of one step: they depend on (seed, step, purpose, part) alone, and no two of these share them.

    ``part`` counts the batches whose gradients are accumulated for the step. No running generator is carried from
    step to step, so a resumed run draws what the unbroken one would have drawn.
    """
    key = (step, purpose, part) if part else (step, purpose)
    words = np.random.SeedSequence(seed, spawn_key=key).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(words[0]) >> 1)
