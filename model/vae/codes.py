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
    batches = prepared.in_batches(images, BATCH)
    codes = [encoder(change(pixels) if change else pixels)[0] for pixels in batches]
    return t.cast(Array, torch.cat(codes).numpy())


def encode_mirrored(encoder: nn.Module, images: prepared.Images) -> Array:
    """Posterior means of a split, those of the mirrored images after them: ``(2N, D)``."""
    return np.concatenate([encode(encoder, images), encode(encoder, images, lambda pixels: pixels.flip(3))])
