"""A recipe in a few seconds: its own network, objective and optimizer on a few drawn images."""

import pathlib
import shutil
import typing as t

from ..data import drawings

#: Images to train on and to validate with, a batch, and epochs.
TRAIN, VALIDATE, BATCH, EPOCHS = 8, 4, 4, 2


def shrink(config: t.Any, runs: pathlib.Path) -> None:
    """Turn a parsed recipe into its own trial run, on one CPU process, in ``runs/NAME-smoke`` unless told otherwise.

    The data is drawn into the run's folder. A trial run replaces the one before it.
    """
    if not config.out:
        config.out = str(runs / f"{config.name}-smoke")
        shutil.rmtree(config.out, ignore_errors=True)
    folder = pathlib.Path(config.out) / "data"
    network = config.model.network
    if not folder.exists():
        if network.channels == 1:
            drawings.write_digits(folder, TRAIN, VALIDATE)
        else:
            drawings.write_cars(folder, network.image_size, TRAIN, VALIDATE)
    config.data.folder, config.data.limit = str(folder), 0
    config.data.batch_size = min(config.data.batch_size, BATCH)
    config.report_every = EPOCHS
    config.start_from, config.model.adversary.prior = None, ""
    trainer = config.trainer
    trainer.accelerator, trainer.devices, trainer.strategy, trainer.num_nodes = "cpu", 1, "auto", 1
    trainer.max_epochs, trainer.log_every_n_steps, trainer.limit_train_batches = EPOCHS, 1, None
    trainer.check_val_every_n_epoch = 1
