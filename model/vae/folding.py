"""Networks that no longer learn, with fewer or faster layers."""

import copy
import itertools

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .networks import Module


def fold_batch_norm(module: Module) -> Module:
    """A copy in which each convolution followed by a batch norm is one convolution."""
    folded = copy.deepcopy(module).eval()
    for parent in list(folded.modules()):
        children = list(parent.children())
        for index, (first, second) in enumerate(itertools.pairwise(children)):
            if not isinstance(parent, nn.Sequential):
                continue
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                parent[index] = fuse_conv_bn_eval(first, second)
                parent[index + 1] = nn.Identity()
    return folded


def shuffle_by_convolution(folded: Module) -> Module:
    """The module, changed: each pixel shuffle behind a convolution copies the same pixels by a transposed convolution.

    ONNX Runtime does that in a quarter of the time of its own operator (docs/performance.md).
    """
    for parent in list(folded.modules()):
        for index, (first, second) in enumerate(itertools.pairwise(list(parent.children()))):
            if not isinstance(parent, nn.Sequential):
                continue
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.PixelShuffle):
                inputs, factor = first.out_channels, second.upscale_factor
                outputs = inputs // factor**2
                copying = nn.ConvTranspose2d(inputs, outputs, factor, stride=factor, bias=False)
                # Each input channel becomes one pixel of one output channel's square.
                copying.weight = nn.Parameter(torch.eye(inputs).view(inputs, outputs, factor, factor), False)
                parent[index + 1] = copying
    return folded
