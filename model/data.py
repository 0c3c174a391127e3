"""Prepared images, and the batches that training takes from them."""

import csv
import pathlib
import typing as t

import lightning as L
import numpy as np
import torch
from numpy.lib.format import open_memmap
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler

IMAGES = "images.npy"
SPLITS = "splits.csv"
Split = t.Literal["train", "val", "test"]


class PreparedImages(Dataset[Tensor]):
    """One split of a folder that ``scripts/prepare_data.py`` wrote.

    Items are uint8 tensors ``(C, S, S)``, batches ``(N, C, S, S)``; `files` names them in the same order.

    Raises
    ------
    ValueError
        The folder holds no prepared data, or none of this split.
    """

    def __init__(self, folder: pathlib.Path, split: Split) -> None:
        try:
            self.images: np.memmap[t.Any, np.dtype[np.uint8]] = open_memmap(folder / IMAGES, mode="r")
            with (folder / SPLITS).open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
        except (OSError, ValueError) as error:
            raise ValueError(
                f"{folder}: no prepared data ({error}); make it with scripts/prepare_data.py SOURCE {folder}"
            ) from error
        if len(rows) != len(self.images):
            raise ValueError(f"{folder}: {SPLITS} names {len(rows)} images, {IMAGES} holds {len(self.images)}")
        chosen = [index for index, row in enumerate(rows) if row["split"] == split]
        if not chosen:
            raise ValueError(f"{folder / SPLITS}: no image in split {split!r}")
        self.rows = np.array(chosen)
        self.files = [rows[index]["file"] for index in chosen]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Tensor:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: list[int]) -> Tensor:
        """A whole batch at once: one fancy index instead of N small copies."""
        batch = np.ascontiguousarray(self.images[self.rows[indices]])
        return torch.from_numpy(batch).permute(0, 3, 1, 2)


def as_float(images: Tensor) -> Tensor:
    """Uint8 images to float32 in [0, 1], channels last, which convolutions on a CPU are fastest with."""
    return (images.float() / 255).contiguous(memory_format=torch.channels_last)


class ImageData(L.LightningDataModule):
    """Batches of prepared images, in an order that depends on (seed, epoch) only, so that a run can resume.

    Parameters
    ----------
    folder
        What ``scripts/prepare_data.py`` wrote.
    batch_size
        Images a process and step.
    limit
        Use only the first so many images of each split; 0 uses all.
    seed
        Seeds the order.
    """

    def __init__(self, folder: str, batch_size: int = 64, limit: int = 0, seed: int = 0) -> None:
        super().__init__()
        if batch_size < 1:
            raise ValueError(f"data.batch_size: {batch_size} is not at least 1")
        self.save_hyperparameters()
        self.folder, self.batch_size, self.limit, self.seed = pathlib.Path(folder), batch_size, limit, seed

    def setup(self, stage: str) -> None:
        self.train, self.val = self.split("train"), self.split("val")

    def split(self, split: Split) -> PreparedImages:
        """One split, cut to `limit`."""
        images = PreparedImages(self.folder, split)
        if self.limit:
            images.rows, images.files = images.rows[: self.limit], images.files[: self.limit]
        return images

    def train_dataloader(self) -> DataLoader[Tensor]:
        trainer = t.cast(L.Trainer, self.trainer)
        sampler: DistributedSampler[Tensor] = DistributedSampler(
            self.train, trainer.world_size, trainer.global_rank, shuffle=True, seed=self.seed
        )
        # The last, smaller batch is dropped: batch norm over a handful of images would unsettle its averages.
        drop_last = len(self.train) >= self.batch_size * trainer.world_size
        return DataLoader(self.train, self.batch_size, sampler=sampler, collate_fn=_as_is, drop_last=drop_last)

    def val_dataloader(self) -> DataLoader[Tensor]:
        return DataLoader(self.val, self.batch_size, collate_fn=_as_is)


def _as_is(batch: t.Any) -> t.Any:
    return batch
