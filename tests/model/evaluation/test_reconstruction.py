import pytest
import torch

from model.evaluation import reconstruction


def pictures(size: int = 32, bars: int = 0) -> torch.Tensor:
    """Random pictures, letterboxed on white with bars of so many rows above and below."""
    images = torch.rand(3, 3, size, size, generator=torch.Generator().manual_seed(0)) * 0.8
    if bars:
        images[:, :, :bars], images[:, :, -bars:] = 1, 1
    return images


def test_nearly_equal_sets_are_nearly_perfect() -> None:
    scores = reconstruction.reconstruction(pictures() + 1e-5, pictures())
    assert scores.psnr.value > 90
    assert scores.psnr_inside.value > 90
    assert scores.ssim.value == pytest.approx(1, abs=1e-4)


def test_a_known_error_has_its_known_psnr() -> None:
    scores = reconstruction.reconstruction(pictures() + 0.1, pictures())
    assert scores.psnr.value == pytest.approx(20, abs=0.01)
    assert scores.psnr_inside.value == pytest.approx(20, abs=0.01)


def test_white_bars_count_on_the_square_alone() -> None:
    originals = pictures(bars=8)
    decoded = originals.clone()
    decoded[:, :, 8:-8] += 0.1
    scores = reconstruction.reconstruction(decoded, originals)
    assert scores.psnr_inside.value == pytest.approx(20, abs=0.01)
    assert scores.psnr.value == pytest.approx(20 + 3.01, abs=0.01)
    noisy = originals.clone()
    noisy[:, :, 8:-8] = pictures().flip(0)[:, :, 8:-8]
    scores = reconstruction.reconstruction(noisy, originals)
    assert scores.ssim_inside.value < scores.ssim.value - 0.2


@pytest.mark.parametrize("axis", [2, 3])
def test_the_rectangle_within_the_bars_is_found(axis: int) -> None:
    originals = pictures(40, bars=7)
    if axis == 3:
        originals = originals.transpose(2, 3)
    mask = reconstruction.inside(originals).expand(-1, 3, -1, -1)
    assert mask.sum() == 3 * 3 * 40 * 26
    assert (originals[mask] < 1).all()


def test_a_perceptual_distance_is_averaged_where_there_is_one() -> None:
    scores = reconstruction.reconstruction(pictures(), pictures() + 0.1, torch.tensor([0.1, 0.2, 0.3]))
    assert scores.perceptual is not None
    assert scores.perceptual.value == pytest.approx(0.2)
    assert reconstruction.reconstruction(pictures(), pictures() + 0.1).perceptual is None


def test_blur_loses_sharpness() -> None:
    blurred = torch.nn.functional.avg_pool2d(pictures(), 3, 1, 1)
    assert reconstruction.sharpness(blurred, pictures()) < 0.2


def test_sets_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match="must match"):
        reconstruction.reconstruction(torch.rand(2, 3, 8, 8), torch.rand(3, 3, 8, 8))
