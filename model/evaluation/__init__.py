"""The protocol of `docs/evaluation.md`: which sets are compared with which, and the floor beside every distance."""

import dataclasses
import typing as t

import torch
from torch import Tensor

from .. import generation
from .intervals import Estimate

#: A path shows this many steps between its two cars.
STEPS = 16

Interpolate = t.Callable[[Tensor, Tensor, float], Tensor]
Decode = t.Callable[[Tensor], Tensor]


@dataclasses.dataclass(frozen=True)
class Distances:
    """One set against real images it should resemble.

    Parameters
    ----------
    sliced_wasserstein
        Mean over the levels of the pyramid, times 1,000.
    levels
        The same, a number a level, finest first.
    precision, recall, density, coverage
        See `generation.Neighbourhood`, in the fixed feature space.
    ms_ssim
        Mean between random pairs of the set: lower is more diverse.
    """

    images: int
    sliced_wasserstein: Estimate
    levels: list[float]
    precision: Estimate
    recall: Estimate
    density: Estimate
    coverage: Estimate
    ms_ssim: Estimate


def compare(images: Tensor, real: Tensor, real_features: Tensor) -> Distances:
    """Compare ``(N, C, S, S)`` images with real ones, whose `generation.features` are given as well."""
    levels = generation.sliced_wasserstein(images, real)
    near = generation.neighbourhood(real_features, generation.features(images))
    return Distances(
        images=len(images),
        sliced_wasserstein=Estimate(sum(levels) / len(levels), generation.sliced_wasserstein_interval(images, real)),
        levels=levels,
        precision=near.precision,
        recall=near.recall,
        density=near.density,
        coverage=near.coverage,
        ms_ssim=generation.diversity(images),
    )


@dataclasses.dataclass(frozen=True)
class Interpolation:
    """How evenly paths between two cars go, and whether they morph or only fade.

    Parameters
    ----------
    largest_jump
        Largest step of any path over that path's median step, in mean absolute change of pixels.
    jumps
        Share of paths with a step above 3 times their median.
    from_cross_fade
        Mean absolute difference of the decoded midpoints from the pixel average of their ends; 0 is a cross-fade.
    midpoints
        The midpoints against real cars.
    """

    largest_jump: float
    jumps: float
    from_cross_fade: float
    midpoints: Distances


def interpolation(
    start: Tensor, end: Tensor, decode: Decode, between: Interpolate, real: Tensor, real_features: Tensor
) -> Interpolation:
    """Decode the paths between codes ``(N, D)`` and score them."""
    ratios, fades, middles = [], [], []
    for one, other in zip(start.unsqueeze(1).unbind(), end.unsqueeze(1).unbind(), strict=True):
        path = decode(torch.cat([between(one, other, step / STEPS) for step in range(STEPS + 1)]))
        change = path.diff(dim=0).abs().mean((1, 2, 3))
        ratios.append(float(change.max() / change.median().clamp(min=1e-9)))
        middle = path[STEPS // 2]
        fades.append(float((middle - (path[0] + path[-1]) / 2).abs().mean()))
        middles.append(middle)
    return Interpolation(
        largest_jump=max(ratios),
        jumps=sum(ratio > 3 for ratio in ratios) / len(ratios),
        from_cross_fade=sum(fades) / len(fades),
        midpoints=compare(torch.stack(middles), real, real_features),
    )


def nearest(images: Tensor, real: Tensor) -> Tensor:
    """Index of the nearest real image in the fixed feature space for each image, ``(N,)``."""
    return torch.cdist(generation.features(images), generation.features(real)).argmin(1)
