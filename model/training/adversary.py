"""The second stage: the decoder learns from a discriminator, while encoder and prior are frozen.

A VAE's decoder returns the mean of all pictures that a code may stand for, which is blurred, and it has been trained
only on codes of photographs. Here it decodes three kinds of codes: those of photographs, draws from the prior
(Goodfellow et al. 2014), and points between two photographs (Berthelot et al. 2019). All must pass for photographs; the
first must also stay close to theirs. The prior is not trained here: trained through the same discriminator, it draws
only a few different cars.

A discriminator judges each picture separately. The drift (`.drifting`) makes the pictures of each kind, taken together,
resemble photographs: no brighter and no more alike.
"""

import dataclasses
import math
import pathlib
import typing as t

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..prior import priors
from ..vae import discriminator
from ..vae.discriminator import ProjectedDiscriminator
from ..vae.networks import channels_last
from ..vae.perception import Perception, perceptual_distance
from . import drifting

#: Side in pixels of what discriminators see: the complete picture scaled down, and a crop of it at full size.
SIDE = 128

#: Steps between two measurements of how strongly each term pulls.
MEASURE_EVERY = 50


@dataclasses.dataclass(frozen=True)
class AdversaryConfig:
    """What a recipe says of the second stage.

    Parameters
    ----------
    weight
        Of the generator's loss, as a share of the reconstruction's gradient at the decoder's last layer (Esser et al.
        2021, equation 7); 0 trains encoder and decoder together, without a discriminator.
    perceptual
        Weight of the perceptual distance, in the same unit.
    drifting
        Weight of the drift loss, in the same unit; 0 does without.
    prior
        File whose prior is drawn from: released weights, or a flow's checkpoint. Empty for none.
    drawn, midpoints
        Codes per step from the prior, and between two photographs.
    compared
        Pictures of each kind that the drift remembers, and photographs that it compares them with.
    start_step
        Optimizer step from which the generator's loss and the drift count. Until then, only layers that got no weights
        from ``start_from`` are trained.
    ramp_steps
        Steps over which their weights then rise linearly.
    learning_rate
        Of the discriminators' Adam.
    """

    weight: float = 0.0
    perceptual: float = 2.0
    drifting: float = 0.0
    prior: str = ""
    drawn: int = 8
    midpoints: int = 4
    compared: int = 512
    start_step: int = 50
    ramp_steps: int = 100
    learning_rate: float = 2e-4

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if name != "prior" and not (value >= 0 and math.isfinite(value)):
                raise ValueError(f"adversary.{name}: {value} is not a finite number of at least 0")
        if self.compared < drifting.LEAST:
            raise ValueError(f"adversary.compared: {self.compared} is not at least {drifting.LEAST}")

    def weights_at(self, step: int) -> tuple[float, float, float]:
        """Weights of perceptual distance, generator's loss and drift at an optimizer step, counted from 0."""
        since = step - self.start_step
        risen = min(1.0, (since + 1) / self.ramp_steps) if self.ramp_steps else 1.0
        risen = risen if since >= 0 else 0.0
        return self.perceptual, self.weight * risen, self.drifting * risen


class View(t.NamedTuple):
    """What a discriminator is shown: photographs and decoded pictures at `SIDE`, the rebuilt ones first."""

    photographs: Tensor
    decoded: Tensor


class Adversary(nn.Module):
    """Discriminators with their optimizer, and the terms that they add to the decoder's loss.

    Parameters
    ----------
    config
        Weights of the terms, and which pictures they are of.
    size
        Side of the decoder's pictures in pixels. Above `SIDE` a second discriminator looks at pieces of them.
    """

    pull: Tensor

    def __init__(self, config: AdversaryConfig, size: int) -> None:
        super().__init__()
        self.config, self.size = config, size
        self.discriminators = channels_last(nn.ModuleList(ProjectedDiscriminator() for _ in range(1 + (size > SIDE))))
        self.trained = [weight for weight in self.discriminators.parameters() if weight.requires_grad]
        # The decoder's training loop must neither train them nor synchronise them across processes: see `learn`.
        self.discriminators.requires_grad_(False)
        self.optimizer = torch.optim.Adam(self.trained, config.learning_rate, betas=(0.0, 0.99))
        # Factors that make each added term pull as strongly as the reconstruction.
        self.register_buffer("pull", torch.ones(3))
        # One per kind of picture.
        self.crowds = [drifting.Crowd(config.compared) for _ in range(3)]
        # In a tuple: neither averaged nor written into checkpoints.
        self._still: tuple[Perception, priors.Prior | None] = (channels_last(Perception()), None)

    def _apply(self, fn: t.Any, recurse: bool = True) -> t.Self:
        for module in self._still:
            if module is not None:
                t.cast(t.Any, module)._apply(fn, recurse)
        applied = t.cast(t.Self, super()._apply(fn, recurse))  # type: ignore[no-untyped-call]
        # A resumed run loads the optimizer's state before the module is moved. The step count stays on the CPU.
        for averages in self.optimizer.state.values():
            averages |= {name: fn(value) for name, value in averages.items() if name != "step"}
        return applied

    @property
    def perception(self) -> Perception:
        """Feature maps that discriminators and perceptual distance share."""
        return self._still[0]

    @property
    def prior(self) -> priors.Prior | None:
        """What codes are drawn from, if anything."""
        return self._still[1]

    def prepare(self, photographs: Tensor, prior: priors.Prior | None) -> None:
        """Calibrate features on photographs ``(N, 3, S, S)``, and take the prior to draw from."""
        self.perception.calibrate(F.interpolate(photographs, size=SIDE, mode="area"))
        if prior is not None:
            prior = prior.to(photographs.device).requires_grad_(False).eval()
        self._still = (self.perception, prior)

    def look_at(self, batches: t.Iterable[Tensor]) -> None:
        """Take the features of all photographs, in batches ``(N, 3, S, S)``, which pictures shall drift to."""
        photographs = drifting.in_units(self.perception, batches)
        for crowd in self.crowds:
            crowd.look_at(*photographs)

    @torch.no_grad()
    def beside(self, codes: Tensor, generator: torch.Generator) -> Tensor:
        """Codes ``(N, D)`` of photographs, then draws from the prior, then points between two of the photographs."""
        config, prior = self.config, self.prior
        more = []
        if prior is not None:
            noise = torch.randn(config.drawn, prior.noise_dim, generator=generator).to(codes.device)
            more.append(prior(noise))
        ends = torch.randint(len(codes), (2, config.midpoints), generator=generator).to(codes.device)
        share = 0.2 + 0.6 * torch.rand(config.midpoints, 1, generator=generator).to(codes.device)
        return torch.cat((codes, *more, torch.lerp(codes[ends[0]], codes[ends[1]], share)))

    def views(self, photographs: Tensor, decoded: Tensor, generator: torch.Generator) -> list[View]:
        """What each discriminator is shown; the same is done to a photograph and to its reconstruction."""
        views = []
        for index in range(len(self.discriminators)):
            shown = [photographs, decoded]
            if index:
                row, column = torch.randint(self.size - SIDE + 1, (2,), generator=generator).tolist()
                shown = [images[:, :, row : row + SIDE, column : column + SIDE] for images in shown]
            elif self.size > SIDE:
                shown = [F.interpolate(images, size=SIDE, mode="area") for images in shown]
            augmented = discriminator.augmentation(len(decoded), shown[0].shape[2], generator)
            real, made = (augmented(images).contiguous(memory_format=torch.channels_last) for images in shown)
            views.append(View(real, made))
        return views

    def drift(self, decoded: Tensor, photographs: int, generator: torch.Generator) -> Tensor:
        """Drift loss of decoded pictures ``(N, 3, S, S)``, the first so many of photographs; each kind by itself."""
        midpoints = self.config.midpoints
        kinds = [photographs, len(decoded) - photographs - midpoints, midpoints]
        sets = [torch.split(each, kinds) for each in drifting.features(self.perception, decoded)]
        losses = [
            crowd.loss(seen, generator) * len(seen[0])
            for crowd, seen in zip(self.crowds, zip(*sets, strict=True), strict=True)
            if len(seen[0])
        ]
        return torch.stack(losses).sum() / len(decoded)

    def terms(self, views: t.Sequence[View]) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Let the discriminators learn from views; returns perceptual distance, generator's loss, and what to log."""
        seen = []
        for photographs, decoded in views:
            with torch.no_grad():
                real = self.perception(photographs)
            seen.append((real, self.perception(decoded)))
        logs = self.learn([(real, [found.detach() for found in made]) for real, made in seen])
        distance = torch.stack([
            perceptual_distance(real, [found[: len(real[0])] for found in made]) for real, made in seen
        ]).mean()  # fmt: skip
        scored = (network(made) for network, (_, made) in zip(self.discriminators, seen, strict=True))
        loss = torch.stack([discriminator.generator_loss(scores) for scores in scored]).mean()
        return distance, loss, {"perceptual_distance": distance.detach(), "generator_loss": loss.detach(), **logs}

    def learn(self, seen: t.Sequence[tuple[list[Tensor], list[Tensor]]]) -> dict[str, Tensor]:
        """One step of the discriminators on maps of photographs and of decoded pictures; returns what to log."""
        losses, accuracies = [], []
        for weight in self.trained:
            weight.requires_grad_(True)
        for network, (real, made) in zip(self.discriminators, seen, strict=True):
            scores = network([torch.cat(pair) for pair in zip(real, made, strict=True)])
            right, wrong = [each[: len(real[0])] for each in scores], [each[len(real[0]) :] for each in scores]
            losses.append(discriminator.discriminator_loss(right, wrong))
            accuracies.append(discriminator.discriminator_accuracy(right, wrong))
        loss = torch.stack(losses).sum()
        gradients = torch.autograd.grad(loss, self.trained)
        for weight, gradient in zip(self.trained, gradients, strict=True):
            if torch.distributed.is_initialized():
                torch.distributed.all_reduce(gradient)
                gradient.div_(torch.distributed.get_world_size())
            weight.grad = gradient
            weight.requires_grad_(False)
        if torch.nn.utils.get_total_norm(gradients).isfinite():
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return {
            "discriminator_loss": loss.detach() / len(losses),
            "discriminator_accuracy": torch.stack(accuracies).mean(),
        }

    def measure(self, reconstruction: Tensor, terms: t.Sequence[Tensor], last_layer: Tensor) -> None:
        """Set `pull` so that each of three terms has a gradient as large as the reconstruction's at ``last_layer``."""
        of_reconstruction, *of_terms = (
            torch.autograd.grad(loss, last_layer, retain_graph=True)[0].float().norm()
            for loss in (reconstruction, *terms)
        )
        # A term that has no gradient yet says nothing of how strongly it will pull.
        pull = torch.stack([
            torch.where(norm > 1e-8, (of_reconstruction / norm).clamp(max=1e4), before)
            for norm, before in zip(of_terms, self.pull, strict=True)
        ])  # fmt: skip
        if torch.distributed.is_initialized():
            torch.distributed.all_reduce(pull)
            pull /= torch.distributed.get_world_size()
        if pull.isfinite().all():
            self.pull.copy_(pull)


def load_prior(path: pathlib.Path) -> priors.Prior:
    """The prior of released weights, or a flow from its checkpoint (``.ckpt``) with the noise it is released with.

    Raises
    ------
    ValueError
        The file holds neither.
    """
    from ..release import released

    if path.suffix != ".ckpt":
        return released.load(path).prior
    flow = released.load_flow(path)
    flow.reduce_noise()
    return flow
