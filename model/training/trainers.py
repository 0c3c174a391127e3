"""Lightning settings for all training: a suitable precision, averaged weights, no warnings that need no action."""

import logging
import typing as t
import warnings

import lightning as L
import torch
from lightning.fabric.plugins.precision.precision import _PRECISION_INPUT
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

#: What recipes may say of `trainer.precision`: what Lightning takes, and ``auto``, which is `fitting_precision`.
Precision = t.Literal["auto"] | _PRECISION_INPUT


def fitting_precision() -> t.Literal["32-true", "bf16-mixed"]:
    """bf16 where the GPU, or without one the CPU, has instructions for it; elsewhere it is several times slower."""
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    return "bf16-mixed" if torch.ops.mkldnn._is_mkldnn_bf16_supported() else "32-true"


class Trainer(L.Trainer):
    """Lightning's, which also takes ``precision: auto``."""

    def __init__(self, *args: t.Any, precision: Precision | None = None, **kwargs: t.Any) -> None:
        super().__init__(*args, precision=fitting_precision() if precision == "auto" else precision, **kwargs)


def averaging(decay: float) -> t.Callable[[list[Tensor], list[Tensor], Tensor | int], None]:
    """Exponential moving average whose decay ramps up, so that a young average forgets the untrained weights.

    For `torch.optim.swa_utils.AveragedModel`, as its ``multi_avg_fn``: a function per weight would read the count of
    steps once per weight, and a GPU is idle until it is read.

    Raises
    ------
    ValueError
        ``decay`` is not within 0 and 1.
    """
    if not 0 < decay < 1:
        raise ValueError(f"ema_decay: {decay} is not between 0 and 1")

    def update(averages: list[Tensor], current: list[Tensor], averaged: Tensor | int) -> None:
        count = float(averaged)
        t.cast(t.Any, get_ema_multi_avg_fn)(min(decay, (1 + count) / (10 + count)))(averages, current, averaged)

    return update


def quiet() -> None:
    """Keep back warnings and advertisements that ask for nothing; progress and errors come another way."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Batches are one slice of an array in memory: worker processes would only add copies.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    # Each epoch's means are logged whatever the interval; with few steps per epoch they are the curve.
    warnings.filterwarnings(
        "ignore", message="The number of training batches .* is smaller than the logging interval.*"
    )
    # Under bf16, the table of layers still counts 4 bytes per weight. That is right: weights stay in float32.
    warnings.filterwarnings("ignore", message="Precision bf16-mixed is not supported by the model summary.*")
    # Expected when a run resumes; a folder with anything else was refused before.
    warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty.*")
    # Lightning's own use of a deprecated torch call.
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*", category=FutureWarning)
