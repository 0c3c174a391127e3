"""A prior that flows: a learnt velocity field carries noise to codes (flow matching, Lipman et al. 2023).

The field works on the codes' principal axes, without whitening: otherwise the few wide axes, which define the car,
would be lost among hundreds of narrow ones.
"""

import dataclasses
import typing as t

import torch
from torch import Tensor, nn

from .priors import Prior

#: Principal axes that make the car; those after them hold texture.
WIDE = 160

#: Share of their noise that the other axes keep when cars are drawn; `Flow.reduce_noise` says why.
TEXTURE = 0.3


@dataclasses.dataclass(frozen=True)
class FlowConfig:
    """The velocity field's size, and how it is followed.

    Parameters
    ----------
    latent_dim
        Latent numbers per code, D.
    width, depth
        Units of a layer, residual blocks of two layers.
    dropout
        Share of a block's units left out in training.
    steps
        Midpoint steps from noise to code, two evaluations of the field each.
    """

    latent_dim: int
    width: int = 512
    depth: int = 4
    dropout: float = 0.1
    steps: int = 5

    def __post_init__(self) -> None:
        for name in ("latent_dim", "width", "depth", "steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)} is not at least 1")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout: {self.dropout} is not at least 0 and below 1")


def _start_at_zero(layer: nn.Module) -> None:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


def _full_precision(x: Tensor) -> torch.autocast:
    """Full precision between codes and axes: the narrowest axes would be lost in the rounding errors of the widest."""
    return torch.autocast(x.device.type, enabled=False)


class Block(nn.Module):
    """Two layers with a skip connection, shifted and scaled by the time (Peebles and Xie 2023)."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.layers = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Dropout(dropout), nn.Linear(width, width))
        self.timed = nn.Linear(128, 3 * width)
        _start_at_zero(self.layers[3])  # as the identity
        _start_at_zero(self.timed)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        shift, scale, gain = self.timed(time).chunk(3, 1)
        return t.cast(Tensor, x + (1 + gain) * self.layers(self.norm(x) * (1 + scale) + shift))


class Velocity(nn.Module):
    """Places between noise and code on the principal axes ``(N, D)`` at times ``(N, 1)`` in [0, 1] to velocities."""

    frequencies: Tensor

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        dim, width = config.latent_dim, config.width
        self.register_buffer("frequencies", 1000 * torch.logspace(0, -3, 65)[:-1], persistent=False)
        self.time = nn.Sequential(nn.Linear(128, 128), nn.SiLU())
        self.inward = nn.Linear(dim, width)
        self.blocks = nn.ModuleList(Block(width, config.dropout) for _ in range(config.depth))
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.outward = nn.Linear(width, dim)
        self.gains = nn.Linear(128, 2 * dim)
        _start_at_zero(self.outward)
        _start_at_zero(self.gains)

    def forward(self, places: Tensor, times: Tensor) -> Tensor:
        angles = times * self.frequencies
        time = self.time(torch.cat((angles.sin(), angles.cos()), 1))
        x = self.inward(places)
        for block in self.blocks:
            x = block(x, time)
        # For Gaussian codes, the velocity is the place times one number per axis and time.
        gain, along = self.gains(time).chunk(2, 1)
        return t.cast(Tensor, self.outward(self.norm(x)) * (1 + gain) + along * places)


class Flow(Prior):
    """Follows a velocity field from noise to codes. What it draws is set by `reduce_noise`."""

    origin: Tensor
    axes: Tensor
    unit: Tensor
    noise_scale: Tensor
    place_scale: Tensor

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        self.config, self.noise_dim = config, config.latent_dim
        self.velocity = Velocity(config)
        self.register_buffer("origin", torch.zeros(config.latent_dim))
        self.register_buffer("axes", torch.eye(config.latent_dim))
        self.register_buffer("unit", torch.tensor(1.0))
        self.register_buffer("noise_scale", torch.ones(config.latent_dim))
        self.register_buffer("place_scale", torch.ones(config.latent_dim))

    def standardise(self, codes: Tensor) -> None:
        """Set origin and principal axes, widest first, from codes ``(N, D)``; the unit is their overall deviation."""
        self.origin.copy_(codes.mean(0))
        centred = codes - self.origin
        # The covariance matrix is small. Its eigenvectors come in order of rising variance.
        variances, vectors = torch.linalg.eigh((centred.T @ centred / len(codes)).double())
        self.axes.copy_(vectors.T.flip(0))
        self.unit.copy_(variances.mean().sqrt())

    @torch.inference_mode()
    def reduce_noise(self, wide: int | None = None, texture: float | None = None) -> None:
        """Give the axes after the first ``wide`` (`WIDE`) only ``texture`` (`TEXTURE`) of their noise.

        These axes hold texture. A small model learns how much texture there is, but not where it belongs; with little
        noise, texture follows the wide axes, which define the car. That alone would blur the pictures, so half of the
        deviation that the samples lost on these axes is restored (on a log scale). ``texture`` 1 leaves the flow as it
        was trained.

        Raises
        ------
        ValueError
            ``wide`` or ``texture`` is out of its range.
        """
        wide = min(WIDE, self.noise_dim) if wide is None else wide
        texture = TEXTURE if texture is None else texture
        if not 0 <= wide <= self.noise_dim:
            raise ValueError(f"wide axes: {wide} is not within 0 and {self.noise_dim}")
        if not 0 <= texture <= 1:
            raise ValueError(f"texture: {texture} is not within 0 and 1")
        noise = torch.randn(2000, self.noise_dim, generator=torch.Generator().manual_seed(0))
        self.noise_scale.fill_(1)
        self.place_scale.fill_(1)
        full = self.placed(self(noise)).std(0)
        self.noise_scale[wide:] = texture
        left = self.placed(self(noise)).std(0)
        self.place_scale[wide:] = (full / left).clamp(1, 4).sqrt()[wide:]

    @property
    def has_reduced_noise(self) -> bool:
        """Whether some axes have less than all of their noise."""
        return bool((self.noise_scale < 1).any())

    def placed(self, codes: Tensor) -> Tensor:
        """Codes ``(N, D)`` on the principal axes, in units: where the velocity field ends."""
        with _full_precision(codes):
            return (codes - self.origin) @ self.axes.T / self.unit

    def forward(self, noise: Tensor) -> Tensor:
        places = noise * self.noise_scale
        size = 1.0 / self.config.steps
        for step in range(self.config.steps):
            # One time for all rows, so that everything that depends on it alone is a constant in the exported function.
            time = torch.full((1, 1), step * size, device=noise.device)
            half = places + 0.5 * size * self.velocity(places, time)
            places = places + size * self.velocity(half, time + 0.5 * size)
        with _full_precision(places):
            return self.origin + (places * self.place_scale * self.unit) @ self.axes
