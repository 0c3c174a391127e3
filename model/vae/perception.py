"""Feature maps of a network trained on ImageNet, and the distance between two pictures in them."""

import typing as t

import torch
from torch import Tensor, nn

from .efficientnet import EfficientNetLite

#: Blocks of EfficientNet-Lite0 whose maps are taken, at a quarter, an eighth, a sixteenth and a thirty-second of the
#: picture's side, and the channels of each.
BLOCKS, CHANNELS = (2, 4, 10, 15), (24, 40, 112, 320)


class Perception(nn.Module):
    """Feature maps of EfficientNet-Lite0 at four scales, each in units of its deviation over photographs."""

    unit: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.network = EfficientNetLite("lite0")
        self.register_buffer("unit", torch.ones(len(BLOCKS)))

    @torch.no_grad()
    def calibrate(self, photographs: Tensor) -> None:
        """Measure the deviations over photographs ``(N, 3, S, S)`` in [0, 1]."""
        self.unit.copy_(torch.stack([found.float().std() for found in self.network.maps(photographs, BLOCKS)]))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Maps ``(N, C, s, s)`` of images ``(N, 3, S, S)`` in [0, 1]."""
        maps = self.network.maps(images, BLOCKS)
        return [found / unit.to(found.dtype) for found, unit in zip(maps, self.unit, strict=True)]


def perceptual_distance(one: t.Sequence[Tensor], other: t.Sequence[Tensor]) -> Tensor:
    """Mean absolute difference of two sets of maps, averaged over the scales; a scalar (Johnson et al. 2016)."""
    return torch.stack([(a.float() - b.float()).abs().mean() for a, b in zip(one, other, strict=True)]).mean()
