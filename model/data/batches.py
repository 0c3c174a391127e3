"""Batches of prepared images, and their order; apart from `model.data.prepared`, which needs no Lightning."""

import collections
import pathlib
import typing as t

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader, DistributedSampler

from . import backgrounds
from .prepared import Images, as_float, binarised, open_split, step_generator


class BalancedSampler(DistributedSampler[Tensor]):
    """Draw images with replacement, so that small folders come up more often than by their size.

    A folder of n images is drawn in proportion to n^(1 - ``balance``): 0 is by size, 1 all folders alike (the
    exponent of Lample and Conneau 2019 for languages).
    """

    def __init__(self, images: Images, balance: float, processes: int, rank: int, seed: int) -> None:
        super().__init__(images, processes, rank, seed=seed)
        sizes = collections.Counter(images.folders)
        self.weights = torch.tensor([sizes[folder] ** -balance for folder in images.folders])

    def __iter__(self) -> t.Iterator[t.Any]:
        generator = step_generator(self.seed, self.epoch, 2)
        drawn = torch.multinomial(self.weights, self.total_size, replacement=True, generator=generator)
        return iter(drawn[self.rank :: self.num_replicas].tolist())


class ImageData(L.LightningDataModule):
    """Batches of images in [0, 1], in an order that depends on (seed, epoch) only, so that a run can resume.

    Parameters
    ----------
    folder
        Prepared data, or the four MNIST files (`open_split`).
    batch_size
        Images per process and step.
    flip
        Mirror half of the training images, chosen anew each step.
    balance
        Above 0, draw small folders of photographs more often: see `BalancedSampler`.
    limit
        Use only the first so many images of each split; 0 uses all.
    plainest
        Train only on the so many images with the plainest backgrounds (`.backgrounds`); 0 trains on all.
    binarise
        Make each pixel black or white at random, white with the probability of its grey level: anew at each step for
        training images, once for validation images.
    seed
        Seeds order, flips and binarised pixels.
    """

    def __init__(
        self,
        folder: str,
        batch_size: int = 64,
        flip: bool = True,
        balance: float = 0.0,
        limit: int = 0,
        plainest: int = 0,
        binarise: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise ValueError(f"data.batch_size: {batch_size} is not at least 1")
        for name, count in (("limit", limit), ("plainest", plainest)):
            if count < 0:
                raise ValueError(f"data.{name}: {count} is negative")
        if not 0 <= balance <= 1:
            raise ValueError(f"data.balance: {balance} is not within 0 and 1")
        self.save_hyperparameters()
        self.folder, self.batch_size, self.flip, self.balance = pathlib.Path(folder), batch_size, flip, balance
        self.limit, self.plainest, self.binarise, self.seed = limit, plainest, binarise, seed

    def setup(self, stage: str) -> None:
        self.train, self.val = (open_split(self.folder, split, self.limit) for split in ("train", "val"))
        if self.plainest:
            self.train = backgrounds.plainest(self.train, self.plainest)
        if self.binarise:
            self.val = binarised(self.val, self.seed)

    def train_dataloader(self) -> DataLoader[Tensor]:
        trainer = t.cast(L.Trainer, self.trainer)
        processes, rank = trainer.world_size, trainer.global_rank
        sampler: DistributedSampler[Tensor] = DistributedSampler(self.train, processes, rank, seed=self.seed)
        if self.balance and self.train.folders:
            sampler = BalancedSampler(self.train, self.balance, processes, rank, self.seed)
        # The last, smaller batch is dropped: batch norm over a handful of images would unsettle its averages.
        drop_last = len(self.train) >= self.batch_size * trainer.world_size
        return DataLoader(self.train, self.batch_size, sampler=sampler, collate_fn=_as_is, drop_last=drop_last)

    def val_dataloader(self) -> DataLoader[Tensor]:
        return DataLoader(self.val, self.batch_size, collate_fn=_as_is)

    def on_after_batch_transfer(self, batch: Tensor, dataloader_idx: int) -> Tensor:
        trainer = t.cast(L.Trainer, self.trainer)
        if (self.flip or self.binarise) and trainer.training:
            # Lightning's index is still that of the previous batch.
            part = (trainer.fit_loop.batch_idx + 1) % trainer.accumulate_grad_batches
            generator = step_generator(self.seed, trainer.global_step, 1, part)
            # Drawn for all processes together, and each takes its rows, so the number of processes changes no result.
            whole, mine = trainer.world_size * len(batch), slice(trainer.global_rank, None, trainer.world_size)
            if self.flip:
                mirrored = torch.rand(whole, generator=generator)[mine] < 0.5
                batch = torch.where(mirrored[:, None, None, None].to(batch.device), batch.flip(3), batch)
            if self.binarise:
                levels = torch.rand(whole, *batch.shape[1:], generator=generator)[mine].to(batch.device)
                batch = 255 * (levels * 255 < batch).to(torch.uint8)
        return as_float(batch)


def _as_is(batch: t.Any) -> t.Any:
    return batch
