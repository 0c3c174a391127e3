import pytest
import torch

from model import generation
from model.evaluation.intervals import Estimate


def noise(count: int = 40, size: int = 32, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def test_the_pyramid_adds_up_to_the_image() -> None:
    images = noise(2, 64)
    finest, *rest, last = generation.laplacian_pyramid(images)
    rebuilt = last
    for level in [*reversed(rest), finest]:
        rebuilt = torch.nn.functional.interpolate(rebuilt, scale_factor=2, mode="bilinear") + level
    assert torch.allclose(rebuilt, images, atol=1e-5)


def test_two_samples_of_one_distribution_are_near_and_others_are_far() -> None:
    near = generation.sliced_wasserstein(noise(120, seed=0), noise(120, seed=1))
    smooth = torch.nn.functional.avg_pool2d(noise(120, seed=2), 5, 1, 2)
    far = generation.sliced_wasserstein(noise(120, seed=0), smooth)
    assert len(near) == 2
    assert all(b > 2 * a for a, b in zip(near, far, strict=True))


def test_the_same_seed_gives_the_same_distance() -> None:
    first, second = (generation.sliced_wasserstein(noise(), noise(seed=3), seed=5) for _ in range(2))
    assert first == second


def test_intervals_narrow_with_more_images() -> None:
    few = generation.sliced_wasserstein_interval(noise(20, seed=0), noise(20, seed=1))
    many = generation.sliced_wasserstein_interval(noise(160, seed=0), noise(160, seed=1))
    assert 0 < many < few


def cloud(shift: float = 0.0, seed: int = 0, count: int = 400) -> torch.Tensor:
    return torch.randn(count, 8, generator=torch.Generator().manual_seed(seed)) + shift


def test_two_samples_of_one_cloud_are_dense_and_covered() -> None:
    scores = generation.neighbourhood(cloud(seed=0), cloud(seed=1))
    assert scores.density.value == pytest.approx(1, abs=0.15)
    assert scores.coverage.value > 0.9
    assert scores.precision.value > 0.7
    assert scores.recall.value > 0.7


def test_a_shifted_cloud_is_neither() -> None:
    scores = generation.neighbourhood(cloud(), cloud(shift=20, seed=1))
    assert scores == generation.Neighbourhood(*[Estimate(0, 0)] * 4)


def test_a_collapsed_set_has_precision_without_recall_or_coverage() -> None:
    real = cloud()
    collapsed = real[:1] + 1e-3 * cloud(seed=1)
    scores = generation.neighbourhood(real, collapsed)
    assert scores.precision.value > 0.9
    assert scores.recall.value < 0.1
    assert scores.coverage.value < 0.2


def test_too_small_sets_are_named() -> None:
    with pytest.raises(ValueError, match="sets of 5 and 400"):
        generation.neighbourhood(cloud(count=5), cloud())


def test_features_are_the_same_for_everyone() -> None:
    first = generation.features(noise(3, 128))
    assert first.shape == (3, 1024)
    assert torch.equal(first, generation.features(noise(3, 128)))


def test_a_set_of_one_image_has_no_diversity() -> None:
    one = noise(1, 128).expand(6, -1, -1, -1)
    assert generation.diversity(one, 4).value == pytest.approx(1, abs=1e-3)
    assert generation.diversity(noise(6, 128), 4).value < 0.6
