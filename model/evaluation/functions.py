"""The functions of a bundle, which take and give arrays, as the model that `protocol` scores."""

import typing as t

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .paths import Interpolate
from .protocol import Model

Array: t.TypeAlias = NDArray[np.float32]


class Functions(t.Protocol):
    """What the server computes with; all arrays are float32."""

    def encode(self, images: Array) -> tuple[Array, Array]:
        """Images ``(N, C, S, S)`` in [0, 1] to means and log-variances ``(N, D)``."""

    def decode(self, latents: Array) -> Array:
        """Latents ``(N, D)`` to images ``(N, C, S, S)`` in [0, 1]."""

    def prior(self, noise: Array) -> Array:
        """Standard normal noise ``(N, K)`` to latents ``(N, D)``."""


def model(
    functions: Functions,
    noise: t.Callable[[int, int], Array],
    between: t.Mapping[str, t.Callable[[Array, Array, float], Array]],
) -> Model:
    """A model that is scored as it is served.

    Parameters
    ----------
    noise
        Noise ``(1, K)`` of a seed's random car, by its index.
    between
        Ways from one latent ``(1, D)`` to another by a share, by name.
    """

    def random(seed: int, count: int) -> Tensor:
        rows = np.concatenate([noise(seed, index) for index in range(count)])
        return torch.from_numpy(functions.prior(rows))

    return Model(
        encode=lambda images: torch.from_numpy(functions.encode(images.numpy())[0]),
        decode=lambda codes: torch.from_numpy(functions.decode(np.ascontiguousarray(codes.numpy()))),
        random=random,
        between={name: _on_tensors(its) for name, its in between.items()},
    )


def _on_tensors(between: t.Callable[[Array, Array, float], Array]) -> Interpolate:
    return lambda one, other, share: torch.from_numpy(between(one.numpy(), other.numpy(), share))
