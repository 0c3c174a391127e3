"""Paths between two cars: how evenly they go, and whether they morph or only fade."""

import dataclasses
import typing as t

import torch
from torch import Tensor

#: A path has this many steps.
STEPS = 16

#: From one code ``(1, D)`` to another by a share of the way.
Interpolate = t.Callable[[Tensor, Tensor, float], Tensor]
Decode = t.Callable[[Tensor], Tensor]


@dataclasses.dataclass(frozen=True)
class Paths:
    """Scores of a set of paths.

    Parameters
    ----------
    paths
        How many.
    largest_jump
        Largest step of any path over that path's median step, in mean absolute change of pixels.
    jumps
        Share of paths with a step above 3 times their median.
    from_cross_fade
        Mean absolute difference of the decoded midpoints from the pixel average of their ends; 0 is a cross-fade.
    """

    paths: int
    largest_jump: float
    jumps: float
    from_cross_fade: float


def midpoints(start: Tensor, end: Tensor, between: Interpolate) -> Tensor:
    """Codes halfway between two sets of codes, ``(N, D)`` each."""
    pairs = zip(torch.split(start, 1), torch.split(end, 1), strict=True)
    return torch.cat([between(one, other, 0.5) for one, other in pairs])


def paths(
    start: Tensor,
    end: Tensor,
    between: Interpolate,
    decode: Decode,
    progress: t.Callable[[t.Sequence[t.Any]], t.Iterable[t.Any]] = iter,
) -> Paths:
    """Decode the paths between codes ``(N, D)`` and score them."""
    ratios, fades = [], []
    for one, other in progress(list(zip(torch.split(start, 1), torch.split(end, 1), strict=True))):
        path = decode(torch.cat([between(one, other, step / STEPS) for step in range(STEPS + 1)]))
        change = path.diff(dim=0).abs().mean((1, 2, 3))
        ratios.append(float(change.max() / change.median().clamp(min=1e-9)))
        fades.append(float((path[STEPS // 2] - (path[0] + path[-1]) / 2).abs().mean()))
    return Paths(
        paths=len(start),
        largest_jump=max(ratios),
        jumps=sum(ratio > 3 for ratio in ratios) / len(ratios),
        from_cross_fade=sum(fades) / len(fades),
    )
