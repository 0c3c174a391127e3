"""Whether an upload looks like a car to the networks: its distance from photographs of cars.

The numbers that sum a photograph up are those of `model/release/plausibility.py`, which measured the photographs and
chose the threshold; a test holds the two together.
"""

import numpy as np

from .bundle import Plausibility
from .latents import Array

#: Added to squares before their logarithm.
FLOOR = 1e-6


def distance(known: Plausibility, mean: Array, log_variance: Array, pixels: Array, decoded: Array) -> float:
    """Mahalanobis distance of one upload from photographs.

    Parameters
    ----------
    known : Plausibility
        What photographs are like.
    mean, log_variance : array
        Of the encoder, ``(1, D)``.
    pixels, decoded : array
        The upload as the encoder took it, bars included, and what the decoder made of ``mean``; of one shape.
    """
    mse = np.mean((pixels - np.clip(decoded, 0, 1)) ** 2)
    size = np.square(mean.astype(np.float64)).reshape(known.groups, -1).mean(1)
    sureness = log_variance.astype(np.float64).reshape(known.groups, -1).mean(1)
    away = np.concatenate([np.log(size + FLOOR), sureness, [np.log(mse + FLOOR)]]) - known.mean
    return float(np.sqrt(max(0.0, away @ np.array(known.precision) @ away)))
