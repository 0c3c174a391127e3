"""Velocity fields: the networks that a flow (`.flow`) follows from noise to a code."""

import math
import typing as t

import torch
from torch import Tensor, nn

if t.TYPE_CHECKING:
    from .flow import FlowConfig

#: Numbers that a time is described by: sines and cosines of these frequencies.
TIME = 128
FREQUENCIES = 1000 * torch.logspace(0, -3, TIME // 2 + 1)[:-1]

#: Groups of channels that `GridBlock` normalises; channels and units of its part that sees the whole grid.
GROUPS, SEEN, UNITS = 8, 8, 256


def start_at_zero(layer: nn.Module) -> None:
    """Make a layer return zeros until it has learnt."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


def waves(times: Tensor, frequencies: Tensor) -> Tensor:
    """Describe times ``(N, 1)`` in [0, 1] by sines and cosines ``(N, TIME)``."""
    angles = times * frequencies
    return torch.cat((angles.sin(), angles.cos()), 1)


class Timed(nn.Module):
    """A velocity field whose blocks and last layer are shifted and scaled by the time (Peebles and Xie 2023)."""

    frequencies: Tensor
    blocks: nn.ModuleList

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("frequencies", FREQUENCIES.clone(), persistent=False)
        self.time = nn.Sequential(nn.Linear(TIME, TIME), nn.SiLU())

    def end(self) -> nn.Module:
        """The layer that makes the last layer's shifts and scales of the time."""
        raise NotImplementedError

    def modulation(self, times: Tensor) -> Tensor:
        """Shifts, scales and gains ``(N, M)`` at times ``(N, 1)`` in [0, 1]: all that depends on the time alone."""
        time = self.time(waves(times, self.frequencies))
        layers = [*(block.get_submodule("timed") for block in self.blocks), self.end()]
        return torch.cat([layer(time) for layer in layers], 1)


class DenseBlock(nn.Module):
    """Two layers with a skip connection."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.layers = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Dropout(dropout), nn.Linear(width, width))
        self.timed = nn.Linear(TIME, 3 * width)
        start_at_zero(self.layers[3])  # as the identity
        start_at_zero(self.timed)

    def forward(self, x: Tensor, modulation: Tensor) -> Tensor:
        shift, scale, gain = modulation.chunk(3, 1)
        return t.cast(Tensor, x + (1 + gain) * self.layers(self.norm(x) * (1 + scale) + shift))


class DenseVelocity(Timed):
    """Places between noise and code on the principal axes ``(N, D)``, and their times' `modulation`, to velocities."""

    def __init__(self, config: "FlowConfig") -> None:
        super().__init__()
        self.dim, self.width = dim, width = config.latent_dim, config.width
        self.inward = nn.Linear(dim, width)
        self.blocks = nn.ModuleList(DenseBlock(width, config.dropout) for _ in range(config.depth))
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.outward = nn.Linear(width, dim)
        self.gains = nn.Linear(TIME, 2 * dim)
        start_at_zero(self.outward)
        start_at_zero(self.gains)

    def end(self) -> nn.Module:
        return self.gains

    def forward(self, places: Tensor, modulation: Tensor) -> Tensor:
        *blocks, gains = torch.split(modulation, [3 * self.width] * len(self.blocks) + [2 * self.dim], 1)
        x = self.inward(places)
        for block, own in zip(self.blocks, blocks, strict=True):
            x = block(x, own)
        # For Gaussian codes, the velocity is the place times one number per axis and time.
        gain, along = gains.chunk(2, 1)
        return t.cast(Tensor, self.outward(self.norm(x)) * (1 + gain) + along * places)


class GroupNorm(nn.Module):
    """Brings groups of channels to mean 0 and deviation 1. PyTorch's own can't be traced without a warning."""

    def __init__(self, width: int, side: int) -> None:
        super().__init__()
        self.shape, self.size = (width, side, side), width // GROUPS * side * side

    def forward(self, x: Tensor) -> Tensor:
        groups = x.reshape(-1, GROUPS, self.size)
        return nn.functional.layer_norm(groups, (self.size,)).reshape(-1, *self.shape)


class GridBlock(nn.Module):
    """Convolutions, and layers that see the whole grid, with a skip connection."""

    def __init__(self, width: int, side: int, dropout: float) -> None:
        super().__init__()
        self.side, cells = side, side * side
        self.norm = GroupNorm(width, side)
        self.near = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1)
        )
        self.narrow, self.widen = nn.Conv2d(width, SEEN, 1), nn.Conv2d(SEEN, width, 1)
        self.far = nn.Sequential(
            nn.Linear(SEEN * cells, UNITS), nn.SiLU(), nn.Dropout(dropout), nn.Linear(UNITS, SEEN * cells)
        )
        self.timed = nn.Linear(TIME, 3 * width)
        for layer in (self.near[2], self.widen, self.timed):
            start_at_zero(layer)

    def forward(self, x: Tensor, modulation: Tensor) -> Tensor:
        shift, scale, gain = modulation[:, :, None, None].chunk(3, 1)
        moved = self.norm(x) * (1 + scale) + shift
        # Sizes are constants: ONNX Runtime would compute them anew from each tensor.
        far = self.far(self.narrow(moved).reshape(-1, SEEN * self.side**2))
        far = self.widen(far.reshape(-1, SEEN, self.side, self.side))
        return t.cast(Tensor, x + (1 + gain) * (self.near(moved) + far))


class GridVelocity(Timed):
    """Places between noise and code ``(N, D)``, in the codes' own order, and their times' `modulation`, to velocities.

    Codes of a convolutional encoder form a grid whose cells describe neighbouring parts of the picture. With weights
    shared by all cells far more is learnt from a few thousand codes than with `DenseVelocity`.
    """

    def __init__(self, config: "FlowConfig") -> None:
        super().__init__()
        side, self.width = config.side, config.width
        self.grid = (config.latent_dim // side**2, side, side)
        self.inward = nn.Conv2d(self.grid[0], self.width, 3, padding=1)
        self.position = nn.Parameter(0.02 * torch.randn(1, self.width, side, side))
        self.blocks = nn.ModuleList(GridBlock(self.width, side, config.dropout) for _ in range(config.depth))
        self.norm = GroupNorm(self.width, side)
        self.timed = nn.Linear(TIME, 2 * self.width)
        self.outward = nn.Conv2d(self.width, self.grid[0], 3, padding=1)
        start_at_zero(self.timed)
        start_at_zero(self.outward)

    def end(self) -> nn.Module:
        return self.timed

    def forward(self, places: Tensor, modulation: Tensor) -> Tensor:
        *blocks, last = torch.split(modulation, [3 * self.width] * len(self.blocks) + [2 * self.width], 1)
        x = self.inward(places.reshape(-1, *self.grid)) + self.position
        for block, own in zip(self.blocks, blocks, strict=True):
            x = block(x, own)
        shift, scale = last[:, :, None, None].chunk(2, 1)
        return t.cast(Tensor, self.outward(self.norm(x) * (1 + scale) + shift).reshape(-1, math.prod(self.grid)))
