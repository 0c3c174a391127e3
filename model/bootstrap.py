"""How far a score may be off for the choice of images: intervals by resampling them (Efron 1979)."""

import dataclasses

import torch
from torch import Tensor


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A score and half the width of its 95 % interval."""

    value: float
    interval: float

    def __str__(self) -> str:
        return f"{self.value:.2f} ± {self.interval:.2f}"


def mean(values: Tensor, resamples: int = 1000, seed: int = 0) -> Estimate:
    """Mean of a score an image, ``(N,)``, with the interval that resampled images give."""
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randint(len(values), (resamples, len(values)), generator=generator)
    return Estimate(float(values.float().mean()), half_width(values.float()[chosen].mean(1)))


def half_width(scores: Tensor) -> float:
    """Half the distance between the 2.5th and the 97.5th percentile of the scores of resampled sets, ``(R,)``."""
    low, high = torch.quantile(scores, torch.tensor([0.025, 0.975]))
    return float(high - low) / 2
