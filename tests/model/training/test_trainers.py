import pytest
import torch

from model.training import trainers


def test_the_average_forgets_the_untrained_weights() -> None:
    update = trainers.averaging(0.999)
    average = torch.tensor(100.0)
    for step in range(200):
        average = update(average, torch.tensor(1.0), step)
    assert average.item() == pytest.approx(1, abs=0.05)
