"""Distances between two sets of pictures, from the features that a network takes of them.

torchmetrics works them out; the features are handed over, so that the network sees each picture once. Intervals are by
resampling the pictures of both sets.
"""

import typing as t
import warnings

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance, poly_kernel

from . import intervals
from .intervals import Estimate

#: A resampled Fréchet distance takes a tenth of a second.
FRECHET_RESAMPLES = 20


class Given(nn.Identity):
    """Features in place of pictures."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features


def kernel_distance(real: Tensor, generated: Tensor, seed: int = 0) -> float:
    """Kernel distance (KID, Bińkowski et al. 2018) between features ``(N, F)`` and ``(M, F)``.

    It is unbiased, so two sets of one distribution have about 0, or a little less. One subset holds all pictures; of
    the larger set as many are drawn, by the seed, as the smaller has.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Metric `Kernel Inception Distance` will save", UserWarning)
        metric = KernelInceptionDistance(Given(real.shape[1]), subsets=1, subset_size=min(len(real), len(generated)))
    metric.update(real.double(), real=True)
    metric.update(generated.double(), real=False)
    with torch.random.fork_rng(devices=[]):  # torchmetrics draws from the global generator
        torch.default_generator.manual_seed(seed)
        return float(metric.compute()[0])


def kernel(real: Tensor, generated: Tensor) -> Estimate:
    """`kernel_distance` times 1,000, with its interval."""
    real, generated = real.double(), generated.double()
    w, v = (_counts(len(features), 1000, seed) for seed, features in enumerate((real, generated)))
    scores = (
        _mean_pair(poly_kernel(real, real), w)
        + _mean_pair(poly_kernel(generated, generated), v)
        - 2 * ((w @ poly_kernel(real, generated)) * v).sum(1) / (len(real) * len(generated))
    )
    return Estimate(1000 * kernel_distance(real, generated), 1000 * intervals.half_width(scores))


def _counts(count: int, resamples: int, seed: int) -> Tensor:
    """How often each picture comes up in each resampled set, ``(R, N)``."""
    drawn = intervals.resampled(count, resamples, seed)
    return torch.zeros(resamples, count, dtype=torch.float64).scatter_add_(
        1, drawn, torch.ones_like(drawn, dtype=torch.float64)
    )


def _mean_pair(similarity: Tensor, counts: Tensor) -> Tensor:
    """Mean similarity ``(N, N)`` of two different pictures of each resampled set, ``(R,)``.

    A picture that is drawn twice is no pair: its similarity to itself would make each resampled set look narrower.
    """
    similarity = similarity.clone().fill_diagonal_(0)
    pairs = counts.sum(1) ** 2 - counts.square().sum(1)
    return ((counts @ similarity) * counts).sum(1) / pairs


def frechet(real: Tensor, generated: Tensor) -> Estimate:
    """Fréchet distance (FID, Heusel et al. 2017) between features ``(N, F)`` and ``(M, F)``.

    It is larger for smaller sets, so only sets of equal size compare.
    """
    metric = FrechetInceptionDistance(Given(real.shape[1]))
    metric.update(real, real=True)
    metric.update(generated, real=False)
    first, second = (
        intervals.resampled(len(features), FRECHET_RESAMPLES, seed) for seed, features in enumerate((real, generated))
    )
    scores = [frechet_of_few(real[a], generated[b]) for a, b in zip(first, second, strict=True)]
    return Estimate(float(metric.compute()), intervals.half_width(torch.stack(scores)))


def frechet_of_few(real: Tensor, generated: Tensor) -> Tensor:
    """The Fréchet distance of sets with fewer pictures than features, in a twentieth of the time.

    The trace of the root of the product of two covariances is the sum of the singular values of an N x M matrix.
    """
    real, generated = real.double(), generated.double()
    means = real.mean(0), generated.mean(0)
    a, b = ((x - mean) / (len(x) - 1) ** 0.5 for x, mean in zip((real, generated), means, strict=True))
    root = torch.linalg.svdvals(a @ b.T).sum()
    return t.cast(Tensor, (means[0] - means[1]).square().sum() + a.square().sum() + b.square().sum() - 2 * root)
