"""A run's folder: one run each, one log per attempt, checkpoints that are whole."""

import pathlib
import typing as t

import lightning as L
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.loggers import CSVLogger

from ..data import files


def check(out: pathlib.Path, last: pathlib.Path, resume: bool) -> None:
    """Refuse to begin over a run that is there, and to resume one that isn't; ``last`` is its last checkpoint.

    Raises
    ------
    ValueError
        The folder ``out`` is in the wrong state.
    """
    if resume and not last.exists():
        raise ValueError(f"--resume: there is no {last}")
    if last.exists() and not resume:
        raise ValueError(f"{out}: holds a run already; add --resume, or --out with another folder")


def check_same(prefix: str, here: t.Mapping[str, t.Any], there: t.Mapping[str, t.Any]) -> None:
    """Refuse to resume with other settings than the run has; ``prefix`` is what their names begin with.

    Raises
    ------
    ValueError
        One differs; it is named with both values.
    """
    for name, value in here.items():
        kept = there.get(name)
        if _plain(kept) != _plain(value):
            raise ValueError(f"{prefix}{name}: {value}, but the run to resume has {kept}")


def _plain(value: t.Any) -> t.Any:
    return list(value) if isinstance(value, tuple) else value


def check_length(name: str, trainer: L.Trainer, checkpoint: t.Mapping[str, t.Any]) -> None:
    """Refuse to resume with another number of steps where the learning rates follow from it (one cycle, cosine).

    Parameters
    ----------
    name
        Of the setting that changes the number.

    Raises
    ------
    ValueError
        The number of steps differs.
    """
    for schedule in checkpoint["lr_schedulers"]:
        kept = schedule.get("total_steps", schedule.get("T_max"))
        if kept is not None and kept != (steps := int(trainer.estimated_stepping_batches)):
            raise ValueError(f"{name}: {steps} steps in all, but the schedule of the run to resume has {kept}")


def csv_logger(out: pathlib.Path) -> CSVLogger:
    """One file per attempt: the logger starts its file anew, and resuming must not lose the history."""
    return CSVLogger(out, name="", version=f"csv_{len(list(out.glob('csv_*'))) + 1}")


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write to a temporary file, then rename it: a kill half-way leaves the previous checkpoint intact."""

    def save_checkpoint(self, checkpoint: dict[str, t.Any], path: t.Any, storage_options: t.Any = None) -> None:
        with files.whole(pathlib.Path(path)) as unfinished:
            super().save_checkpoint(checkpoint, unfinished, storage_options)
