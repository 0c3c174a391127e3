"""The car's own rectangle: cut the white bars off a letterboxed square, and put them back.

Letterboxing leaves a third of the pixels white, and two photographs with bars of different heights can only be
cross-faded. Inside the model the photograph is therefore stretched over the whole square, its log aspect ratio is
carried beside the latent, and the stretch is undone on output. Both steps are part of the traced functions.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

#: A pixel counts as white above this value of every channel; 254/255 is 0.996.
WHITE = 0.995

#: Bars hide at most this share of a side, so a blank picture still has a rectangle: aspect ratios up to 4:1.
MAX_LOG_ASPECT = 1.3863


def log_aspect(images: Tensor) -> Tensor:
    """Measure log(width / height) of the rectangle between symmetric white bars.

    Parameters
    ----------
    images : Tensor
        ``(N, C, H, W)`` in [0, 1], letterboxed on white.

    Returns
    -------
    Tensor
        ``(N,)``, within ``±MAX_LOG_ASPECT``; 0 where there are no bars.
    """
    white = images.amin(1) > WHITE
    vertical = _share_between_bars(white.all(2))
    horizontal = _share_between_bars(white.all(1))
    # A car cut out on white has margins on all four sides: the larger pair counts, the other stays in the picture.
    log_height, log_width = vertical.log(), horizontal.log()
    return torch.where(log_height < log_width, -log_height, log_width).clamp(-MAX_LOG_ASPECT, MAX_LOG_ASPECT)


def _share_between_bars(white: Tensor) -> Tensor:
    """Share of a side, ``(N,)`` in (0, 1], left between two equal bars; ``white`` is ``(N, L)``."""
    length = white.shape[1]
    index = torch.arange(length, device=white.device).expand_as(white)
    first = torch.where(white, length, index).amin(1)
    last = torch.where(white, -1, index).amax(1)
    bar = torch.minimum(first, length - 1 - last).clamp(0, length // 2 - 1)
    return (length - 2 * bar).float() / length


def shares(aspect: Tensor) -> tuple[Tensor, Tensor]:
    """Height and width of the rectangle as shares of the square, ``(N, 1, 1)`` each, from log aspect ``(N,)``."""
    aspect = aspect.clamp(-MAX_LOG_ASPECT, MAX_LOG_ASPECT)[:, None, None]
    return torch.exp(-F.relu(aspect)), torch.exp(-F.relu(-aspect))


def stretch(images: Tensor, aspect: Tensor) -> Tensor:
    """Stretch the rectangle between the bars over the whole square; shapes as `log_aspect`."""
    height, width = shares(aspect)
    return F.grid_sample(images, _grid(images, height, width), padding_mode="border", align_corners=False)


def letterbox(images: Tensor, aspect: Tensor) -> Tensor:
    """Undo `stretch`: squeeze the square into its rectangle, on white."""
    height, width = shares(aspect)
    grid = _grid(images, 1 / height, 1 / width)
    squeezed = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    inside = (grid.abs().amax(3) <= 1).unsqueeze(1)
    return torch.where(inside, squeezed, torch.ones_like(squeezed))


def _grid(images: Tensor, height: Tensor, width: Tensor) -> Tensor:
    """Sampling positions ``(N, H, W, 2)``: pixel centres of the square, scaled by each image's factors."""
    rows, columns = images.shape[2], images.shape[3]
    y = (torch.arange(rows, device=images.device) * 2 + 1).float() / rows - 1
    x = (torch.arange(columns, device=images.device) * 2 + 1).float() / columns - 1
    grid_y = (y[None, :, None] * height).expand(-1, rows, columns)
    grid_x = (x[None, None, :] * width).expand(-1, rows, columns)
    return torch.stack((grid_x, grid_y), 3)
