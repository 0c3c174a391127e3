"""Photographs with plain backgrounds: those whose four corners are of one colour."""

import typing as t

import numpy as np

from .prepared import Images

#: Share of the picture's sides that a corner takes.
CORNER = 0.2

#: A value above which a channel counts as the white of a letterbox's bars.
WHITE = 250


def plainest(images: Images, count: int) -> Images:
    """The images whose corners differ least, in their former order; all if there are no more than ``count``."""
    if len(images) <= count:
        return images
    differences = [difference(images.images[row]) for row in images.rows]
    return images.only(np.sort(np.argsort(differences, kind="stable")[:count]))


def difference(image: np.ndarray[t.Any, np.dtype[np.uint8]]) -> float:
    """How far the corners of an image ``(S, S, C)`` are from one colour: 0 to 255, and 0 for a blank image.

    White bars count as no part of the picture. For each corner and channel it is the median distance of its values from
    the median of all four, so a wheel in a corner does not count; the result is the mean over corners and channels.
    """
    inked = (image < WHITE).any(-1)
    rows, columns = np.flatnonzero(inked.any(-1)), np.flatnonzero(inked.any(0))
    if not len(rows):
        return 0.0
    picture = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
    height, width = (max(1, int(side * CORNER)) for side in picture.shape[:2])
    corners = np.stack([
        picture[row, column].reshape(-1, picture.shape[2])
        for row in (slice(height), slice(-height, None))
        for column in (slice(width), slice(-width, None))
    ])  # fmt: skip
    return float(np.median(np.abs(corners - np.median(corners, (0, 1))), 1).mean())
