import pytest
import torch

from model.evaluation import controls


@pytest.fixture
def photographs() -> torch.Tensor:
    return torch.rand(5, 3, 48, 48, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", controls.CONTROLS)
def test_spoiling_changes_each_picture_and_gives_the_same_every_time(photographs: torch.Tensor, name: str) -> None:
    before = photographs.clone()
    first, again = (controls.CONTROLS[name](photographs, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(photographs, before)
    assert first.shape == photographs.shape
    assert 0 <= first.min() <= first.max() <= 1
    assert ((first - photographs).abs().amax((1, 2, 3)) > 0.1).all()


def test_shuffled_blocks_are_the_same_blocks_elsewhere(photographs: torch.Tensor) -> None:
    spoilt = controls.shuffled(photographs, torch.Generator().manual_seed(0))

    def blocks(image: torch.Tensor) -> list[float]:
        return sorted(image.unfold(1, 12, 12).unfold(2, 12, 12).sum((0, 3, 4)).flatten().tolist())

    for one, other in zip(photographs, spoilt, strict=True):
        assert blocks(one) == pytest.approx(blocks(other), rel=1e-4)


def test_halves_are_of_two_photographs(photographs: torch.Tensor) -> None:
    spoilt = controls.halves(photographs, torch.Generator())
    assert torch.equal(spoilt[1, :, :, :24], photographs[1, :, :, :24])
    assert torch.equal(spoilt[1, :, :, 24:], photographs[0, :, :, 24:])


def test_no_detail_is_left_of_a_small_picture_blown_up(photographs: torch.Tensor) -> None:
    spoilt = controls.blown_up(photographs, torch.Generator())
    assert spoilt.diff(dim=3).square().mean() < 0.1 * photographs.diff(dim=3).square().mean()
