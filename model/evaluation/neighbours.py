"""Fidelity and diversity of a set of pictures by nearest neighbours among their features."""

import dataclasses

import torch
from torch import Tensor

from . import intervals
from .intervals import Estimate

#: Number of neighbours, as in Naeem et al. 2020.
K = 5


@dataclasses.dataclass(frozen=True)
class Neighbours:
    """How far two sets cover each other.

    Parameters
    ----------
    precision, recall
        Share of generated pictures within the real set, and the reverse (Kynkäänniemi et al. 2019).
    density, coverage
        How many real neighbourhoods a generated picture lies in, over k, and the share of real neighbourhoods that hold
        one (Naeem et al. 2020); 1 and nearly 1 for two sets of one distribution.
    """

    precision: Estimate
    recall: Estimate
    density: Estimate
    coverage: Estimate


def neighbours(real: Tensor, generated: Tensor, k: int = K) -> Neighbours:
    """Compare features ``(N, F)`` and ``(M, F)`` by their k nearest neighbours.

    Each score is a mean over generated or over real pictures; its interval resamples those, the others standing still.

    Raises
    ------
    ValueError
        A set has no more than k members.
    """
    if min(len(real), len(generated)) <= k:
        raise ValueError(f"sets of {len(real)} and {len(generated)} are too small for {k} neighbours")
    # In double precision: distances come from squares that nearly cancel.
    real, generated = real.double(), generated.double()
    # Each picture is its own nearest neighbour.
    real_radius = torch.cdist(real, real).kthvalue(k + 1, 1).values
    generated_radius = torch.cdist(generated, generated).kthvalue(k + 1, 1).values
    distance = torch.cdist(real, generated)
    within_real = distance < real_radius[:, None]
    return Neighbours(
        precision=intervals.mean(within_real.any(0)),
        recall=intervals.mean((distance < generated_radius[None, :]).any(1)),
        density=intervals.mean(within_real.sum(0) / k),
        coverage=intervals.mean(distance.amin(1) < real_radius),
    )
