"""Encoder and decoder, built from one configuration: no class per recipe."""

import dataclasses
import itertools
import typing as t

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import canvas

#: The log aspect ratio as a latent: divided by about its standard deviation over photographs of cars.
ASPECT_SCALE = 0.2

#: Log-variances are clamped to this range, in nats; beyond it exp() over- or underflows in half precision.
LOG_VARIANCE_RANGE = (-10.0, 10.0)

Module = t.TypeVar("Module", bound=nn.Module)

Head = t.Literal["grid", "flatten", "pool"]
Upsampling = t.Literal["nearest", "transposed"]
Last = t.Literal["subpixel", "transposed", "convolution"]


@dataclasses.dataclass(frozen=True)
class NetworkConfig:
    """What a recipe says of the network.

    Parameters
    ----------
    image_size, channels
        Side of the square in pixels, colour channels.
    linear
        Fully connected layers of ``widths`` units and their mirror image, instead of convolutions.
    widths
        Channels after each halving of the resolution, from the image inwards.
    blocks
        Residual blocks at each of those resolutions; empty for none.
    head
        What the posterior is read from: each cell of the innermost ``grid``, all of it ``flatten``-ed, or its
        average ``pool``.
    latents
        Latent numbers: per cell of the grid, or in total.
    decoder_widths
        Channels from the decoder's first grid outwards, each twice the resolution of the one before; empty mirrors
        ``widths``.
    decoder_blocks
        Residual blocks at each of those resolutions; empty for none.
    upsampling
        ``nearest`` after a 1x1 convolution, or 3x3 ``transposed`` convolutions.
    last
        How the image is made of the last channels: ``subpixel`` (Shi et al. 2016) and ``transposed`` convolutions
        double the resolution once more, a 3x3 ``convolution`` does not.
    output
        Range of the last layer; ``tanh`` is moved to [0, 1] inside the decoder.
    slope
        Of the leaky ReLU below zero.
    centred
        Move pixels from [0, 1] to [-1, 1] before the first layer.
    halved
        The encoder sees the picture at half its size: one that was trained at 128 px then serves a decoder of 256.
    aspect
        Stretch the photograph over the square and carry its aspect ratio as the last latent (`model.vae.canvas`).
    """

    image_size: int = 128
    channels: int = 3
    linear: bool = False
    widths: tuple[int, ...] = (32, 64, 128, 192)
    blocks: tuple[int, ...] = ()
    head: Head = "grid"
    latents: int = 8
    decoder_widths: tuple[int, ...] = ()
    decoder_blocks: tuple[int, ...] = ()
    upsampling: Upsampling = "nearest"
    last: Last = "subpixel"
    output: t.Literal["sigmoid", "tanh"] = "sigmoid"
    slope: float = 0.1
    centred: bool = True
    halved: bool = False
    aspect: bool = False

    def __post_init__(self) -> None:
        for name in ("image_size", "channels", "latents"):
            if getattr(self, name) < 1:
                raise ValueError(f"network.{name}: {getattr(self, name)} is not at least 1")
        for name, values in (("widths", self.widths), ("decoder_widths", self.outward)):
            if not values or min(values) < 1:
                raise ValueError(f"network.{name}: {values} must be numbers of channels of at least 1")
        for name, blocks, widths in (
            ("blocks", self.blocks, self.widths),
            ("decoder_blocks", self.decoder_blocks, self.outward),
        ):
            if blocks and len(blocks) != len(widths):
                raise ValueError(f"network.{name}: {blocks} must have one entry for each of {widths}, or none")
        if self.linear:
            return
        halvings, doublings = len(self.widths) + self.halved, len(self.outward) - (self.last == "convolution")
        if self.image_size % 2**halvings or self.image_size % 2**doublings:
            raise ValueError(
                f"network.image_size: {self.image_size} is not divisible by {2 ** max(halvings, doublings)}"
            )
        if self.head == "grid" and self.grid_size != self.decoder_grid_size:
            raise ValueError(
                f"network.decoder_widths: {self.outward} start from {self.decoder_grid_size}x{self.decoder_grid_size} "
                f"cells, the encoder ends on {self.grid_size}x{self.grid_size}"
            )

    def extends(self, other: t.Self) -> bool:
        """Whether weights of another network fit this one, which may have one more doubling in its decoder."""
        if self.halved and not other.halved and self.outward[:-1] == other.outward:
            blocks = (*other.decoder_blocks, *self.decoder_blocks[-1:]) if other.decoder_blocks else ()
            size = 2 * other.image_size
            other = dataclasses.replace(
                other, image_size=size, halved=True, decoder_widths=self.outward, decoder_blocks=blocks
            )
        return other == self

    @property
    def outward(self) -> tuple[int, ...]:
        """The decoder's widths, from its first grid outwards."""
        return self.decoder_widths or self.widths[::-1]

    @property
    def encoder_size(self) -> int:
        """Side of the picture that the encoder's first layer sees."""
        return self.image_size >> self.halved

    @property
    def grid_size(self) -> int:
        """Side of the encoder's innermost grid."""
        return self.encoder_size >> len(self.widths)

    @property
    def decoder_grid_size(self) -> int:
        """Side of the grid that the decoder starts from."""
        return self.image_size >> (len(self.outward) - (self.last == "convolution"))

    @property
    def latent_dim(self) -> int:
        """Latent numbers per image, the aspect ratio included."""
        return self.latents * (self.code_side**2 or 1)

    @property
    def code_side(self) -> int:
        """Side of the grid that a code is, in cells; 0 if it is none."""
        return 0 if self.linear or self.head != "grid" else self.grid_size

    @property
    def learnt_dim(self) -> int:
        """Latent numbers that the encoder learns: all but the aspect ratio, which is measured."""
        return self.latent_dim - self.aspect


def convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution and batch norm, which export folds into the convolution."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with a skip connection (He et al. 2016, post-activation)."""

    def __init__(self, width: int, slope: float) -> None:
        super().__init__()
        last = convolution(width, width)
        self.body = nn.Sequential(convolution(width, width), nn.LeakyReLU(slope, inplace=True), last)
        self.out = nn.LeakyReLU(slope, inplace=True)
        # Starts as the identity, which lets deep stacks learn from the first step (Goyal et al. 2017).
        nn.init.zeros_(t.cast(Tensor, last[1].weight))

    def forward(self, x: Tensor) -> Tensor:
        return t.cast(Tensor, self.out(x + self.body(x)))


def linear_layers(sizes: tuple[int, ...], slope: float) -> list[nn.Module]:
    """Fully connected layers between ``sizes``, an activation after each."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(slope, inplace=True)]
    return layers


class Encoder(nn.Module):
    """Images ``(N, C, S, S)`` in [0, 1] to the posterior's mean and log-variance, ``(N, D)`` each."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.aspect, self.centred, self.halved = config.aspect, config.centred, config.halved
        self.body = nn.Sequential(*(self._linear(config) if config.linear else self._convolutional(config)))
        width, outputs = config.widths[-1], 2 * config.latents
        if not config.linear and config.head == "grid":
            self.posterior: nn.Module = nn.Conv2d(width, outputs, 1)
        else:
            cells = config.grid_size**2 if config.head == "flatten" and not config.linear else 1
            self.posterior = nn.Linear(width * cells, outputs)

    @staticmethod
    def _linear(config: NetworkConfig) -> list[nn.Module]:
        pixels = config.channels * config.encoder_size**2
        return [nn.Flatten(), *linear_layers((pixels, *config.widths), config.slope)]

    @staticmethod
    def _convolutional(config: NetworkConfig) -> list[nn.Module]:
        layers: list[nn.Module] = []
        inputs = config.channels
        for width, blocks in zip(config.widths, config.blocks or (0,) * len(config.widths), strict=True):
            layers += [convolution(inputs, width, stride=2), nn.LeakyReLU(config.slope, inplace=True)]
            layers += [ResidualBlock(width, config.slope) for _ in range(blocks)]
            inputs = width
        if config.head == "pool":
            layers.append(nn.AdaptiveAvgPool2d(1))
        return layers if config.head == "grid" else [*layers, nn.Flatten()]

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        if self.aspect:
            log_aspect = canvas.log_aspect(images)
        if self.halved:
            images = F.avg_pool2d(images, 2)
        if self.aspect:
            images = canvas.stretch(images, log_aspect)
        pixels = images * 2 - 1 if self.centred else images
        mean, log_variance = self.posterior(self.body(pixels)).float().chunk(2, 1)
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
        self.aspect, self.tanh = config.aspect, config.output == "tanh"
        self.image = (config.channels, config.image_size, config.image_size)
        grid = config.head == "grid" and not config.linear
        self.grid = (config.latents, config.grid_size, config.grid_size) if grid else (config.latents,)
        self.body = nn.Sequential(*(self._linear(config) if config.linear else self._convolutional(config)))

    @staticmethod
    def _linear(config: NetworkConfig) -> list[nn.Module]:
        sizes = (config.latents, *config.outward)
        return [*linear_layers(sizes, config.slope), nn.Linear(sizes[-1], config.channels * config.image_size**2)]

    @staticmethod
    def _convolutional(config: NetworkConfig) -> list[nn.Module]:
        widths, blocks = config.outward, config.decoder_blocks or (0,) * len(config.outward)
        if config.head == "grid":
            layers: list[nn.Module] = [convolution(config.latents, widths[0])]
        else:
            first = (widths[0], config.decoder_grid_size, config.decoder_grid_size)
            layers = [nn.Linear(config.latents, first[0] * first[1] * first[2]), nn.Unflatten(1, first)]
        layers.append(nn.LeakyReLU(config.slope, inplace=True))
        layers += [ResidualBlock(widths[0], config.slope) for _ in range(blocks[0])]
        for inputs, width, count in zip(widths, widths[1:], blocks[1:], strict=False):
            if config.upsampling == "transposed":
                layers += [_transposed(inputs, width, bias=False), nn.BatchNorm2d(width)]
                layers += [nn.LeakyReLU(config.slope, inplace=True)]
            else:
                # 1x1 before up-sampling: a quarter of the work of the other order, and the same result.
                layers += [convolution(inputs, width, kernel=1), nn.Upsample(scale_factor=2)]
                layers += [] if count else [convolution(width, width), nn.LeakyReLU(config.slope, inplace=True)]
            layers += [ResidualBlock(width, config.slope) for _ in range(count)]
        if config.last == "subpixel":
            return [*layers, nn.Conv2d(widths[-1], 4 * config.channels, 3, padding=1), nn.PixelShuffle(2)]
        if config.last == "transposed":
            return [*layers, _transposed(widths[-1], config.channels)]
        return [*layers, nn.Conv2d(widths[-1], config.channels, 3, padding=1)]

    @property
    def last_weight(self) -> Tensor:
        """Of the layer that makes the image: gradients at it weigh the terms of a loss against each other."""
        last = next(layer for layer in reversed(self.body) if not isinstance(layer, nn.PixelShuffle))
        return t.cast(Tensor, last.weight)

    def stretched(self, z: Tensor) -> Tensor:
        """Images ``(N, C, S, S)`` before they are resized into their rectangles."""
        latent = z
        if self.aspect:
            latent = torch.cat((z[:, :-1], torch.zeros_like(z[:, -1:])), 1)
        values = self.body(latent.reshape(-1, *self.grid)).float().reshape(-1, *self.image)
        return torch.tanh(values) / 2 + 0.5 if self.tanh else torch.sigmoid(values)

    def forward(self, z: Tensor) -> Tensor:
        images = self.stretched(z)
        return canvas.letterbox(images, z[:, -1] * ASPECT_SCALE) if self.aspect else images


def channels_last(module: Module) -> Module:
    """The module with its convolutions in the layout that is fastest on CPUs."""
    # Not in torch's annotations of `to`.
    return t.cast(Module, module.to(memory_format=torch.channels_last))  # type: ignore[call-overload]


def _transposed(inputs: int, outputs: int, *, bias: bool = True) -> nn.ConvTranspose2d:
    """A 3x3 transposed convolution that doubles the resolution."""
    return nn.ConvTranspose2d(inputs, outputs, 3, 2, padding=1, output_padding=1, bias=bias)
