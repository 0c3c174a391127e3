"""A prior that flows: a learnt velocity field carries noise to codes (flow matching, Lipman et al. 2023).

The field works on the codes' principal axes, without whitening: otherwise the few wide axes, which define the car,
would be lost among hundreds of narrow ones.
"""

import dataclasses
import typing as t

import torch
from torch import Tensor

from .priors import Prior
from .velocity import GROUPS, DenseVelocity, GridVelocity

#: Principal axes that define the car, and the share of their noise that the others, which hold texture, keep when cars
#: are drawn; `Flow.reduce_noise` says why.
ON_GRID, WITHOUT_GRID = (256, 0.6), (160, 0.3)


@dataclasses.dataclass(frozen=True)
class FlowConfig:
    """The velocity field's size, and how it is followed.

    Parameters
    ----------
    latent_dim
        Latent numbers per code, D.
    side
        Of the grid that a code is, in cells; 0 if it is none.
    width, depth
        Units of a layer, or channels of a convolution on a grid; residual blocks.
    dropout
        Share of a block's units left out in training.
    steps
        Midpoint steps from noise to code, two evaluations of the field each.
    """

    latent_dim: int
    side: int = 0
    width: int = 512
    depth: int = 4
    dropout: float = 0.1
    steps: int = 3

    def __post_init__(self) -> None:
        for name in ("latent_dim", "width", "depth", "steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)} is not at least 1")
        if self.side < 0 or (self.side and self.latent_dim % self.side**2):
            raise ValueError(f"side: {self.latent_dim} latents are no grid of {self.side} x {self.side} cells")
        if self.side and self.width % GROUPS:
            raise ValueError(f"width: {self.width} is no multiple of {GROUPS}, as a grid's must be")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout: {self.dropout} is not at least 0 and below 1")


def _full_precision(x: Tensor) -> torch.autocast:
    """Full precision between codes and axes: the narrowest axes would be lost in the rounding errors of the widest."""
    return torch.autocast(x.device.type, enabled=False)


class Flow(Prior):
    """Follows a velocity field from noise to codes. What it draws is set by `reduce_noise`."""

    origin: Tensor
    axes: Tensor
    unit: Tensor
    noise_scale: Tensor
    place_scale: Tensor
    variances: Tensor

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        self.config, self.noise_dim = config, config.latent_dim
        self.velocity = GridVelocity(config) if config.side else DenseVelocity(config)
        self.register_buffer("origin", torch.zeros(config.latent_dim))
        self.register_buffer("axes", torch.eye(config.latent_dim))
        self.register_buffer("unit", torch.tensor(1.0))
        self.register_buffer("noise_scale", torch.ones(config.latent_dim))
        self.register_buffer("place_scale", torch.ones(config.latent_dim))
        if config.side:
            self.register_buffer("variances", torch.ones(config.latent_dim))

    def standardise(self, codes: Tensor) -> None:
        """Set origin and principal axes, widest first, from codes ``(N, D)``; the unit is their overall deviation."""
        self.origin.copy_(codes.mean(0))
        centred = codes - self.origin
        # The covariance matrix is small. Its eigenvectors come in order of rising variance.
        variances, vectors = torch.linalg.eigh((centred.T @ centred / len(codes)).double())
        self.axes.copy_(vectors.T.flip(0))
        self.unit.copy_(variances.mean().sqrt())
        if self.config.side:
            self.variances.copy_(variances.flip(0) / variances.mean())

    def velocity_at(self, places: Tensor, times: Tensor) -> Tensor:
        """Velocities ``(N, D)`` of places on the principal axes, at times ``(N, 1)`` in [0, 1]."""
        return self._velocity(places, self.velocity.modulation(times), self._gaussian(times))

    def _gaussian(self, times: Tensor) -> Tensor:
        """What places are multiplied with for the velocity that is right for Gaussian codes, ``(N, D)``.

        That velocity is known: the mean of (code - noise) on each axis, given the place. On a grid the network adds to
        it; the other one learns such a factor itself.
        """
        if not self.config.side:
            return torch.zeros_like(times)
        with _full_precision(times):
            left = 1 - times
            return (times * self.variances - left) / (times.square() * self.variances + left.square())

    def _velocity(self, places: Tensor, modulation: Tensor, gaussian: Tensor) -> Tensor:
        if not self.config.side:
            return t.cast(Tensor, self.velocity(places, modulation))
        with _full_precision(places):
            codes = places @ self.axes
        found = self.velocity(codes, modulation).float()
        with _full_precision(places):
            return t.cast(Tensor, found @ self.axes.T + gaussian * places)

    @torch.inference_mode()
    def reduce_noise(self, wide: int | None = None, texture: float | None = None) -> None:
        """Give the axes after the first ``wide`` only ``texture`` of their noise (`ON_GRID`, `WITHOUT_GRID`).

        These axes hold texture. A small model learns how much texture there is, but not where it belongs; with little
        noise, texture follows the wide axes, which define the car. That alone would blur the pictures, so half of the
        deviation that the samples lost on these axes is restored (on a log scale). ``texture`` 1 leaves the flow as it
        was trained.

        Raises
        ------
        ValueError
            ``wide`` or ``texture`` is out of its range.
        """
        usual_wide, usual_texture = ON_GRID if self.config.side else WITHOUT_GRID
        wide = min(usual_wide, self.noise_dim) if wide is None else wide
        texture = usual_texture if texture is None else texture
        if not 0 <= wide <= self.noise_dim:
            raise ValueError(f"wide axes: {wide} is not within 0 and {self.noise_dim}")
        if not 0 <= texture <= 1:
            raise ValueError(f"texture: {texture} is not within 0 and 1")
        noise = torch.randn(500, self.noise_dim, generator=torch.Generator().manual_seed(0))
        self.noise_scale.fill_(1)
        self.place_scale.fill_(1)
        full = self.placed(self(noise)).std(0)
        self.noise_scale[wide:] = texture
        left = self.placed(self(noise)).std(0)
        self.place_scale[wide:] = (full / left).clamp(1, 4).sqrt()[wide:]

    def placed(self, codes: Tensor) -> Tensor:
        """Codes ``(N, D)`` on the principal axes, in units: where the velocity field ends."""
        with _full_precision(codes):
            return (codes - self.origin) @ self.axes.T / self.unit

    def schedule(self) -> tuple[Tensor, Tensor]:
        """What `step` needs of the times of each step: ``(steps, 2, M)`` and ``(steps, 2, D)``."""
        steps = self.config.steps
        # One time for all rows, so that what depends on it alone is a constant in the exported function.
        times = torch.arange(2 * steps, dtype=torch.float32, device=self.origin.device)[:, None] / (2 * steps)
        modulations, gaussians = self.velocity.modulation(times), self._gaussian(times)
        return modulations.reshape(steps, 2, -1), gaussians.reshape(steps, 2, -1)

    def step(self, places: Tensor, modulations: Tensor, gaussians: Tensor) -> Tensor:
        """Follow the velocity from places ``(N, D)`` for one midpoint step, at two times of the `schedule`."""
        size = 1.0 / self.config.steps
        half = places + 0.5 * size * self._velocity(places, modulations[:1], gaussians[:1])
        return places + size * self._velocity(half, modulations[1:], gaussians[1:])

    def forward(self, noise: Tensor) -> Tensor:
        places = noise * self.noise_scale
        modulations, gaussians = self.schedule()
        for index in range(self.config.steps):
            places = self.step(places, modulations[index], gaussians[index])
        with _full_precision(places):
            return self.origin + (places * self.place_scale * self.unit) @ self.axes
