import pytest
import torch

from model.prior.priors import StandardNormal
from model.training.adversary import Adversary, AdversaryConfig


@pytest.fixture(scope="module")
def adversary() -> Adversary:
    torch.manual_seed(0)
    made = Adversary(AdversaryConfig(weight=1.0, drawn=3, midpoints=2), 64)
    made.prepare(torch.rand(4, 3, 64, 64), StandardNormal(5))
    return made


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_codes_of_photographs_come_first_then_draws_then_points_between(adversary: Adversary) -> None:
    codes = torch.full((4, 5), 7.0)
    beside = adversary.beside(codes, seeded())
    assert beside.shape == (4 + 3 + 2, 5)
    assert torch.equal(beside[:4], codes)
    assert not (beside[4:7] == 7).any()
    assert torch.allclose(beside[7:], torch.tensor(7.0))


def test_a_photograph_is_no_distance_from_itself_whatever_is_done_to_both(adversary: Adversary) -> None:
    photographs = torch.rand(4, 3, 64, 64)
    distance, _, _ = adversary.terms(adversary.views(photographs, photographs.clone(), seeded()))
    assert float(distance) == pytest.approx(0, abs=1e-5)
    other, _, _ = adversary.terms(adversary.views(photographs, photographs.flip(0), seeded()))
    assert other > 0.1


def test_its_weights_get_no_gradient_from_the_decoders_loss(adversary: Adversary) -> None:
    decoded = torch.rand(4, 3, 64, 64, requires_grad=True)
    distance, loss, _ = adversary.terms(adversary.views(torch.rand(4, 3, 64, 64), decoded, seeded()))
    (distance + loss).backward()
    assert decoded.grad is not None
    assert decoded.grad.abs().sum() > 0
    assert all(weight.grad is None for weight in adversary.parameters())


def test_terms_pull_at_the_last_layer_as_strongly_as_the_reconstruction(adversary: Adversary) -> None:
    layer = torch.randn(5, requires_grad=True)
    reconstruction = (3 * layer).square().sum()
    terms = ((layer - 1).abs().sum(), (layer + 2).square().sum() * 1e-3, (layer + 1).pow(4).sum())
    adversary.measure(reconstruction, terms, layer)
    norms = [
        torch.autograd.grad(loss, layer, retain_graph=True)[0].norm()
        for loss in (reconstruction, *(pull * term for pull, term in zip(adversary.pull, terms, strict=True)))
    ]
    assert norms[1:] == [pytest.approx(norms[0].item(), rel=1e-4)] * 3


def test_a_term_without_a_gradient_does_not_pull_too_strongly_later(adversary: Adversary) -> None:
    layer = torch.randn(5, requires_grad=True)
    some = layer.square().sum()
    adversary.measure(some, (some, some, 2 * some), layer)
    adversary.measure(some, (some, some, 0 * some), layer)
    assert adversary.pull.tolist() == pytest.approx([1, 1, 0.5])


def test_a_step_with_a_number_that_is_none_leaves_the_discriminator_as_it_was(adversary: Adversary) -> None:
    before = [weight.clone() for weight in adversary.trained]
    adversary.terms(adversary.views(torch.rand(2, 3, 64, 64), torch.full((2, 3, 64, 64), torch.nan), seeded()))
    assert all(torch.equal(*pair) for pair in zip(before, adversary.trained, strict=True))


def test_large_pictures_are_looked_at_whole_and_in_pieces() -> None:
    adversary = Adversary(AdversaryConfig(weight=1.0), 256)
    photographs = torch.rand(2, 3, 256, 256)
    whole, piece = adversary.views(photographs, photographs, seeded())
    for view in (whole, piece):
        assert view.photographs.shape == (2, 3, 128, 128)
        assert torch.equal(view.photographs, view.decoded)
    # Noise made smaller is averaged; a piece of it is not.
    assert piece.photographs.std() > 1.5 * whole.photographs.std()


def test_everything_it_needs_moves_to_another_device() -> None:
    adversary = Adversary(AdversaryConfig(weight=1.0), 64).to("meta")
    assert {tensor.device.type for tensor in adversary.perception.parameters()} == {"meta"}
    assert adversary.pull.device.type == "meta"


@pytest.mark.parametrize(("step", "risen"), [(0, 0.0), (9, 0.0), (10, 0.25), (11, 0.5), (13, 1.0), (99, 1.0)])
def test_generators_loss_and_drift_count_from_a_step_on(step: int, risen: float) -> None:
    config = AdversaryConfig(weight=5.0, perceptual=2.0, drifting=3.0, start_step=10, ramp_steps=4)
    assert config.weights_at(step) == (2.0, 5.0 * risen, 3.0 * risen)


def test_pictures_drift_towards_the_brightness_of_photographs() -> None:
    torch.manual_seed(0)
    adversary = Adversary(AdversaryConfig(weight=1.0, drifting=1.0, drawn=0, midpoints=0), 32)
    photographs = 0.5 + 0.5 * torch.rand(120, 3, 32, 32)
    adversary.prepare(photographs[:8], None)
    adversary.look_at(torch.split(photographs, 40))
    dark = (0.4 * torch.rand(120, 3, 32, 32)).requires_grad_(True)
    (gradient,) = torch.autograd.grad(adversary.drift(dark, 120, seeded()), dark)
    assert gradient.mean() < 0


@pytest.mark.parametrize("values", [{"weight": -1.0}, {"learning_rate": float("nan")}, {"drawn": -1}])
def test_a_wrong_value_is_named(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"adversary.{next(iter(values))}"):
        AdversaryConfig(**values)  # type: ignore[arg-type]


@pytest.mark.unit
def test_the_optimizer_of_a_resumed_run_follows_the_weights_to_their_device() -> None:
    first = Adversary(AdversaryConfig(weight=1.0), 64)
    for weight in first.trained:
        weight.grad = torch.zeros_like(weight)
    first.optimizer.step()
    resumed = Adversary(AdversaryConfig(weight=1.0), 64)
    resumed.optimizer.load_state_dict(first.optimizer.state_dict())
    resumed.to("meta")
    averages = [state["exp_avg"] for state in resumed.optimizer.state.values()]
    assert averages
    assert {average.device.type for average in averages} == {"meta"}
