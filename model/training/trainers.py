"""What every training asks of Lightning: averaged weights, and silence about what needs no answer."""

import logging
import typing as t
import warnings

from torch import Tensor


def averaging(decay: float) -> t.Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """Exponential moving average whose decay ramps up, so that a young average forgets the untrained weights.

    Raises
    ------
    ValueError
        ``decay`` is not within 0 and 1.
    """
    if not 0 < decay < 1:
        raise ValueError(f"ema_decay: {decay} is not within 0 and 1, both excluded")

    def update(average: Tensor, current: Tensor, averaged: Tensor | int) -> Tensor:
        ramped = min(decay, (1 + float(averaged)) / (10 + float(averaged)))
        return average + (1 - ramped) * (current - average)

    return update


def quiet() -> None:
    """Keep back warnings and advertisements that ask for nothing; progress and errors come another way."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Batches are one slice of an array in memory: worker processes would only add copies.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    # The means of each epoch are logged whatever the interval, and of few steps they are the curve.
    warnings.filterwarnings(
        "ignore", message="The number of training batches .* is smaller than the logging interval.*"
    )
    # The table of layers counts 4 bytes per weight under bf16, which is what they take: they are kept in float32.
    warnings.filterwarnings("ignore", message="Precision bf16-mixed is not supported by the model summary.*")
    # Which is what resuming means; anything else there was refused above.
    warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty.*")
    # Lightning's own use of a deprecated torch call.
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*", category=FutureWarning)
