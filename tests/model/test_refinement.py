import numpy as np
import pytest
import torch
from torch import Tensor

from model import refinement
from model.flow import Flow, FlowConfig


def noise(count: int, seed: int) -> Tensor:
    return torch.randn(count, 4, generator=torch.Generator().manual_seed(seed))


def half(count: int, seed: int) -> Tensor:
    """Noise in the half of space whose first number is positive."""
    places = noise(count, seed)
    places[:, 0].abs_()
    return places


@pytest.fixture(scope="module")
def critic() -> refinement.Critic:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(refinement, "STEPS", 300)
        return refinement.train_critic(half(4000, 1), noise(4000, 0), seed=0)


def test_a_critic_tells_codes_from_samples_it_has_not_seen(critic: refinement.Critic) -> None:
    # A sample lies on the codes' side half the time, and is as good as a code there.
    assert refinement.told_apart(critic, half(1000, 3), noise(1000, 2)) == pytest.approx(0.75, abs=0.04)
    assert refinement.told_apart(critic, half(1000, 3), half(1000, 4)) == pytest.approx(0.5, abs=0.04)


def test_what_is_picked_looks_more_like_codes_than_what_is_drawn(critic: refinement.Critic) -> None:
    flow = Flow(FlowConfig(4, width=8, depth=1)).eval()  # untrained: gives the noise back
    generator = torch.Generator().manual_seed(5)
    drawn = refinement.draw(flow, 700, generator)
    picked = torch.from_numpy(refinement.pick(flow, critic, 700, generator))
    assert picked.shape == drawn.shape == (700, 4)
    assert (drawn[:, 0] > 0).float().mean().item() == pytest.approx(0.5, abs=0.06)
    assert (picked[:, 0] > 0).float().mean().item() > 0.98


def test_a_single_sample_can_be_picked_where_more_images_validate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refinement, "STEPS", 2)
    flow = Flow(FlowConfig(4, width=8, depth=1)).eval()
    learnt, apart = refinement.lessons(flow, half(90, 11).numpy(), half(60, 12).numpy(), seed=1, kept=1)
    assert learnt.shape == (1, 4)
    assert 0 <= apart <= 1


def test_lessons_are_picked_samples_beside_codes_and_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refinement, "STEPS", 20)
    flow = Flow(FlowConfig(4, width=8, depth=1)).eval()
    codes, validation = half(900, 11).numpy(), half(60, 12).numpy()
    one, apart = refinement.lessons(flow, codes, validation, seed=1, kept=70)
    other, again = refinement.lessons(flow, codes, validation, seed=1, kept=70)
    assert one.shape == (100, 4)
    assert np.array_equal(one, other)
    assert apart == again
    assert sum((codes == row).all(1).any() for row in one) == 30
