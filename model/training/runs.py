"""A run's folder: one run each, one log per attempt, checkpoints that are whole."""

import pathlib
import typing as t

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


def csv_logger(out: pathlib.Path) -> CSVLogger:
    """One file per attempt: the logger starts its file anew, and resuming must not lose the history."""
    return CSVLogger(out, name="", version=f"csv_{len(list(out.glob('csv_*'))) + 1}")


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write beside the checkpoint, then rename: killed half-way, the previous checkpoint is intact."""

    def save_checkpoint(self, checkpoint: dict[str, t.Any], path: t.Any, storage_options: t.Any = None) -> None:
        with files.whole(pathlib.Path(path)) as unfinished:
            super().save_checkpoint(checkpoint, unfinished, storage_options)
