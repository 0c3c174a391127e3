"""Networks that no longer learn, with fewer layers."""

import copy
import itertools

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
