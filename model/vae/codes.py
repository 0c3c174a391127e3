"""Codes of images: the means of their posteriors, which a prior is fitted to."""

import typing as t

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..data import prepared

Array: t.TypeAlias = NDArray[np.float32]

#: Images per pass through the encoder.
BATCH = 64


@torch.inference_mode()
def encode(encoder: nn.Module, images: prepared.Images, change: t.Callable[[Tensor], Tensor] | None = None) -> Array:
    """Posterior means of a split, ``(N, D)``; ``change`` is made to each batch of pixels first."""
    codes = []
    for start in range(0, len(images), BATCH):
        pixels = prepared.as_float(images.__getitems__(list(range(start, min(start + BATCH, len(images))))))
        codes.append(encoder(change(pixels) if change else pixels)[0])
    return t.cast(Array, torch.cat(codes).numpy())


def encode_mirrored(encoder: nn.Module, images: prepared.Images) -> Array:
    """Posterior means of a split, those of the mirrored images after them: ``(2N, D)``."""
    return np.concatenate([encode(encoder, images), encode(encoder, images, lambda pixels: pixels.flip(3))])
