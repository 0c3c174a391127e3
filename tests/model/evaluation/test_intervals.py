import pytest
import torch

from model.evaluation import intervals


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution() -> None:
    values = torch.randn(2000, generator=torch.Generator().manual_seed(0)) * 3 + 5
    estimate = intervals.mean(values)
    assert estimate.value == pytest.approx(5, abs=0.2)
    assert estimate.interval == pytest.approx(1.96 * 3 / 2000**0.5, rel=0.1)


def test_equal_values_leave_no_doubt() -> None:
    assert intervals.mean(torch.full((10,), 0.25)) == intervals.Estimate(0.25, 0.0)
