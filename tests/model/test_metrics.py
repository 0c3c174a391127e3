import pytest
import torch

from model import metrics


def test_identical_sets_are_perfect() -> None:
    images = torch.rand(3, 3, 32, 32)
    scores = metrics.reconstruction((images + 1e-5).clamp(0, 1), images)
    assert scores.psnr > 90
    assert scores.ssim == pytest.approx(1, abs=1e-4)
    assert scores.sharpness == pytest.approx(1, abs=1e-3)


def test_a_known_error_has_its_known_psnr() -> None:
    images = torch.rand(3, 3, 32, 32) * 0.8
    assert metrics.reconstruction(images + 0.1, images).psnr == pytest.approx(20, abs=0.01)


def test_blur_loses_sharpness() -> None:
    images = torch.rand(3, 3, 32, 32)
    blurred = torch.nn.functional.avg_pool2d(images, 3, 1, 1)
    assert metrics.reconstruction(blurred, images).sharpness < 0.2


def test_sets_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match="must match"):
        metrics.reconstruction(torch.rand(2, 3, 8, 8), torch.rand(3, 3, 8, 8))
