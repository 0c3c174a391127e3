"""How close reconstructions are to their photographs."""

import dataclasses

from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from . import generation
from .evaluation import intervals as bootstrap


@dataclasses.dataclass(frozen=True)
class Reconstruction:
    """Scores of a set of reconstructions; means over images.

    Parameters
    ----------
    images
        How many.
    psnr
        Peak signal-to-noise ratio in dB, higher is better.
    psnr_interval
        Half the width of that mean's 95 % interval, by resampling images.
    ssim
        Structural similarity (Wang et al. 2004) with torchmetrics' defaults, at most 1.
    ms_ssim, ms_ssim_low
        Multi-scale SSIM, mean and 5th percentile; None for images too small for it.
    sharpness
        Gradient energy of the reconstructions over that of the originals; 1 is as sharp.
    """

    images: int
    psnr: float
    psnr_interval: float
    ssim: float
    ms_ssim: float | None
    ms_ssim_low: float | None
    sharpness: float


def reconstruction(decoded: Tensor, originals: Tensor) -> Reconstruction:
    """Score ``(N, C, H, W)`` images in [0, 1] against their originals.

    Raises
    ------
    ValueError
        The shapes differ, or there is no image.
    """
    if decoded.shape != originals.shape or not len(originals):
        raise ValueError(f"decoded {tuple(decoded.shape)} and originals {tuple(originals.shape)} must match, N above 0")
    # Image by image: the PSNR of a set is not the mean of its images' PSNRs.
    psnr = peak_signal_noise_ratio(decoded, originals, data_range=1.0, dim=(1, 2, 3), reduction="none")
    ssim = structural_similarity_index_measure(decoded, originals, data_range=1.0)
    multiscale = generation.ms_ssim(decoded, originals) if originals.shape[2] >= generation.MS_SSIM_SIDE else None
    if not isinstance(ssim, Tensor):
        raise TypeError("torchmetrics answered with a contrast map nobody asked for")
    mean = bootstrap.mean(psnr)
    return Reconstruction(
        images=len(originals),
        psnr=mean.value,
        psnr_interval=mean.interval,
        ssim=float(ssim),
        ms_ssim=None if multiscale is None else float(multiscale.mean()),
        ms_ssim_low=None if multiscale is None else float(multiscale.quantile(0.05)),
        sharpness=float(sharpness(decoded, originals)),
    )


def gradient_energy(images: Tensor) -> Tensor:
    """Mean squared difference between neighbouring pixels of each image, ``(N,)``."""
    rows, columns = images.diff(dim=2).square().mean((1, 2, 3)), images.diff(dim=3).square().mean((1, 2, 3))
    return (rows + columns) / 2


def sharpness(decoded: Tensor, originals: Tensor) -> Tensor:
    """Gradient energy of a set over that of its originals, a scalar."""
    return gradient_energy(decoded).mean() / gradient_energy(originals).mean().clamp(min=1e-12)
