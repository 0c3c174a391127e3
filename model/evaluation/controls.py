"""Photographs spoilt on purpose: a score that doesn't put them below photographs is blind to that fault."""

import typing as t

import torch
from torch import Tensor
from torch.nn import functional as F

Control = t.Callable[[Tensor, torch.Generator], Tensor]

#: Deviation of the noise, for pixels in [0, 1].
NOISE = 0.2


def cross_fades(images: Tensor, generator: torch.Generator) -> Tensor:
    """Pixel averages of two photographs."""
    return (images + images.roll(1, 0)) / 2


def blown_up(images: Tensor, generator: torch.Generator) -> Tensor:
    """Photographs of 16 px, enlarged."""
    small = F.interpolate(images, size=(16, 16), mode="bilinear", antialias=True, align_corners=False)
    return F.interpolate(small, size=images.shape[2:], mode="bicubic", align_corners=False).clamp(0, 1)


def shuffled(images: Tensor, generator: torch.Generator) -> Tensor:
    """Photographs cut into 4x4 blocks, which change places; those of each in its own way."""
    count, channels, side, _ = images.shape
    block = side // 4
    cut = images[:, :, : 4 * block, : 4 * block].reshape(count, channels, 4, block, 4, block)
    blocks = cut.permute(0, 2, 4, 1, 3, 5).flatten(1, 2)
    order = torch.stack([torch.randperm(16, generator=generator) for _ in range(count)])
    moved = blocks[torch.arange(count)[:, None], order].reshape(count, 4, 4, channels, block, block)
    out = images.clone()
    out[:, :, : 4 * block, : 4 * block] = moved.permute(0, 3, 1, 4, 2, 5).reshape(count, channels, 4 * block, 4 * block)
    return out


def halves(images: Tensor, generator: torch.Generator) -> Tensor:
    """The left half of one photograph beside the right half of another."""
    middle = images.shape[3] // 2
    return torch.cat((images[:, :, :, :middle], images.roll(1, 0)[:, :, :, middle:]), 3)


def upside_down(images: Tensor, generator: torch.Generator) -> Tensor:
    """Photographs upside down."""
    return images.flip(2)


def noise(images: Tensor, generator: torch.Generator) -> Tensor:
    """Photographs with noise of deviation `NOISE` in each pixel."""
    return (images + NOISE * torch.randn(images.shape, generator=generator)).clamp(0, 1)


CONTROLS: dict[str, Control] = {
    "cross-fades of two": cross_fades,
    "16 px, enlarged": blown_up,
    "4x4 blocks shuffled": shuffled,
    "halves of two": halves,
    "upside down": upside_down,
    "noise": noise,
}
