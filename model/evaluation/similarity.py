"""How alike two pictures are, and from that how varied a set is: multi-scale SSIM (Wang et al. 2003)."""

import torch
from torch import Tensor
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

from . import intervals
from .intervals import Estimate

#: The first four of the original's five scales, which is what 128 px leave room for; their weights sum to 1.
WEIGHTS = (0.0517, 0.3295, 0.3462, 0.2726)

#: Smallest side in pixels that four scales fit into.
SIDE = 99

#: Pairs whose mean is a set's score.
PAIRS = 256


def ms_ssim(one: Tensor, other: Tensor) -> Tensor:
    """Multi-scale SSIM of each pair of images of at least `SIDE` pixels, ``(N,)``."""
    return multiscale_structural_similarity_index_measure(
        one, other, data_range=1.0, betas=WEIGHTS, reduction="none", normalize="relu"
    )


def of_pairs(images: Tensor, pairs: int = PAIRS, seed: int = 0) -> Estimate | None:
    """Mean MS-SSIM of random pairs of a set ``(N, C, S, S)``, lower if it is more varied; None for small images."""
    if images.shape[2] < SIDE:
        return None
    generator = torch.Generator().manual_seed(seed)
    first = torch.randint(len(images), (pairs,), generator=generator)
    second = (first + torch.randint(1, len(images), (pairs,), generator=generator)) % len(images)
    # Few at a time: all pairs of 256 px at once would take gigabytes.
    parts = zip(torch.split(first, 32), torch.split(second, 32), strict=True)
    return intervals.mean(torch.cat([ms_ssim(images[a], images[b]) for a, b in parts]))
