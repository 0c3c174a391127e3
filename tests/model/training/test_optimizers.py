import pytest
import torch

from model.training import optimizers
from model.training.optimizers import OptimizerConfig


@pytest.mark.unit
@pytest.mark.parametrize("schedule", ["constant", "one-cycle", "cosine", "plateau", "inverse"])
def test_the_betas_of_the_recipe_are_used_at_every_step(schedule: str) -> None:
    config = OptimizerConfig(beta1=0.5, beta2=0.99, schedule=schedule)  # type: ignore[arg-type]
    weight = torch.nn.Parameter(torch.zeros(1))
    built = optimizers.build(config, [weight], steps=20)
    for _ in range(10):
        weight.grad = torch.ones(1)
        built["optimizer"].step()
        if built.get("lr_scheduler", {}).get("interval") == "step":
            built["lr_scheduler"]["scheduler"].step()
        assert built["optimizer"].param_groups[0]["betas"] == (0.5, 0.99)
