import pytest
import torch
from prdc import compute_prdc

from model.evaluation.intervals import Estimate
from model.evaluation.neighbours import Neighbours, neighbours


def cloud(shift: float = 0.0, seed: int = 0, count: int = 400) -> torch.Tensor:
    return torch.randn(count, 8, generator=torch.Generator().manual_seed(seed)) + shift


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("shift", [0.0, 0.5, 2.0])
def test_scores_are_those_of_the_papers_own_package(k: int, shift: float) -> None:
    real, generated = cloud(count=120), 0.8 * cloud(shift, seed=1, count=90)
    expected = compute_prdc(real.double().numpy(), generated.double().numpy(), k)
    found = neighbours(real, generated, k)
    for name, value in expected.items():
        assert getattr(found, name).value == pytest.approx(value, abs=1e-6), name


def test_two_samples_of_one_cloud_are_dense_and_covered() -> None:
    scores = neighbours(cloud(seed=0), cloud(seed=1))
    assert scores.density.value == pytest.approx(1, abs=0.15)
    assert scores.coverage.value > 0.9
    assert scores.precision.value > 0.7
    assert scores.recall.value > 0.7


def test_a_shifted_cloud_is_neither() -> None:
    assert neighbours(cloud(), cloud(shift=20, seed=1)) == Neighbours(*[Estimate(0, 0)] * 4)


def test_a_collapsed_set_has_precision_without_recall_or_coverage() -> None:
    real = cloud()
    scores = neighbours(real, real[:1] + 1e-3 * cloud(seed=1))
    assert scores.precision.value > 0.9
    assert scores.recall.value < 0.1
    assert scores.coverage.value < 0.2


def test_too_small_sets_are_named() -> None:
    with pytest.raises(ValueError, match="sets of 5 and 400"):
        neighbours(cloud(count=5), cloud())
