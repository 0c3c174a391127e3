"""The photographs to score on, by split: a folder that prepare_data.py wrote, or photographs with their splits.csv."""

import csv
import dataclasses
import pathlib
import typing as t

import numpy as np
import torch
from numpy.lib.format import open_memmap
from PIL import Image
from torch import Tensor

from ..data import preparation, sources
from ..data.prepared import IMAGES, SPLITS
from .judge import Progress

Pixels = np.ndarray[t.Any, np.dtype[np.uint8]]


@dataclasses.dataclass(frozen=True)
class Photographs:
    """Photographs of one split, read when they are asked for.

    Parameters
    ----------
    names
        Their files, below the folder that was prepared.
    read
        One of them by its place in ``names``: ``(S, S, 3)``, letterboxed on white.
    """

    names: list[str]
    read: t.Callable[[int], Pixels]

    def __len__(self) -> int:
        return len(self.names)

    def folder(self, index: int) -> str:
        """The folder that a photograph lies in."""
        return str(pathlib.PurePosixPath(self.names[index]).parent)

    def tensor(self, indices: t.Sequence[int], progress: Progress = iter) -> Tensor:
        """Some of them, ``(N, 3, S, S)`` in [0, 1]."""
        pixels = np.stack([self.read(index) for index in progress(list(indices))])
        return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous().float() / 255

    def drawn(self, count: int, seed: int) -> list[int]:
        """Places of ``count`` photographs, drawn by the seed; never the first so many, which lie in one folder."""
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        return sorted(order[:count].tolist())


def open_photographs(
    data: pathlib.Path, size: int, splits: pathlib.Path | None = None
) -> t.Callable[[str], Photographs]:
    """Find the photographs; returns those of a split, by its name.

    Parameters
    ----------
    data
        A folder that ``scripts/prepare_data.py`` wrote, or the folder or zip of photographs that it read.
    size
        Side in pixels to score at.
    splits
        The table that says which photograph belongs to which split, if it isn't ``data``'s own ``splits.csv``.

    Raises
    ------
    ValueError
        There is no such data, no table of splits, or one that doesn't fit; prepared images are smaller than ``size``.
    """
    if (data / IMAGES).is_file():
        return _prepared(data, size)
    found = sources.find_sources([data])
    fixed = {source.name: source.split or "" for source in found} if splits is None else _table(splits)
    if splits is None and not any(fixed.values()):
        raise ValueError(f"{data}: no {SPLITS} in it; name the one that prepare_data.py wrote with --splits FILE")
    known = {source.name: source for source in found}
    for name in fixed:
        if name not in known:
            raise ValueError(f"{splits} names {name}, which is not in {data}")

    def split(wanted: str) -> Photographs:
        names = [name for name, its in fixed.items() if its == wanted]

        def read(index: int) -> Pixels:
            return np.asarray(preparation.letterbox(known[names[index]].read(), size))

        return Photographs(names, read)

    return split


def _prepared(folder: pathlib.Path, size: int) -> t.Callable[[str], Photographs]:
    images = open_memmap(folder / IMAGES, mode="r")
    rows = list(_table(folder / SPLITS).items())
    if len(rows) != len(images):
        raise ValueError(f"{folder}: {SPLITS} names {len(rows)} images, {IMAGES} holds {len(images)}")
    side = images.shape[1]
    if side < size:
        raise ValueError(
            f"{folder}: images of {side} px, smaller than the {size} px of the bundle; "
            f"prepare them with --size {size}, or name the photographs themselves"
        )

    def split(wanted: str) -> Photographs:
        chosen = [index for index, (_, its) in enumerate(rows) if its == wanted]

        def read(index: int) -> Pixels:
            pixels: Pixels = np.asarray(images[chosen[index]])
            if side == size:
                return pixels
            picture = Image.fromarray(pixels)
            return np.asarray(picture.resize((size, size), Image.Resampling.LANCZOS))

        return Photographs([rows[index][0] for index in chosen], read)

    return split


def _table(path: pathlib.Path) -> dict[str, str]:
    """Split by file name."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise ValueError(f"{path}: no table of splits ({error.strerror})") from error
    for number, row in enumerate(rows, start=2):
        if row.get("split") not in sources.SPLIT_ORDER or not row.get("file"):
            expected = ", ".join(sources.SPLIT_ORDER)
            raise ValueError(f"{path}, line {number}: {dict(row)}; expected file and split ({expected})")
    return {row["file"]: row["split"] for row in rows}
