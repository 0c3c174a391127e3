import pytest
import torch

from model.evaluation import similarity


def noise(count: int, size: int) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [99, 128, 256])
def test_a_set_of_one_image_has_no_variety(size: int) -> None:
    alike = similarity.of_pairs(noise(1, size).expand(6, -1, -1, -1), 4)
    varied = similarity.of_pairs(noise(6, size), 4)
    assert alike is not None
    assert alike.value == pytest.approx(1, abs=1e-3)
    assert varied is not None
    assert varied.value < 0.6


def test_small_pictures_have_no_such_score() -> None:
    assert similarity.of_pairs(noise(6, 98)) is None
