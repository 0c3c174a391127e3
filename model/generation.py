"""How close a set of generated images is to a set of real ones, without any downloaded network.

Every distance says little alone; `docs/evaluation.md` puts the distance between two sets of real images beside it.
"""

import dataclasses
import typing as t

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

from .evaluation import intervals as bootstrap
from .evaluation.intervals import Estimate

#: Karras et al. 2018, appendix: patches of 7x7, here fewer an image, since these sets are small.
PATCH = 7
PATCHES = 32
DIRECTIONS = 512
INTERVAL_DIRECTIONS = 32

#: Scales of MS-SSIM that 128 px leave room for: the first four of the original five, their weights made to sum to 1.
MS_SSIM_WEIGHTS = (0.0517, 0.3295, 0.3462, 0.2726)
MS_SSIM_SIDE = 96

_BLUR = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16


def _blur(images: Tensor) -> Tensor:
    channels = images.shape[1]
    padded = F.pad(images, (2, 2, 2, 2), mode="reflect")
    rows = F.conv2d(padded, _BLUR.view(1, 1, 5, 1).expand(channels, 1, 5, 1), groups=channels)
    return F.conv2d(rows, _BLUR.view(1, 1, 1, 5).expand(channels, 1, 1, 5), groups=channels)


def laplacian_pyramid(images: Tensor, smallest: int = 16) -> list[Tensor]:
    """Details at each resolution, finest first, and the rest (Burt and Adelson 1983), of ``(N, C, S, S)``."""
    levels = []
    while images.shape[2] > smallest:
        smaller = _blur(images)[:, :, ::2, ::2]
        levels.append(images - F.interpolate(smaller, scale_factor=2, mode="bilinear", align_corners=False))
        images = smaller
    return [*levels, images]


def _patches(level: Tensor, generator: torch.Generator) -> Tensor:
    """Random patches of each image, ``(N · PATCHES, C · PATCH²)``, each channel normalised over the set."""
    count, channels, size, _ = level.shape
    corner = torch.randint(size - PATCH + 1, (2, count, PATCHES, 1, 1), generator=generator)
    row = corner[0] + torch.arange(PATCH).view(1, 1, PATCH, 1)
    column = corner[1] + torch.arange(PATCH).view(1, 1, 1, PATCH)
    image = torch.arange(count).view(count, 1, 1, 1)
    patches = level.permute(0, 2, 3, 1)[image, row, column].reshape(-1, PATCH * PATCH, channels)
    patches = patches - patches.mean((0, 1))
    return (patches / patches.std((0, 1)).clamp(min=1e-8)).flatten(1)


def sliced_wasserstein(one: Tensor, other: Tensor, seed: int = 0) -> list[float]:
    """Sliced Wasserstein distance over Laplacian-pyramid patches, a number a level, finest first, times 1,000.

    Parameters
    ----------
    one, other : Tensor
        ``(N, C, S, S)`` in [0, 1]; the larger set is cut to the size of the smaller.

    References
    ----------
    Karras et al. 2018, "Progressive Growing of GANs", section 5.
    """
    distances = []
    for a, b in _projected(one, other, DIRECTIONS, seed):
        # A few directions at a time: a set of 2,048 images has 65,536 patches.
        parts = [
            _wasserstein(some, twin) for some, twin in zip(torch.split(a, 64, 1), torch.split(b, 64, 1), strict=True)
        ]
        distances.append(1000 * float(torch.cat(parts).mean()))
    return distances


def sliced_wasserstein_interval(one: Tensor, other: Tensor, resamples: int = 20, seed: int = 0) -> float:
    """Half the width of the 95 % interval of the mean over the levels, from resampled images of both sets.

    Taken over `INTERVAL_DIRECTIONS` of the directions only, or it would take minutes. Resampled sets are some images
    short of variety, which adds about the same to each distance; the spread is what counts here.
    """
    generator = torch.Generator().manual_seed(seed)
    count = min(len(one), len(other))
    images = (count, PATCHES, INTERVAL_DIRECTIONS)
    levels = [(a.view(images), b.view(images)) for a, b in _projected(one, other, INTERVAL_DIRECTIONS, seed)]
    scores = []
    for _ in range(resamples):
        first, second = torch.randint(count, (2, count), generator=generator)
        parts = [_wasserstein(a[first].flatten(0, 1), b[second].flatten(0, 1)).mean() for a, b in levels]
        scores.append(1000 * torch.stack(parts).mean())
    return bootstrap.half_width(torch.stack(scores))


def _projected(one: Tensor, other: Tensor, directions: int, seed: int) -> t.Iterator[tuple[Tensor, Tensor]]:
    """Patches of both sets along random directions, ``(N · PATCHES, directions)`` each, level by level."""
    count = min(len(one), len(other))
    generator = torch.Generator().manual_seed(seed)
    for level, twin in zip(laplacian_pyramid(one[:count]), laplacian_pyramid(other[:count]), strict=True):
        a, b = _patches(level, generator), _patches(twin, generator)
        axes = torch.randn(a.shape[1], directions, generator=generator)
        axes /= axes.norm(dim=0)
        yield a @ axes, b @ axes


def _wasserstein(a: Tensor, b: Tensor) -> Tensor:
    """Distance of two samples ``(N, D)`` along each of their directions, ``(D,)``."""
    return (a.sort(0).values - b.sort(0).values).abs().mean(0)


@torch.inference_mode()
def features(images: Tensor, seed: int = 0) -> Tensor:
    """A fixed feature space, ``(N, 1024)``: three random convolutions, averaged over a 2x2 grid.

    Random networks are what Naeem et al. 2020 (section 4.2) advise where ImageNet's features do not fit or are not at
    hand. The weights come from ``seed``, so that everyone has the same.
    """
    generator = torch.Generator().manual_seed(seed)
    x = F.interpolate(images, size=64, mode="bilinear", antialias=True, align_corners=False) * 2 - 1
    inputs = x.shape[1]
    for outputs, kernel in ((64, 7), (128, 3), (256, 3)):
        weight = torch.randn(outputs, inputs, kernel, kernel, generator=generator)
        weight *= (2 / (inputs * kernel * kernel)) ** 0.5
        x = F.relu(F.conv2d(x, weight, stride=2, padding=kernel // 2))
        inputs = outputs
    return F.adaptive_avg_pool2d(x, 2).flatten(1)


@dataclasses.dataclass(frozen=True)
class Neighbourhood:
    """Fidelity and diversity by nearest neighbours.

    Parameters
    ----------
    precision, recall
        Share of generated images within the real set, and the reverse (Kynkäänniemi et al. 2019).
    density, coverage
        How many real neighbourhoods a generated image lies in, over k, and the share of real neighbourhoods that hold
        one (Naeem et al. 2020); 1 and nearly 1 for two sets of one distribution.
    """

    precision: Estimate
    recall: Estimate
    density: Estimate
    coverage: Estimate


def neighbourhood(real: Tensor, generated: Tensor, k: int = 5) -> Neighbourhood:
    """Compare features ``(N, F)`` and ``(M, F)`` by their k nearest neighbours.

    Each score is a mean over generated or over real images; its interval resamples those, the others standing still.

    Raises
    ------
    ValueError
        A set has no more than k members.
    """
    if min(len(real), len(generated)) <= k:
        raise ValueError(f"sets of {len(real)} and {len(generated)} are too small for {k} neighbours")
    real_radius = torch.cdist(real, real).kthvalue(k + 1, 1).values
    generated_radius = torch.cdist(generated, generated).kthvalue(k + 1, 1).values
    distance = torch.cdist(real, generated)
    within_real = distance <= real_radius[:, None]
    return Neighbourhood(
        precision=bootstrap.mean(within_real.any(0)),
        recall=bootstrap.mean((distance <= generated_radius[None, :]).any(1)),
        density=bootstrap.mean(within_real.sum(0) / k),
        coverage=bootstrap.mean(within_real.any(1)),
    )


def ms_ssim(one: Tensor, other: Tensor) -> Tensor:
    """Multi-scale SSIM (Wang et al. 2003) of each pair of images of at least 96 px, ``(N,)``."""
    return multiscale_structural_similarity_index_measure(
        one, other, data_range=1.0, betas=MS_SSIM_WEIGHTS, reduction="none", normalize="relu"
    )


def diversity(images: Tensor, pairs: int = 256, seed: int = 0) -> Estimate:
    """Mean MS-SSIM between random pairs of a set: lower is more diverse."""
    generator = torch.Generator().manual_seed(seed)
    first = torch.randint(len(images), (pairs,), generator=generator)
    second = (first + torch.randint(1, len(images), (pairs,), generator=generator)) % len(images)
    return bootstrap.mean(ms_ssim(images[first], images[second]))
