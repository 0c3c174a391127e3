"""Sheets of pictures: rows of equal pictures on white, for reports, evaluations and data sets alike."""

import typing as t

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.utils import make_grid

#: Pictures ``(N, H, W, 3)``, or one ``(H, W, 3)``.
Pixels: t.TypeAlias = NDArray[np.uint8]


def pixels(images: Tensor) -> Pixels:
    """``(N, C, H, W)`` in [0, 1] to ``(N, H, W, 3)`` uint8; one channel becomes grey."""
    colours = images.expand(-1, 3, -1, -1).permute(0, 2, 3, 1)
    return t.cast(Pixels, (colours * 255).round().to(torch.uint8).numpy())


def sheet(rows: t.Sequence[Pixels], gap: int = 0) -> Pixels:
    """Rows of pictures ``(N, H, W, 3)`` below each other, ``gap`` white pixels around each; shorter rows end in white.

    Returns
    -------
    Pixels
        ``(rows · (H + gap) + gap, columns · (W + gap) + gap, 3)``.
    """
    columns = max(len(row) for row in rows)
    full = [np.concatenate((row, np.full((columns - len(row), *row.shape[1:]), 255, np.uint8))) for row in rows]
    tiles = torch.from_numpy(np.concatenate(full)).permute(0, 3, 1, 2)
    if len(tiles) == 1:  # which make_grid returns without its gap
        return t.cast(Pixels, np.pad(full[0][0], ((gap, gap), (gap, gap), (0, 0)), constant_values=255))
    return t.cast(Pixels, make_grid(tiles, columns, gap, pad_value=255).permute(1, 2, 0).numpy())
