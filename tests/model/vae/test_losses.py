import math
import typing as t

import hypothesis
import hypothesis.strategies as st
import pytest
import torch
from torch.overrides import TorchFunctionMode

from model.vae import losses
from model.vae.losses import LossConfig, Posterior


def test_kl_agrees_with_torchs_own() -> None:
    mean, log_variance = torch.randn(4, 7), torch.randn(4, 7)
    normal = torch.distributions.Normal(mean, (log_variance / 2).exp())
    expected = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0))
    assert torch.allclose(Posterior(mean, log_variance).kl(), expected, atol=1e-5)


@hypothesis.given(st.floats(-5, 5), st.floats(-9, 9))
def test_kl_is_never_negative(mean: float, log_variance: float) -> None:
    assert Posterior(torch.tensor([[mean]]), torch.tensor([[log_variance]])).kl().item() >= -1e-6


def test_sigma_loss_is_the_gaussian_likelihood_at_its_best_variance() -> None:
    images, targets = torch.rand(3, 1, 4, 4), torch.rand(3, 1, 4, 4)
    deviation = (images - targets).square().mean().sqrt()
    expected = -torch.distributions.Normal(images, deviation).log_prob(targets).sum((1, 2, 3)).mean()
    assert losses.reconstruction_nats(images, targets, "sigma").item() == pytest.approx(expected.item(), rel=1e-5)


def test_mse_and_bce_are_summed_over_pixels_and_averaged_over_the_batch() -> None:
    images, targets = torch.full((2, 1, 3, 3), 0.5), torch.zeros(2, 1, 3, 3)
    assert losses.reconstruction_nats(images, targets, "mse").item() == pytest.approx(9 * 0.25)
    assert losses.reconstruction_nats(images, targets, "bce").item() == pytest.approx(9 * math.log(2))


def test_psnr_of_a_known_error() -> None:
    assert losses.psnr(torch.full((1, 3, 2, 2), 0.6), torch.full((1, 3, 2, 2), 0.5)).item() == pytest.approx(
        20, abs=1e-3
    )


def test_beta_warms_up_linearly_and_stays() -> None:
    config = LossConfig(beta=2.0, warmup_steps=4)
    assert [config.beta_at(step) for step in (0, 1, 3, 100)] == [0.5, 1.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("values", "named"),
    [({"reconstruction": "l1"}, "l1"), ({"beta": -1}, "-1"), ({"beta": math.nan}, "nan"), ({"warmup_steps": -3}, "-3")],
)
def test_a_wrong_objective_is_named(values: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        LossConfig(**values)  # type: ignore[arg-type]


def test_the_bernoulli_likelihood_is_worked_out_in_full_precision() -> None:
    """On a GPU autocast refuses it otherwise."""
    seen: list[bool] = []

    class Watching(TorchFunctionMode):
        def __torch_function__(self, call: t.Any, types: t.Any, args: t.Any = (), kwargs: t.Any = None) -> t.Any:
            if getattr(call, "__name__", "") == "binary_cross_entropy":
                seen.append(torch.is_autocast_enabled("cpu"))
            return call(*args, **(kwargs or {}))

    images, targets = torch.rand(3, 1, 4, 4), torch.rand(3, 1, 4, 4)
    with torch.autocast("cpu", torch.bfloat16), Watching():
        losses.reconstruction_nats(images, targets, "bce")
    assert seen == [False]


def test_a_loss_of_values_from_minus_one_to_one_bounds_the_psnr_of_the_same_values_from_zero_to_one() -> None:
    images, targets = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8)
    squared_error = float((2 * images - 2 * targets).square().mean())
    decibels = float(losses.psnr(images, targets))
    assert losses.psnr_at_least(squared_error) == pytest.approx(decibels, abs=1e-3)
    assert losses.psnr_at_least(squared_error + 0.1) < decibels


def test_the_psnr_that_docs_train_md_derives_from_what_the_originals_reported() -> None:
    bounds = [round(losses.psnr_at_least(loss), 1) for loss in (0.0041, 0.0117, 0.0128, 0.088, 0.139)]
    assert bounds == [29.9, 25.3, 24.9, 16.6, 14.6]


@pytest.mark.parametrize("values", [(0.0, 2.0), (-0.1, 2.0), (math.nan, 2.0), (0.1, 0.0)])
def test_a_loss_that_bounds_nothing_is_refused(values: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        losses.psnr_at_least(*values)
