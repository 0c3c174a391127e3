"""The negative ELBO and its parts.

One scale everywhere: nats, summed over the pixels and latents of an image, averaged over the batch. Dividing by
``N·C·H·W``, as some of the originals do, changes the learning rate's meaning and nothing else.
"""

import dataclasses
import math
import typing as t

import torch
from torch import Tensor, nn
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
    importance_samples
        Above 1, the importance-weighted bound of so many codes per image in place of the ELBO (Burda et al. 2016).
    """

    reconstruction: Reconstruction = "sigma"
    beta: float = 1.0
    warmup_steps: int = 0
    importance_samples: int = 1

    def __post_init__(self) -> None:
        if self.reconstruction not in t.get_args(Reconstruction):
            raise ValueError(f"loss.reconstruction: {self.reconstruction!r} is not one of {t.get_args(Reconstruction)}")
        if not (self.beta >= 0 and math.isfinite(self.beta)):
            raise ValueError(f"loss.beta: {self.beta} is not a finite number of at least 0")
        if self.warmup_steps < 0:
            raise ValueError(f"loss.warmup_steps: {self.warmup_steps} is negative")
        if self.importance_samples < 1:
            raise ValueError(f"loss.importance_samples: {self.importance_samples} is not at least 1")
        if self.importance_samples > 1 and (self.reconstruction == "sigma" or self.beta != 1 or self.warmup_steps):
            raise ValueError(
                f"loss.importance_samples: {self.importance_samples} weighs whole likelihoods, so that reconstruction "
                "must be mse or bce, beta 1 and warmup_steps 0"
            )

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


def reconstruction_nats(
    images: Tensor, targets: Tensor, kind: Reconstruction, variance: Tensor | None = None
) -> Tensor:
    """Negative log-likelihood of ``targets`` given decoded ``images``, a scalar on this module's scale.

    Parameters
    ----------
    images, targets : Tensor
        ``(N, C, H, W)`` in [0, 1].
    kind : {"sigma", "mse", "bce"}
        Gaussian of the best common deviation, Gaussian of a fixed one without its constant, or Bernoulli.
    variance : Tensor, optional
        For ``sigma``, one number, used instead of the optimum for these images, which is not known beforehand.
    """
    pixels = targets[0].numel()
    if kind == "bce":
        with torch.autocast(images.device.type, enabled=False):  # autocast refuses it on a GPU
            return F.binary_cross_entropy(images.float(), targets.float(), reduction="sum") / len(targets)
    squared_error = F.mse_loss(images, targets)
    if kind == "mse":
        return squared_error * pixels
    # The variance that maximises the likelihood is the squared error itself; 1e-6 is far below one grey level.
    variance = squared_error.clamp(min=1e-6) if variance is None else variance
    return 0.5 * pixels * (math.log(2 * math.pi) + variance.log() + squared_error / variance)


def log_likelihood(images: Tensor, targets: Tensor, kind: Reconstruction, variance: float = 0.5) -> Tensor:
    """Log p(x|z) of each image, constants included, in nats: ``(N,)`` of decoded ``images`` ``(N, C, H, W)``.

    ``variance`` is that of a Gaussian; 1/2 is what ``mse`` stands for.
    """
    if kind == "bce":
        with torch.autocast(images.device.type, enabled=False):
            return -F.binary_cross_entropy(images.float(), targets.float(), reduction="none").flatten(1).sum(1)
    squared_error = (images - targets).square().flatten(1).sum(1)
    return -0.5 * (squared_error / variance + targets[0].numel() * math.log(2 * math.pi * variance))


def log_weights(
    decoder: nn.Module,
    posterior: Posterior,
    noise: Tensor,
    targets: Tensor,
    kind: Reconstruction,
    variance: float = 0.5,
) -> Tensor:
    """Log of p(x|z) p(z) / q(z|x) of K codes z per image, in nats: ``(N, K)``.

    The codes are the posterior's of standard normal ``noise`` ``(N, K, D)``. The mean over K is the
    sampled ELBO; `importance_weighted` makes the tighter bound of them.
    """
    mean, log_variance = posterior.mean.unsqueeze(1), posterior.log_variance.unsqueeze(1)
    codes = Posterior(mean, log_variance).sample(noise)
    images, again = decoder(codes.flatten(0, 1)), targets.repeat_interleave(noise.shape[1], 0)
    likelihood = log_likelihood(images, again, kind, variance).view(noise.shape[:2])
    return likelihood + 0.5 * (noise.square() + log_variance - codes.square()).sum(2)


def importance_weighted(weights: Tensor) -> Tensor:
    """Lower bound on log p(x) of each image from its `log_weights` ``(N, K)``: ``(N,)``, Burda et al. (2016)."""
    return weights.logsumexp(1) - math.log(weights.shape[1])


def psnr(images: Tensor, targets: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each image, ``(N,)`` in dB, for values in [0, 1]."""
    return -10 * torch.log10((images - targets).square().mean((1, 2, 3)).clamp(min=1e-10))


def psnr_at_least(loss: float, span: float = 2.0) -> float:
    """The lowest PSNR in dB, of all pixels together, that a loss per pixel leaves room for.

    Several of the originals reported squared error per pixel plus scaled KL divergence, of values in [-1, 1]. Neither
    is negative, so the squared error is at most the loss, and `psnr` at least ``10 log10(span² / loss)``. The mean of
    the PSNRs of single images is higher than that of all pixels together.

    Parameters
    ----------
    loss
        Mean over pixels, above 0.
    span
        From the lowest to the highest value of a pixel: 2 for [-1, 1].

    Raises
    ------
    ValueError
        A value is not above 0.
    """
    if not (loss > 0 and span > 0):
        raise ValueError(f"a loss of {loss} over a span of {span}; both have to be above 0")
    return 10 * math.log10(span**2 / loss)
