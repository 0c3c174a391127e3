import pathlib

import numpy as np
import pytest
import torch

from model.data import batches
from model.data.prepared import Images, open_split


def test_batches_come_in_an_order_that_depends_on_the_epoch_only(prepared: pathlib.Path) -> None:
    images = open_split(prepared, "train")
    batch = images.__getitems__([2, 0])
    assert batch.shape == (2, 3, 32, 32)
    assert torch.equal(batch[1], images[0])


def test_balance_draws_small_folders_as_often_as_large_ones(prepared: pathlib.Path) -> None:
    images = open_split(prepared, "train")
    few = [row for row, folder in enumerate(images.folders) if folder == "wide"][:3]
    kept = [row for row, folder in enumerate(images.folders) if folder == "tall" or row in few]
    images = images.only(np.array(kept))
    drawn = [row for epoch in range(60) for row in sampled(images, epoch)]
    share = sum(images.folders[row] == "wide" for row in drawn) / len(drawn)
    assert share == pytest.approx(0.5, abs=0.06)


def sampled(images: Images, epoch: int) -> list[int]:
    sampler = batches.BalancedSampler(images, 1.0, 1, 0, seed=0)
    sampler.set_epoch(epoch)
    assert list(sampler) == list(sampler)
    return list(sampler)


def test_the_second_epoch_of_one_seed_is_not_the_first_of_the_next(prepared: pathlib.Path) -> None:
    images = open_split(prepared, "train")
    one, other = (batches.BalancedSampler(images, 1.0, 1, 0, seed) for seed in (0, 1))
    one.set_epoch(1)
    assert list(one) != list(other)
