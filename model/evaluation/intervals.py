"""How much a score depends on the choice of images: bootstrap confidence intervals (Efron 1979)."""

import dataclasses

import torch
from torch import Tensor


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A score and half the width of its 95 % interval."""

    value: float
    interval: float


def mean(values: Tensor, resamples: int = 1000, seed: int = 0) -> Estimate:
    """Mean of one score per image, ``(N,)``, with the interval that resampled images give."""
    chosen = resampled(len(values), resamples, seed)
    return Estimate(float(values.float().mean()), half_width(values.float()[chosen].mean(1)))


def resampled(count: int, resamples: int, seed: int) -> Tensor:
    """Indices of ``resamples`` sets of ``count`` images, drawn with replacement, ``(R, N)``."""
    return torch.randint(count, (resamples, count), generator=torch.Generator().manual_seed(seed))


def half_width(scores: Tensor) -> float:
    """Half the distance between the 2.5th and the 97.5th percentile of the scores of resampled sets, ``(R,)``."""
    low, high = torch.quantile(scores, torch.tensor([0.025, 0.975], dtype=scores.dtype))
    return float(high - low) / 2
