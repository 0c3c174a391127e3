"""A discriminator that looks through a pretrained network, and what is done to pictures before it looks.

In the features of a network trained on ImageNet, a discriminator learns what photographs look like from few of them and
in few steps (Sauer et al. 2021, "Projected GANs Converge Faster").
"""

import typing as t

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from .perception import CHANNELS

#: Channels that the fixed random projections leave, and channels of the layers after them.
PROJECTED, WIDTH = 64, 128

#: Largest shift, as a share of the side; range of brightness and of saturation.
SHIFT, BRIGHTNESS, SATURATION = 0.1, 0.2, 0.5


class ProjectedDiscriminator(nn.Module):
    """One small network per scale of `Perception`; each says how much its map looks like a photograph's."""

    def __init__(self, channels: t.Sequence[int] = CHANNELS) -> None:
        super().__init__()
        self.projections = nn.ModuleList(nn.Conv2d(count, PROJECTED, 1, bias=False) for count in channels)
        # Fixed: a trained one would soon look at the few features that give decoded pictures away.
        self.projections.requires_grad_(False)
        self.scales = nn.ModuleList(_scale(halvings) for halvings in range(len(channels) - 1, -1, -1))

    def forward(self, maps: t.Sequence[Tensor]) -> list[Tensor]:
        """Scores ``(N, K)`` of each scale, high for photographs, from maps ``(N, C, s, s)``."""
        return [
            scale(projection(found)).flatten(1)
            for projection, scale, found in zip(self.projections, self.scales, maps, strict=True)
        ]


def _scale(halvings: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    inputs = PROJECTED
    for _ in range(halvings):
        # Spectral norm keeps it Lipschitz, so that its gradients stay useful (Miyato et al. 2018).
        layers += [spectral_norm(nn.Conv2d(inputs, WIDTH, 4, 2, 1)), nn.LeakyReLU(0.2)]
        inputs = WIDTH
    if not halvings:
        layers += [spectral_norm(nn.Conv2d(inputs, WIDTH, 1)), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, spectral_norm(nn.Conv2d(WIDTH, 1, 3, 1, 1)))


def discriminator_loss(real: t.Sequence[Tensor], decoded: t.Sequence[Tensor]) -> Tensor:
    """Hinge loss averaged over the scales (Lim and Ye 2017), a scalar; 2 for a discriminator that knows nothing."""
    losses = [F.relu(1 - a.float()).mean() + F.relu(1 + b.float()).mean() for a, b in zip(real, decoded, strict=True)]
    return torch.stack(losses).mean()


def generator_loss(decoded: t.Sequence[Tensor]) -> Tensor:
    """What the decoder is to lower so that its pictures pass for photographs, a scalar."""
    return -torch.stack([scores.float().mean() for scores in decoded]).mean()


def discriminator_accuracy(real: t.Sequence[Tensor], decoded: t.Sequence[Tensor]) -> Tensor:
    """Share of photographs and decoded pictures that are scored on the right side of zero, a scalar."""
    right = [((a > 0).float().mean() + (b < 0).float().mean()) / 2 for a, b in zip(real, decoded, strict=True)]
    return torch.stack(right).mean()


def augmentation(count: int, side: int, generator: torch.Generator) -> t.Callable[[Tensor], Tensor]:
    """Mirror, shift, and change light and colour of ``count`` pictures, drawn once and applied as often as needed.

    The discriminator sees nothing else, so it does not memorise the photographs; the gradient goes through, so
    the decoder does not learn to draw shifted pictures (Zhao et al. 2020, "Differentiable Augmentation").

    Parameters
    ----------
    count, side
        Pictures, and their side in pixels.
    generator
        On the CPU: the same numbers on every device.

    Returns
    -------
    callable
        Takes and returns ``(N, 3, side, side)``, N at most ``count``: each call does the same to its first pictures.
    """
    mirrored = torch.rand(count, generator=generator) < 0.5
    margin = int(side * SHIFT)
    rows, columns = torch.randint(-margin, margin + 1, (2, count, 1), generator=generator)
    brightness = (torch.rand(count, 1, 1, 1, generator=generator) * 2 - 1) * BRIGHTNESS
    saturation = 1 + (torch.rand(count, 1, 1, 1, generator=generator) * 2 - 1) * SATURATION
    places = torch.arange(side)
    # Edges are repeated: the discriminator would soon recognise bars of one colour.
    row, column = (places + rows).clamp(0, side - 1), (places + columns).clamp(0, side - 1)
    column = torch.where(mirrored[:, None], column.flip(1), column)

    def apply(images: Tensor) -> Tensor:
        device, first = images.device, slice(len(images))
        # Rows and columns are few, but they index every pixel, so the index is computed on the device.
        index = (row[first, :, None].to(device) * side + column[first, None, :].to(device)).flatten(1)
        moved = images.flatten(2).gather(2, index[:, None].expand(-1, images.shape[1], -1)).view_as(images)
        grey = moved.mean(1, keepdim=True)
        return grey + (moved - grey) * saturation[first].to(device) + brightness[first].to(device)

    return apply
