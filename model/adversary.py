"""A discriminator trained along, which asks for the detail that a squared error averages away.

A VAE's decoder answers with the mean of all pictures that a code may stand for, which is soft. A discriminator of
patches (Isola et al. 2017) tells photographs from reconstructions; the decoder is asked to deceive it (Goodfellow et
al. 2014) and to agree with the photograph in its features (Larsen et al. 2016), which keeps new detail in its place.
"""

import dataclasses
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from .metrics import gradient_energy
from .networks import channels_last


@dataclasses.dataclass(frozen=True)
class AdversaryConfig:
    """What a recipe says of the discriminator.

    Parameters
    ----------
    weight
        Of its term in the decoder's loss, as a share of the ELBO's gradient at the decoder's last layer (Esser et al.
        2021); 0 trains without one.
    features
        Weight of agreement in features, relative to that of being taken for a photograph.
    energy
        Weight of matching each photograph's gradient energy: the squared logarithm of the ratio. The discriminator says
        where detail belongs, this how much of it there is.
    start_step
        Optimizer step from which the decoder listens; the discriminator learns from the first.
    ramp_steps
        Steps over which the weight then rises linearly.
    widths
        Channels after each halving of the resolution.
    learning_rate
        Of the discriminator's own Adam.
    """

    weight: float = 0.0
    features: float = 1.0
    energy: float = 0.0
    start_step: int = 0
    ramp_steps: int = 0
    widths: tuple[int, ...] = (32, 64, 128)
    learning_rate: float = 4e-4

    def __post_init__(self) -> None:
        for name in ("weight", "features", "energy", "start_step", "ramp_steps", "learning_rate"):
            value = getattr(self, name)
            if not (value >= 0 and math.isfinite(value)):
                raise ValueError(f"adversary.{name}: {value} is not a finite number of at least 0")
        if not self.widths or min(self.widths) < 1:
            raise ValueError(f"adversary.widths: {self.widths} must be numbers of channels of at least 1")

    def weight_at(self, step: int) -> float:
        """Weight of the term at an optimizer step, counted from 0."""
        since = step - self.start_step
        if since < 0:
            return 0.0
        return self.weight * min(1.0, (since + 1) / self.ramp_steps) if self.ramp_steps else self.weight


class Discriminator(nn.Module):
    """Images ``(N, C, S, S)`` in [0, 1] to the features of each layer and a map of scores, high for photographs."""

    def __init__(self, channels: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        sizes = (channels, *widths)
        # Spectral norm keeps it Lipschitz, so that its gradients go on being of use (Miyato et al. 2018).
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(inputs, outputs, 4, 2, 1)) for inputs, outputs in zip(sizes, widths, strict=False)
        )
        self.score = spectral_norm(nn.Conv2d(widths[-1], 1, 3, 1, 1))

    def forward(self, images: Tensor) -> tuple[list[Tensor], Tensor]:
        features = []
        x = images * 2 - 1
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
        return features, self.score(x)


class Adversary(nn.Module):
    """The discriminator with its own optimizer: one call of `learn` and one of `term` a training step."""

    def __init__(self, config: AdversaryConfig, channels: int) -> None:
        super().__init__()
        self.config = config
        self.discriminator = channels_last(Discriminator(channels, config.widths))
        # Not for the loop that trains encoder and decoder, nor for its processes to synchronise: see `learn`.
        self.discriminator.requires_grad_(False)
        self.optimizer = torch.optim.Adam(self.discriminator.parameters(), config.learning_rate, betas=(0.5, 0.99))

    def learn(self, decoded: Tensor, images: Tensor) -> Tensor:
        """One step of the discriminator's hinge loss (Lim and Ye 2017), returned as a scalar; 2 is telling nothing."""
        self.discriminator.requires_grad_(True)
        _, scores = self.discriminator(torch.cat((images, decoded.detach())))
        real, decoys = scores.float().chunk(2)
        loss = F.relu(1 - real).mean() + F.relu(1 + decoys).mean()
        parameters = list(self.discriminator.parameters())
        gradients = torch.autograd.grad(loss, parameters)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if torch.distributed.is_initialized():
                torch.distributed.all_reduce(gradient)
                gradient.div_(torch.distributed.get_world_size())
            parameter.grad = gradient
        if torch.nn.utils.get_total_norm(gradients).isfinite():
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.discriminator.requires_grad_(False)
        return loss.detach()

    def term(self, decoded: Tensor, images: Tensor) -> Tensor:
        """What the decoder is to lower, a scalar: scores of its images, and distance to the photographs' features."""
        with torch.no_grad():
            wanted, _ = self.discriminator(images)
        features, scores = self.discriminator(decoded)
        distance = torch.stack(
            [(mine.float() - theirs.float()).abs().mean() / theirs.float().abs().mean().clamp(min=1e-3)
             for mine, theirs in zip(features, wanted, strict=True)]
        ).mean()  # fmt: skip
        deceived: Tensor = scores.float().mean()
        term = self.config.features * distance - deceived
        if self.config.energy:
            mine, theirs = (gradient_energy(batch.float()).clamp(min=1e-6).log() for batch in (decoded, images))
            term = term + self.config.energy * (mine - theirs).square().mean()
        return term


def balanced(elbo: Tensor, term: Tensor, last_layer: Tensor, share: float) -> Tensor:
    """``term`` scaled so that its gradient at ``last_layer`` is ``share`` of the ELBO's (Esser et al. 2021, eq. 7)."""
    of_elbo, of_term = (torch.autograd.grad(loss, last_layer, retain_graph=True)[0].norm() for loss in (elbo, term))
    scale: Tensor = (of_elbo / of_term.clamp(min=1e-6)).clamp(max=1e4)
    return scale.detach().mul(share).mul(term)
