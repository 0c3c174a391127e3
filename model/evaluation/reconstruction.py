"""How close reconstructions are to their photographs."""

import dataclasses

import torch
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from ..vae import canvas
from . import intervals
from .intervals import Estimate

#: Images scored at once.
BATCH = 32


@dataclasses.dataclass(frozen=True)
class Reconstruction:
    """Scores of a set of reconstructions; means over images.

    Parameters
    ----------
    images
        How many.
    psnr, psnr_inside
        Peak signal-to-noise ratio in dB, on the square and inside the photograph; higher is better.
    ssim, ssim_inside
        Structural similarity (Wang et al. 2004) with torchmetrics' defaults, at most 1; likewise.
    perceptual
        `Judge.perceptual`, 0 for equal images; None where no judge has looked.
    """

    images: int
    psnr: Estimate
    psnr_inside: Estimate
    ssim: Estimate
    ssim_inside: Estimate
    perceptual: Estimate | None = None


def reconstruction(decoded: Tensor, originals: Tensor, perceptual: Tensor | None = None) -> Reconstruction:
    """Score ``(N, C, S, S)`` images in [0, 1] against their originals.

    White bars are known to any model that letterboxes, so the scores without them are the ones that count.

    Parameters
    ----------
    perceptual
        The perceptual distance of each pair, ``(N,)``, where it is known.

    Raises
    ------
    ValueError
        The shapes differ, or there is no image.
    """
    if decoded.shape != originals.shape or not len(originals):
        raise ValueError(f"decoded {tuple(decoded.shape)} and originals {tuple(originals.shape)} must match, N above 0")
    parts = [_scores(*pair) for pair in zip(torch.split(decoded, BATCH), torch.split(originals, BATCH), strict=True)]
    psnr, psnr_inside, ssim, ssim_inside = (intervals.mean(torch.cat(scores)) for scores in zip(*parts, strict=True))
    judged = None if perceptual is None else intervals.mean(perceptual)
    return Reconstruction(len(originals), psnr, psnr_inside, ssim, ssim_inside, judged)


def _scores(decoded: Tensor, originals: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """PSNR on the square and inside, SSIM on the square and inside: ``(N,)`` each."""
    mask = inside(originals)
    # Image by image: the PSNR of a set is not the mean of its images' PSNRs.
    psnr = peak_signal_noise_ratio(decoded, originals, data_range=1.0, dim=(1, 2, 3), reduction="none")
    psnr_inside = -10 * _mean_inside((decoded - originals).square(), mask).clamp(min=1e-10).log10()
    ssim, full = structural_similarity_index_measure(
        decoded, originals, data_range=1.0, reduction="none", return_full_image=True
    )
    return psnr, psnr_inside, ssim, _mean_inside(full, mask)


def inside(images: Tensor) -> Tensor:
    """Mask of the photograph within the white bars that letterboxing left, ``(N, 1, S, S)``."""
    height, width = canvas.shares(canvas.log_aspect(images))
    rows, columns = (((torch.arange(side) * 2 + 1) / side - 1).abs() for side in images.shape[2:])
    return ((rows[:, None] <= height) & (columns[None, :] <= width))[:, None]


def _mean_inside(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of ``(N, C, S, S)`` over channels and the masked pixels, ``(N,)``."""
    return (values * mask).sum((1, 2, 3)) / (mask.sum((1, 2, 3)) * values.shape[1])


def gradient_energy(images: Tensor) -> Tensor:
    """Mean squared difference between neighbouring pixels of each image, ``(N,)``."""
    rows, columns = images.diff(dim=2).square().mean((1, 2, 3)), images.diff(dim=3).square().mean((1, 2, 3))
    return (rows + columns) / 2


def sharpness(decoded: Tensor, originals: Tensor) -> Tensor:
    """Gradient energy of a set over that of its originals, a scalar; for a training's log, as it sees no shapes."""
    return gradient_energy(decoded).mean() / gradient_energy(originals).mean().clamp(min=1e-12)
