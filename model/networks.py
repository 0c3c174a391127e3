"""Encoder and decoder, built from one configuration: no class a recipe."""

import dataclasses
import typing as t

import torch
from torch import Tensor, nn

from . import canvas

#: The log aspect ratio as a latent: divided by about its standard deviation over photographs of cars.
ASPECT_SCALE = 0.2

#: Log-variances are clamped to this range, in nats; beyond it exp() over- or underflows in half precision.
LOG_VARIANCE_RANGE = (-10.0, 10.0)


@dataclasses.dataclass(frozen=True)
class NetworkConfig:
    """What a recipe says of the network.

    Parameters
    ----------
    image_size, channels
        Side of the square in pixels, colour channels.
    widths
        Channels after each halving of the resolution, from the image inwards; the decoder mirrors them.
    encoder_blocks, decoder_blocks
        Residual blocks at each of those resolutions, same order.
    grid_channels
        Latent numbers a cell of the innermost grid.
    aspect
        Stretch the photograph over the square and carry its aspect ratio as the last latent (`model.canvas`).
    """

    image_size: int = 128
    channels: int = 3
    widths: tuple[int, ...] = (32, 64, 128, 192)
    encoder_blocks: tuple[int, ...] = (0, 1, 1, 2)
    decoder_blocks: tuple[int, ...] = (1, 1, 2, 2)
    grid_channels: int = 8
    aspect: bool = True

    def __post_init__(self) -> None:
        depth = len(self.widths)
        if not depth == len(self.encoder_blocks) == len(self.decoder_blocks):
            raise ValueError(
                f"network: widths {self.widths}, encoder_blocks {self.encoder_blocks} and decoder_blocks "
                f"{self.decoder_blocks} must have the same length"
            )
        if self.image_size % 2**depth:
            raise ValueError(f"network.image_size: {self.image_size} is not divisible by {2**depth}")

    @property
    def grid_size(self) -> int:
        """Side of the innermost grid."""
        return self.image_size >> len(self.widths)

    @property
    def latent_dim(self) -> int:
        """Latent numbers an image, the aspect ratio included."""
        return self.grid_channels * self.grid_size * self.grid_size

    @property
    def learnt_dim(self) -> int:
        """Latent numbers that the encoder learns: all but the aspect ratio, which is measured."""
        return self.latent_dim - self.aspect


def activation() -> nn.Module:
    """Leaky ReLU: as cheap as ReLU, without dead channels."""
    return nn.LeakyReLU(0.1, inplace=True)


def convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution and batch norm, which export folds into the convolution."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside the identity (He et al. 2016, post-activation)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(convolution(width, width), activation(), convolution(width, width))
        self.out = activation()
        nn.init.zeros_(t.cast(Tensor, self.body[2][1].weight))  # type: ignore[index]

    def forward(self, x: Tensor) -> Tensor:
        return t.cast(Tensor, self.out(x + self.body(x)))


class Encoder(nn.Module):
    """Images ``(N, C, S, S)`` in [0, 1] to the posterior's mean and log-variance, ``(N, D)`` each."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.aspect = config.aspect
        layers: list[nn.Module] = []
        inputs = config.channels
        for width, blocks in zip(config.widths, config.encoder_blocks, strict=True):
            layers += [convolution(inputs, width, stride=2), activation()]
            layers += [ResidualBlock(width) for _ in range(blocks)]
            inputs = width
        self.body = nn.Sequential(*layers)
        self.posterior = nn.Conv2d(inputs, 2 * config.grid_channels, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        if self.aspect:
            log_aspect = canvas.log_aspect(images)
            images = canvas.stretch(images, log_aspect)
        mean, log_variance = self.posterior(self.body(images * 2 - 1)).float().chunk(2, 1)
        mean, log_variance = mean.flatten(1), log_variance.flatten(1).clamp(*LOG_VARIANCE_RANGE)
        if self.aspect:
            known = (log_aspect / ASPECT_SCALE).unsqueeze(1)
            mean = torch.cat((mean[:, :-1], known), 1)
            log_variance = torch.cat((log_variance[:, :-1], torch.full_like(known, LOG_VARIANCE_RANGE[0])), 1)
        return mean, log_variance


class Decoder(nn.Module):
    """Latents ``(N, D)`` to images ``(N, C, S, S)`` in [0, 1]."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.aspect = config.aspect
        self.grid = (config.grid_channels, config.grid_size, config.grid_size)
        widths, blocks = config.widths[::-1], config.decoder_blocks[::-1]
        layers: list[nn.Module] = [convolution(config.grid_channels, widths[0]), activation()]
        for index, width in enumerate(widths):
            if index:
                # 1x1 before up-sampling: a quarter of the work of the other order, and the same result.
                layers += [convolution(widths[index - 1], width, kernel=1), nn.Upsample(scale_factor=2)]
                layers += [convolution(width, width), activation()] if not blocks[index] else []
            layers += [ResidualBlock(width) for _ in range(blocks[index])]
        layers += [nn.Conv2d(widths[-1], 4 * config.channels, 3, padding=1), nn.PixelShuffle(2)]
        self.body = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        latent = z
        if self.aspect:
            latent = torch.cat((z[:, :-1], torch.zeros_like(z[:, -1:])), 1)
        images = torch.sigmoid(self.body(latent.reshape(-1, *self.grid)).float())
        if self.aspect:
            images = canvas.letterbox(images, z[:, -1] * ASPECT_SCALE)
        return images
