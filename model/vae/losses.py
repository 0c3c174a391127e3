"""The negative ELBO and its parts.

One scale everywhere: nats, summed over the pixels and latents of an image, averaged over the batch. Dividing by
``N·C·H·W``, as some of the originals do, changes the learning rate's meaning and nothing else.
"""

import dataclasses
import math
import typing as t

import torch
from torch import Tensor
from torch.nn import functional as F

Reconstruction = t.Literal["sigma", "mse", "bce"]


@dataclasses.dataclass(frozen=True)
class LossConfig:
    """What a recipe says of the objective.

    Parameters
    ----------
    reconstruction
        ``sigma``: Gaussian whose one variance is learnt, in its optimal closed form (Rybkin et al. 2021).
        ``mse``: squared error, a Gaussian of variance 1/2 up to a constant. ``bce``: Bernoulli.
    beta
        Weight of the KL divergence (Higgins et al. 2017); 1 is the ELBO.
    warmup_steps
        Steps over which beta rises linearly from 0 (Bowman et al. 2016).
    """

    reconstruction: Reconstruction = "sigma"
    beta: float = 1.0
    warmup_steps: int = 0

    def __post_init__(self) -> None:
        if self.reconstruction not in t.get_args(Reconstruction):
            raise ValueError(f"loss.reconstruction: {self.reconstruction!r} is not one of {t.get_args(Reconstruction)}")
        if not (self.beta >= 0 and math.isfinite(self.beta)):
            raise ValueError(f"loss.beta: {self.beta} is not a finite number of at least 0")
        if self.warmup_steps < 0:
            raise ValueError(f"loss.warmup_steps: {self.warmup_steps} is negative")

    def beta_at(self, step: int) -> float:
        """Weight of the KL divergence at an optimizer step, counted from 0."""
        return self.beta * min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else self.beta


@dataclasses.dataclass(frozen=True)
class Posterior:
    """Diagonal Gaussian q(z|x); ``mean`` and ``log_variance`` are ``(N, D)``."""

    mean: Tensor
    log_variance: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """Reparameterised sample from standard normal ``noise`` of the shape of ``mean``."""
        return self.mean + noise * torch.exp(0.5 * self.log_variance)

    def kl(self) -> Tensor:
        """KL(q(z|x) || N(0, I)) of each latent, ``(N, D)``, in nats (Kingma and Welling 2014, appendix B)."""
        return 0.5 * (self.mean.square() + self.log_variance.exp() - 1 - self.log_variance)


def reconstruction_nats(images: Tensor, targets: Tensor, kind: Reconstruction) -> Tensor:
    """Negative log-likelihood of ``targets`` given decoded ``images``, a scalar on this module's scale.

    Parameters
    ----------
    images, targets : Tensor
        ``(N, C, H, W)`` in [0, 1].
    kind : {"sigma", "mse", "bce"}
        Gaussian of the best common deviation, Gaussian of a fixed one without its constant, or Bernoulli.
    """
    pixels = targets[0].numel()
    if kind == "bce":
        with torch.autocast(images.device.type, enabled=False):  # which refuses it on a GPU
            return F.binary_cross_entropy(images.float(), targets.float(), reduction="sum") / len(targets)
    squared_error = F.mse_loss(images, targets)
    if kind == "mse":
        return squared_error * pixels
    # The variance that maximises the likelihood is the squared error itself; 1e-6 is far below one grey level.
    variance = squared_error.clamp(min=1e-6)
    return 0.5 * pixels * (math.log(2 * math.pi) + 1 + variance.log())


def psnr(images: Tensor, targets: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each image, ``(N,)`` in dB, for values in [0, 1]."""
    return -10 * torch.log10((images - targets).square().mean((1, 2, 3)).clamp(min=1e-10))
