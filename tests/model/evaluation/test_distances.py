import pytest
import torch
from torchmetrics.image.fid import FrechetInceptionDistance

from model.evaluation import distances


def features(count: int = 60, shift: float = 0.0, seed: int = 0, width: int = 16) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed)) + shift


def test_two_samples_of_one_distribution_are_at_no_distance_within_the_interval() -> None:
    estimate = distances.kernel(features(400), features(400, seed=1))
    assert abs(estimate.value) < estimate.interval
    assert distances.kernel(features(400), features(400, 1.0, seed=1)).value > 100 * estimate.interval


def test_the_kernel_distance_is_the_textbooks() -> None:
    real, generated = features(9).double(), features(9, 0.5, seed=1).double()

    def similarity(a: torch.Tensor, b: torch.Tensor) -> float:
        return float((a @ b / 16 + 1) ** 3)

    pairs = [(i, j) for i in range(9) for j in range(9) if i != j]
    within = sum(similarity(x[i], x[j]) for x in (real, generated) for i, j in pairs) / len(pairs)
    across = sum(similarity(a, b) for a in real for b in generated) / 81
    assert distances.kernel_distance(real, generated) == pytest.approx(within - 2 * across, rel=1e-9)


def test_sets_of_unequal_size_compare_and_the_seed_says_how() -> None:
    one, other = features(60), features(20, 0.3, seed=1)
    first, again = (distances.kernel_distance(one, other, seed=4) for _ in range(2))
    assert first == again
    assert first != distances.kernel_distance(one, other, seed=5)


def test_drawing_a_subset_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    distances.kernel_distance(features(60), features(20))
    assert torch.equal(torch.rand(3), expected)


def test_intervals_narrow_with_more_pictures() -> None:
    few, many = (distances.kernel(features(n), features(n, 0.3, seed=1)).interval for n in (40, 640))
    assert 0 < many < few / 2


def test_the_kernel_interval_is_the_spread_of_fresh_sets() -> None:
    drawn = [distances.kernel_distance(features(60, seed=i), features(60, 0.5, seed=1000 + i)) for i in range(200)]
    spread = 1.96 * 1000 * float(torch.tensor(drawn).std())
    assert distances.kernel(features(60), features(60, 0.5, seed=1)).interval == pytest.approx(spread, rel=0.5)


def test_the_short_way_to_a_frechet_distance_ends_where_torchmetrics_does() -> None:
    real, generated = features(30, width=48), 1.5 * features(30, 0.5, seed=1, width=48)
    metric = FrechetInceptionDistance(distances.Given(48))
    metric.update(real, real=True)
    metric.update(generated, real=False)
    assert float(distances.frechet_of_few(real, generated)) == pytest.approx(float(metric.compute()), rel=1e-3)
    estimate = distances.frechet(real, generated)
    assert estimate.value == pytest.approx(float(metric.compute()))
    assert 0 < estimate.interval < estimate.value
