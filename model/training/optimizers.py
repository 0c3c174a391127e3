"""Optimizers and learning-rate schedules that recipes name."""

import dataclasses
import math
import typing as t

import torch
from torch.nn import Parameter
from torch.optim import lr_scheduler

Schedule = t.Literal["constant", "one-cycle", "cosine", "steps", "plateau", "inverse"]


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """What a recipe says of the optimizer.

    Parameters
    ----------
    name
        ``adam`` (Kingma and Ba 2015) or ``adamw`` (Loshchilov and Hutter 2019).
    learning_rate, beta1, beta2, weight_decay
        Their usual meaning.
    schedule
        ``one-cycle`` rises over a tenth of the steps and falls to zero by cosine (Smith 2018); ``cosine`` only falls;
        ``steps`` multiplies by ``factor`` after each epoch of ``milestones``; ``plateau`` does so when ``val_loss`` has
        not improved for ``patience`` validations, down to ``minimum``; ``inverse`` divides by 1 + ``decay`` · step.
    """

    name: t.Literal["adam", "adamw"] = "adam"
    learning_rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    weight_decay: float = 0.0
    schedule: Schedule = "constant"
    factor: float = 0.1
    milestones: tuple[int, ...] = ()
    patience: int = 10
    minimum: float = 0.0
    decay: float = 0.0

    def __post_init__(self) -> None:
        for name in ("learning_rate", "weight_decay", "minimum", "decay", "patience"):
            value = getattr(self, name)
            if not (value >= 0 and math.isfinite(value)):
                raise ValueError(f"optimizer.{name}: {value} is not a finite number of at least 0")
        for name in ("beta1", "beta2", "factor"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"optimizer.{name}: {getattr(self, name)} is not within 0 and 1, 1 excluded")
        if self.schedule == "steps" and not self.milestones:
            raise ValueError("optimizer.milestones: empty; the schedule 'steps' needs epochs to step after")


def build(
    config: OptimizerConfig,
    parameters: t.Iterable[Parameter],
    steps: int,
    fused: bool = False,
    validated_every: int = 1,
) -> dict[str, t.Any]:
    """Optimizer and schedule as Lightning takes them.

    Parameters
    ----------
    steps
        Optimizer steps of the whole run.
    fused
        Update all weights in one kernel, a tenth of a small network's time less.
    validated_every
        Epochs from one validation to the next.
    """
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.name]
    betas = (config.beta1, config.beta2)
    optimizer = kind(parameters, config.learning_rate, betas, weight_decay=config.weight_decay, fused=fused)
    if config.schedule == "constant":
        return {"optimizer": optimizer}
    # Milestones are counted in epochs, plateaus in validations, the others in steps.
    scheduler: dict[str, t.Any] = {"interval": "step"}
    if config.schedule == "one-cycle":
        scheduler["scheduler"] = lr_scheduler.OneCycleLR(
            optimizer, config.learning_rate, total_steps=steps, pct_start=0.1, cycle_momentum=False
        )
    elif config.schedule == "cosine":
        scheduler["scheduler"] = lr_scheduler.CosineAnnealingLR(optimizer, steps, config.minimum)
    elif config.schedule == "inverse":
        scheduler["scheduler"] = lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + config.decay * step))
    elif config.schedule == "steps":
        steps_at = lr_scheduler.MultiStepLR(optimizer, list(config.milestones), config.factor)
        scheduler = {"scheduler": steps_at, "interval": "epoch"}
    else:
        plateau = lr_scheduler.ReduceLROnPlateau(
            optimizer, factor=config.factor, patience=config.patience, min_lr=config.minimum
        )
        scheduler = {
            "scheduler": plateau,
            "interval": "epoch",
            "frequency": validated_every,
            "monitor": "val_loss",
        }
    return {"optimizer": optimizer, "lr_scheduler": scheduler}
