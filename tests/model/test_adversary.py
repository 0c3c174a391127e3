import dataclasses

import pytest
import torch

from model.adversary import Adversary, AdversaryConfig, balanced

SHARP = AdversaryConfig(weight=1.0, widths=(8, 16), learning_rate=2e-3)


def stripes(images: int) -> torch.Tensor:
    """Pictures that are either white or black at every pixel."""
    return (torch.rand(images, 3, 16, 16) > 0.5).float()


def test_a_discriminator_learns_to_tell_sharp_from_soft() -> None:
    torch.manual_seed(0)
    adversary = Adversary(SHARP, 3)
    sharp = stripes(16)
    soft = torch.nn.functional.avg_pool2d(sharp, 3, 1, 1)
    losses = [float(adversary.learn(soft, sharp)) for _ in range(60)]
    assert losses[0] == pytest.approx(2, abs=0.5)
    assert losses[-1] < 0.5


def test_its_term_is_lower_for_the_photograph_itself() -> None:
    torch.manual_seed(0)
    adversary = Adversary(SHARP, 3)
    sharp = stripes(16)
    soft = torch.nn.functional.avg_pool2d(sharp, 3, 1, 1)
    for _ in range(60):
        adversary.learn(soft, sharp)
    assert adversary.term(sharp, sharp) < adversary.term(soft, sharp)


def test_energy_asks_for_as_much_detail_as_the_photograph_has() -> None:
    adversary = Adversary(dataclasses.replace(SHARP, features=0.0, energy=100.0), 3)
    sharp = stripes(8)
    terms = [float(adversary.term(sharp * share, sharp)) for share in (0.5, 1.0, 1.5)]
    assert terms[1] < min(terms[0], terms[2]) - 10


def test_its_weights_get_no_gradient_from_the_decoders_loss() -> None:
    adversary = Adversary(SHARP, 3)
    decoded = torch.rand(4, 3, 16, 16, requires_grad=True)
    adversary.term(decoded, stripes(4)).backward()
    assert decoded.grad is not None
    assert all(parameter.grad is None for parameter in adversary.parameters())


def test_a_step_with_a_number_that_is_none_leaves_it_as_it_was() -> None:
    adversary = Adversary(SHARP, 3)
    before = [parameter.clone() for parameter in adversary.parameters()]
    adversary.learn(torch.full((4, 3, 16, 16), torch.nan), stripes(4))
    assert all(torch.equal(*pair) for pair in zip(before, adversary.parameters(), strict=True))


def test_balanced_terms_pull_with_the_stated_share() -> None:
    layer = torch.randn(5, requires_grad=True)
    elbo, term = (3 * layer).square().sum(), (layer - 1).abs().sum()
    scaled = balanced(elbo, term, layer, 0.25)
    of_elbo, of_term = (torch.autograd.grad(loss, layer)[0].norm() for loss in (elbo, scaled))
    assert of_term / of_elbo == pytest.approx(0.25)


@pytest.mark.parametrize(("step", "weight"), [(0, 0.0), (9, 0.0), (10, 0.25), (11, 0.5), (13, 1.0), (99, 1.0)])
def test_the_decoder_listens_from_a_step_on(step: int, weight: float) -> None:
    assert AdversaryConfig(weight=1.0, start_step=10, ramp_steps=4).weight_at(step) == weight


@pytest.mark.parametrize("values", [{"weight": -1.0}, {"learning_rate": float("nan")}, {"widths": ()}])
def test_a_wrong_value_is_named(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"adversary.{next(iter(values))}"):
        AdversaryConfig(**values)  # type: ignore[arg-type]
