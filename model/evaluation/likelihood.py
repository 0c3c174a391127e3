"""How likely a model finds images: the sampled ELBO, and the importance-weighted estimate of log p(x).

The estimate is a lower bound in expectation that grows towards log p(x) with the number of codes (Burda et al. 2016,
theorem 1); 5,000 codes per image are what published tables of MNIST use.
"""

import dataclasses
import math
import typing as t

import torch
from torch import Tensor, nn

from ..vae import losses
from ..vae.losses import Posterior, Reconstruction

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
