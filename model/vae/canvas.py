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
    # By pairs of channels: ONNX Runtime takes three times as long for a minimum along an axis.
    darkest = images[:, 0]
    for channel in range(1, images.shape[1]):
        darkest = torch.minimum(darkest, images[:, channel])
    vertical = _share_between_bars(darkest.amin(2) > WHITE)
    horizontal = _share_between_bars(darkest.amin(1) > WHITE)
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
    return _resample(images, _positions(images.shape[2], height), _positions(images.shape[3], width))


def letterbox(images: Tensor, aspect: Tensor) -> Tensor:
    """Undo `stretch`: squeeze the square into its rectangle, on white."""
    height, width = shares(aspect)
    rows, columns = _positions(images.shape[2], 1 / height), _positions(images.shape[3], 1 / width)
    squeezed = _resample(images, rows, columns)
    inside = (rows.abs() <= 1)[:, None, :, None] & (columns.abs() <= 1)[:, None, None, :]
    return torch.where(inside, squeezed, torch.ones_like(squeezed))


def _positions(length: int, scale: Tensor) -> Tensor:
    """Where to sample a side, ``(N, length)``: its pixels' centres in [-1, 1] times ``scale``, ``(N, 1, 1)``."""
    centres = (torch.arange(length, device=scale.device) * 2 + 1).float() / length - 1
    return centres * scale.flatten(1)


def _resample(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Bilinear samples of ``images`` at ``rows`` x ``columns``, as `grid_sample` has them with border padding.

    Rows and columns are independent. Copying whole rows twice takes a quarter of the time of two matrix products, which
    take a sixth of that of `grid_sample`.
    """
    return _between_rows(_between_rows(images, rows).transpose(2, 3), columns).transpose(2, 3)


def _between_rows(images: Tensor, positions: Tensor) -> Tensor:
    """Linear interpolation between the two rows of ``images``, ``(N, C, L, W)``, nearest to each position."""
    _, channels, length, width = images.shape
    source = (((positions + 1) * length - 1) / 2).clamp(0, length - 1)
    above = source.floor()
    below = (above + 1).clamp(max=length - 1)
    # Taken from `positions`: from the images, ONNX's exporter would store the example's batch size as a constant.
    number = positions.shape[0] * channels
    first = (torch.arange(number, device=images.device) * length).view(-1, channels, 1)
    rows = images.reshape(-1, width)

    def take(index: Tensor) -> Tensor:
        return rows.index_select(0, (first + index.long()[:, None]).flatten()).view(-1, channels, length, width)

    upper, lower = take(above), take(below)
    return upper + (lower - upper) * (source - above)[:, None, :, None]
