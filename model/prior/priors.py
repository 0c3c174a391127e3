"""Distributions over latents that random cars are drawn from, behind one interface.

N(0, I), the prior of the ELBO, decodes to texture: the decoder has seen little of it. A density fitted to the codes of
the training images after training decodes to cars (Ghosh et al. 2020, "From Variational to Deterministic
Autoencoders", fit a Gaussian mixture in the same way).
"""

import math
import typing as t

import numpy as np
import torch
from torch import Tensor, nn

Array = np.ndarray[t.Any, np.dtype[np.float32]]


class Prior(nn.Module):
    """Maps standard normal noise ``(N, K)`` to latents ``(N, D)``; ``K`` is `noise_dim`."""

    noise_dim: int


class StandardNormal(Prior):
    """N(0, I), for comparison: the noise is the latent."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.noise_dim = latent_dim

    def forward(self, noise: Tensor) -> Tensor:
        return noise


class GaussianMixture(Prior):
    """Mixture of full-covariance Gaussians on the principal axes of the codes.

    The first two noise numbers choose the component by their direction alone, so scaling the noise (temperature)
    narrows each component without favouring any. The others are the place within it.

    Parameters
    ----------
    latent_dim, axes, components
        Latent numbers D, principal axes P, Gaussians in the mixture.
    """

    def __init__(self, latent_dim: int, axes: int, components: int) -> None:
        super().__init__()
        self.noise_dim = 2 + axes
        self.register_buffer("origin", torch.zeros(latent_dim))
        self.register_buffer("axes", torch.zeros(axes, latent_dim))
        self.register_buffer("cumulative_weights", torch.zeros(components))
        self.register_buffer("means", torch.zeros(components, axes))
        self.register_buffer("factors", torch.zeros(components, axes, axes))

    origin: Tensor
    axes: Tensor
    cumulative_weights: Tensor
    means: Tensor
    factors: Tensor

    def forward(self, noise: Tensor) -> Tensor:
        share = torch.atan2(noise[:, 1], noise[:, 0]) / (2 * math.pi) + 0.5
        component = (share.unsqueeze(1) > self.cumulative_weights[:-1]).sum(1)
        within = torch.matmul(self.factors[component], noise[:, 2:].unsqueeze(2)).squeeze(2)
        return self.origin + (self.means[component] + within) @ self.axes


def fit_gaussian_mixture(
    codes: Array, axes: int | None = None, components: int | None = None, seed: int = 0
) -> GaussianMixture:
    """Fit the mixture to codes ``(N, D)`` by expectation maximisation on their principal axes.

    By default it takes 160 axes and 24 components, or fewer where there are not three codes per axis and component.

    Raises
    ------
    ValueError
        Too few codes for this many axes and components.
    """
    from sklearn.decomposition import PCA
    from sklearn.mixture import GaussianMixture as Mixture

    if axes is None:
        axes = max(1, min(160, codes.shape[1], len(codes) // 3))
    if components is None:
        components = max(1, min(24, len(codes) // (3 * axes)))
    for name, value in (("axes", axes), ("components", components)):
        if value < 1:
            raise ValueError(f"{name}: {value} is not at least 1")
    if len(codes) < 2 * components or min(codes.shape) < axes:
        raise ValueError(f"{len(codes)} codes of {codes.shape[1]} numbers are too few for {components} x {axes} axes")
    pca = PCA(axes, random_state=seed).fit(codes)
    # The regulariser, relative to the smallest axis kept, stops a component from collapsing onto a few codes.
    mixture = Mixture(
        components, reg_covar=0.1 * float(pca.explained_variance_[-1]), max_iter=200, random_state=seed
    ).fit(pca.transform(codes))
    prior = GaussianMixture(codes.shape[1], axes, components)
    prior.load_state_dict(
        {
            "origin": _tensor(pca.mean_),
            "axes": _tensor(pca.components_),
            "cumulative_weights": _tensor(np.cumsum(mixture.weights_)),
            "means": _tensor(mixture.means_),
            "factors": _tensor(np.linalg.cholesky(mixture.covariances_)),
        }
    )
    return prior


def principal_directions(codes: Array, count: int = 8, names: t.Sequence[str] = ()) -> list[dict[str, t.Any]]:
    """The ``count`` directions of largest variance: unit vectors with the codes' mean and deviation along them.

    ``names`` say what the first directions visibly change, which a person has to find out. With names, only the named
    directions are returned, because the others change little that is visible. Directions without variance are left out.

    Raises
    ------
    ValueError
        There are more names than directions.
    """
    from sklearn.decomposition import PCA

    if len(names) > count:
        raise ValueError(f"{len(names)} names for {count} directions: {', '.join(names)}")
    named = list(names) or [f"direction {number}" for number in range(1, count + 1)]

    pca = PCA(min(count, *codes.shape), random_state=0).fit(codes)
    deviations = [round(float(variance) ** 0.5, 5) for variance in pca.explained_variance_]
    return [
        {
            "name": name,
            "sd": deviation,
            "mean": round(float(pca.mean_ @ axis), 5),
            # In double precision, or the rounded numbers would be written with all of their digits.
            "vector": axis.astype(np.float64).round(5).tolist(),
        }
        for name, axis, deviation in zip(named, pca.components_, deviations, strict=False)
        if deviation > 0  # with a single code it is NaN
    ]


def _tensor(values: t.Any) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
