"""How likely a model finds images: the sampled ELBO, and the importance-weighted estimate of log p(x).

The estimate is a lower bound in expectation that grows towards log p(x) with the number of codes (Burda et al. 2016,
theorem 1); 5,000 codes per image are what published tables of MNIST use.
"""

import dataclasses
import math
import typing as t

import numpy as np
import torch
from torch import Tensor, nn

from ..data import prepared
from ..vae import losses
from ..vae.losses import Posterior, Reconstruction
from ..vae.networks import NetworkConfig

#: Codes decoded in one pass.
PASS = 1000

Progress = t.Callable[[t.Iterable[Tensor]], t.Iterable[Tensor]]


@dataclasses.dataclass(frozen=True)
class Likelihood:
    """Means over images in nats, each with its standard error over images: less is better.

    Parameters
    ----------
    nll
        Importance-weighted negative log-likelihood, of all codes of an image together.
    elbo
        Negative ELBO: as if each code were the only one.
    images, samples
        How many images, and codes per image.
    """

    nll: float
    nll_error: float
    elbo: float
    elbo_error: float
    images: int
    samples: int


def pixel_distribution(network: NetworkConfig, training: t.Mapping[str, t.Any]) -> tuple[Reconstruction, float]:
    """Kind and variance of the distribution of pixels that a network was trained for.

    Parameters
    ----------
    training
        What `model.release.released.load_checkpoint` knows of the training.

    Raises
    ------
    ValueError
        It has no likelihood, or its variance is not known.
    """
    if network.aspect:
        raise ValueError("its aspect ratio is measured and has no posterior, so it has no likelihood")
    kind: Reconstruction = training["hyperparameters"]["loss"]["reconstruction"]
    variance: float | None = training["variance"] if kind == "sigma" else 0.5
    if variance is None:
        raise ValueError("does not say what variance its pixels have; train it for another epoch")
    return kind, variance


def spread(images: prepared.Images, network: NetworkConfig, count: int, binarised: int | None) -> Tensor:
    """At most ``count`` images, evenly spread over all, ``(N, C, S, S)`` in [0, 1].

    Parameters
    ----------
    binarised
        Seed by which the pixels become black or white; None leaves them.

    Raises
    ------
    ValueError
        The network takes images of another shape.
    """
    shape = tuple(images[0].shape)
    if shape[:2] != (network.channels, network.image_size):
        raise ValueError(f"images of {shape}; the network takes {network.channels} x {network.image_size}")
    images = images.only(np.linspace(0, len(images) - 1, min(count, len(images))).round().astype(int))
    if binarised is not None:
        images = prepared.binarised(images, binarised)
    return prepared.as_float(images.__getitems__(range(len(images))))


@torch.inference_mode()
def likelihood(
    encoder: nn.Module,
    decoder: nn.Module,
    images: Tensor,
    kind: Reconstruction,
    samples: int,
    *,
    variance: float = 0.5,
    seed: int = 0,
    progress: Progress = iter,
) -> Likelihood:
    """Estimate the likelihood of images under encoder and decoder with the prior N(0, I).

    Parameters
    ----------
    encoder, decoder
        In evaluation mode; posterior and images as `model.vae.networks` makes them.
    images
        ``(N, C, H, W)`` in [0, 1].
    kind, variance
        Distribution of pixels, as `model.vae.losses.log_likelihood` takes them. Of a Gaussian the likelihood is a
        density, whose nats compare only with those of the same pixels.
    samples
        Codes per image, at least 1.
    seed
        Of the codes.
    progress
        Wraps the images.

    Raises
    ------
    ValueError
        There are no images, or ``samples`` is not at least 1.
    """
    if samples < 1 or not len(images):
        raise ValueError(f"{samples} codes for each of {len(images)} images; at least 1 of both is needed")
    generator = torch.Generator().manual_seed(seed)
    bounds, elbos = [], []
    for image in progress(torch.split(images, 1)):
        posterior = Posterior(*encoder(image))
        parts = []
        for first in range(0, samples, PASS):
            shape = (1, min(PASS, samples - first), posterior.mean.shape[1])
            noise = torch.randn(shape, generator=generator)
            parts.append(losses.log_weights(decoder, posterior, noise, image, kind, variance))
        # In double precision: 5,000 weights of several hundred nats each.
        weights = torch.cat(parts, 1).double()
        bounds.append(-losses.importance_weighted(weights))
        elbos.append(-weights.mean(1))
    nll, elbo = torch.cat(bounds), torch.cat(elbos)
    return Likelihood(*_mean(nll), *_mean(elbo), len(images), samples)


def _mean(values: Tensor) -> tuple[float, float]:
    """Mean and its standard error; the error of one value is unknown."""
    error = float(values.std()) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return float(values.mean()), error
