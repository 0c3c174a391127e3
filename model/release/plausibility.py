"""Whether a photograph looks like a car to the networks: how far it is from photographs that are known to be of cars.

A photograph is summarised by a few numbers on a log scale: for each group of latents, how large they are and how sure
the encoder is of them; and the error of the reconstruction. Noise and plain colours have latents near the mean of all
cars, so distance in latent space alone does not detect them; together with the error it does. The distance is the
Mahalanobis distance to training photographs; validation photographs set the threshold. `handler/plausibility.py`
computes the same when serving.
"""

import typing as t

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..data import prepared

Array: t.TypeAlias = NDArray[np.float64]

#: Groups that a latent is divided into: the channels of the innermost grid, where there are as many.
GROUPS = 8

#: Training photographs from which mean and covariance of the 17 numbers are estimated.
PHOTOGRAPHS = 2000

#: Fewer photographs say too little of what is usual.
FEWEST = 100

#: Share of the validation photographs that may be farther away than the threshold.
REFUSED = 0.02

#: Added to squares before their logarithm, and to variances, which may be 0 where latents are unused.
FLOOR = 1e-6
RIDGE = 1e-3

BATCH = 16


def fit(
    encoder: nn.Module, decoder: nn.Module, train: prepared.Images, val: prepared.Images
) -> dict[str, t.Any] | None:
    """Summarise photographs of cars for the manifest.

    Parameters
    ----------
    encoder
        Images ``(N, C, S, S)`` in [0, 1] to means and log-variances ``(N, D)``.
    decoder
        Latents ``(N, D)`` to images.
    train
        Photographs to measure the distance from; at most `PHOTOGRAPHS` of them, drawn by a seed, are used.
    val
        Photographs to choose the threshold on.

    Returns
    -------
    dict or None
        ``groups``; ``mean`` and ``precision``, the inverse of the covariance, of the numbers of `summarise`;
        ``threshold``, the distance that `REFUSED` of the validation photographs exceed; ``photographs``, how many were
        used. None where a split has fewer than `FEWEST`.
    """
    if min(len(train), len(val)) < FEWEST:
        return None
    chosen = np.random.default_rng(7).permutation(len(train))[:PHOTOGRAPHS]
    known = summarise_all(encoder, decoder, train.only(chosen))
    mean = known.mean(0)
    precision = np.linalg.inv(np.cov(known.T) + RIDGE * np.eye(known.shape[1]))
    away = summarise_all(encoder, decoder, val) - mean
    distances = np.sqrt(np.einsum("ni,ij,nj->n", away, precision, away))
    return {
        "groups": groups(known.shape[1]),
        "mean": _rounded(mean),
        "precision": [_rounded(row) for row in precision],
        "threshold": _rounded(np.quantile(distances, [1 - REFUSED]))[0],
        "photographs": {"measured": len(chosen), "threshold": len(val)},
    }


@torch.inference_mode()
def summarise_all(encoder: nn.Module, decoder: nn.Module, images: prepared.Images) -> Array:
    """The numbers of many photographs, ``(N, F)``."""
    found = []
    for pixels in prepared.in_batches(images, BATCH):
        mean, log_variance = encoder(pixels)
        found.append(summarise(pixels, mean, log_variance, decoder(mean).clamp(0, 1)))
    return np.concatenate(found)


def summarise(images: Tensor, mean: Tensor, log_variance: Tensor, rebuilt: Tensor) -> Array:
    """The numbers that a photograph is summed up by, ``(N, 2 G + 1)`` for G groups of latents."""
    count = GROUPS if mean.shape[1] % GROUPS == 0 else 1
    grouped = mean.double().square().reshape(len(mean), count, -1).mean(2)
    sureness = log_variance.double().reshape(len(mean), count, -1).mean(2)
    error = (rebuilt - images).double().square().flatten(1).mean(1, keepdim=True)
    return t.cast(Array, torch.cat([(grouped + FLOOR).log(), sureness, (error + FLOOR).log()], 1).numpy())


def groups(numbers: int) -> int:
    """The number of latent groups that `summarise` had if it returned this many numbers."""
    return (numbers - 1) // 2


def _rounded(values: Array) -> list[float]:
    return [float(f"{value:.6g}") for value in values]
