"""A linear decoder with Gaussian pixels: its likelihood and its posterior are known in closed form."""

import dataclasses
import math

import pytest
import torch
from torch import Tensor, nn

from model.evaluation.likelihood import Likelihood, likelihood
from model.vae import losses
from model.vae.losses import Posterior

LATENTS, PIXELS, VARIANCE = 3, (1, 2, 4), 0.3


class Linear(nn.Module):
    """x = W z + b + noise."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        # Orthogonal columns, so that the true posterior is a diagonal Gaussian, too.
        basis, _ = torch.linalg.qr(torch.randn(math.prod(PIXELS), LATENTS, generator=generator))
        self.weight = basis * torch.tensor([1.5, 1.0, 0.5])
        self.bias = torch.randn(math.prod(PIXELS), generator=generator)

    def forward(self, z: Tensor) -> Tensor:
        return (z @ self.weight.T + self.bias).view(-1, *PIXELS)

    def log_likelihood(self, images: Tensor) -> Tensor:
        covariance = self.weight @ self.weight.T + VARIANCE * torch.eye(len(self.bias))
        return torch.distributions.MultivariateNormal(self.bias, covariance).log_prob(images.flatten(1))


@dataclasses.dataclass
class Exact:
    """The true posterior of `Linear`, or one whose deviations are so many times too large."""

    decoder: Linear
    spread: float = 1.0

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        precision = self.decoder.weight.square().sum(0) / VARIANCE + 1
        mean = (images.flatten(1) - self.decoder.bias) @ self.decoder.weight / VARIANCE / precision
        return mean, (self.spread**2 / precision).log().expand_as(mean)


@pytest.fixture(scope="module")
def decoder() -> Linear:
    return Linear()


@pytest.fixture(scope="module")
def images(decoder: Linear) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    decoded = decoder(torch.randn(20, LATENTS, generator=generator))
    return decoded + VARIANCE**0.5 * torch.randn(decoded.shape, generator=generator)


def estimate(decoder: Linear, images: Tensor, spread: float, samples: int) -> Likelihood:
    encoder = Exact(decoder, spread)
    return likelihood(encoder, decoder, images, "mse", samples, variance=VARIANCE)  # type: ignore[arg-type]


def test_with_the_true_posterior_one_code_tells_the_likelihood(decoder: Linear, images: Tensor) -> None:
    found = estimate(decoder, images, 1.0, 1)
    expected = -decoder.log_likelihood(images)
    assert found.nll == pytest.approx(float(expected.mean()), abs=1e-4)
    assert found.elbo == pytest.approx(found.nll, abs=1e-6)
    assert found.nll_error == pytest.approx(float(expected.std()) / math.sqrt(20), rel=1e-3)


def test_with_a_worse_posterior_many_codes_find_the_likelihood_and_the_elbo_misses_it_by_the_divergence(
    decoder: Linear, images: Tensor
) -> None:
    found = estimate(decoder, images, 1.6, 5000)
    expected = -float(decoder.log_likelihood(images).mean())
    divergence = LATENTS * (0.5 * (1.6**2 - 1) - math.log(1.6))
    assert found.nll == pytest.approx(expected, abs=0.02)
    assert found.elbo == pytest.approx(expected + divergence, abs=0.05)


def test_few_codes_say_too_little_and_never_too_much_on_average(decoder: Linear, images: Tensor) -> None:
    found = [estimate(decoder, images, 1.6, samples).nll for samples in (1, 10, 1000)]
    assert found[0] > found[1] > found[2] > -float(decoder.log_likelihood(images).mean()) - 0.05


def test_of_binary_pixels_the_likelihood_is_the_sum_over_all_codes() -> None:
    """One latent, whose posterior is the prior: log p(x) by numerical integration."""

    def decoder(z: Tensor) -> Tensor:
        return torch.sigmoid(torch.cat((2 * z, -z), 1)).view(-1, 1, 1, 2)

    image = torch.tensor([1.0, 0.0]).view(1, 1, 1, 2)
    z = torch.linspace(-8, 8, 4001).unsqueeze(1)
    density = (
        torch.distributions.Normal(0, 1).log_prob(z[:, 0]).exp() * decoder(z)[:, 0, 0, 0] * (1 - decoder(z)[:, 0, 0, 1])
    )
    expected = -float(torch.trapezoid(density, z[:, 0]).log())
    standard = lambda x: (torch.zeros(len(x), 1), torch.zeros(len(x), 1))  # noqa: E731
    found = likelihood(standard, decoder, image.expand(50, 1, 1, 2), "bce", 4000)  # type: ignore[arg-type]
    assert found.nll == pytest.approx(expected, abs=0.01)


def test_the_bound_of_one_code_is_the_elbo() -> None:
    posterior = Posterior(torch.randn(2, 3), torch.randn(2, 3))
    decoder = nn.Sequential(nn.Linear(3, 4), nn.Sigmoid(), nn.Unflatten(1, (1, 2, 2)))
    noise, targets = torch.randn(2, 1, 3), torch.rand(2, 1, 2, 2)
    weights = losses.log_weights(decoder, posterior, noise, targets, "bce")
    codes = posterior.sample(noise[:, 0])
    deviation = (posterior.log_variance / 2).exp()
    expected = -torch.nn.functional.binary_cross_entropy(decoder(codes), targets, reduction="none").sum((1, 2, 3))
    expected = expected + torch.distributions.Normal(0.0, 1.0).log_prob(codes).sum(1)
    expected = expected - torch.distributions.Normal(posterior.mean, deviation).log_prob(codes).sum(1)
    assert torch.allclose(losses.importance_weighted(weights), expected, atol=1e-4)


def test_nothing_to_estimate_is_named(decoder: Linear, images: Tensor) -> None:
    with pytest.raises(ValueError, match="0 codes for each of 20 images"):
        estimate(decoder, images, 1.0, 0)
    with pytest.raises(ValueError, match="5 codes for each of 0 images"):
        estimate(decoder, images[:0], 1.0, 5)
