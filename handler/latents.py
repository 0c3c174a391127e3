"""Latent vectors: noise that a seed names, and the way from one vector to another."""

import math
import typing as t

import numpy as np
from numpy.typing import NDArray

Array: t.TypeAlias = NDArray[np.float32]

#: Largest index of a car: one word of what its random stream is seeded with.
MAX_INDEX = 2**32 - 1

#: Largest seed: the largest integer that JavaScript and JSON keep exact.
MAX_SEED = 2**53 - 1


def noise(seed: int, index: int, size: int) -> Array:
    """Draw the standard normal numbers of car `index` of `seed`.

    Each car has its own random stream, so the number of cars in a request never changes any of them.

    Parameters
    ----------
    seed : int
        0 to `MAX_SEED`.
    index : int
        Place within the seed, 0 to `MAX_INDEX`.
    size : int
        How many numbers, K.

    Returns
    -------
    Array
        ``(1, K)`` float32.
    """
    # spawn_key keeps (seed, index) pairs apart; plain entropy words are zero-padded and would let some collide.
    stream = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(index,))))
    return stream.standard_normal((1, size)).astype(np.float32)


def lerp(start: Array, end: Array, share: float) -> Array:
    """Go `share` (0 to 1) of the straight way from `start` to `end`, ``(1, D)`` each; exact at both ends."""
    return ((1 - share) * start.astype(np.float64) + share * end.astype(np.float64)).astype(np.float32)


def slerp(start: Array, end: Array, share: float) -> Array:
    """Go `share` (0 to 1) of the arc from `start` to `end`, ``(1, D)`` each; exact at both ends.

    Gaussian codes have nearly equal lengths, which the arc keeps and the straight line does not; unequal lengths change
    evenly. Where there is no unique arc (parallel, opposite or zero vectors) this is `lerp`.
    """
    a, b = start.astype(np.float64), end.astype(np.float64)
    lengths = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    if min(lengths) == 0:
        return lerp(start, end, share)
    a, b = a / lengths[0], b / lengths[1]
    angle = math.acos(np.clip(np.sum(a * b), -1, 1))
    if math.sin(angle) < 1e-4:
        return lerp(start, end, share)
    direction = (math.sin((1 - share) * angle) * a + math.sin(share * angle) * b) / math.sin(angle)
    length = (1 - share) * lengths[0] + share * lengths[1]
    return t.cast(Array, (length * direction).astype(np.float32))


METHODS = {"lerp": lerp, "slerp": slerp}
