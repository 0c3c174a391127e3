"""Training from a recipe file: Lightning's command line, with carvae's logs, checkpoints and averaged weights."""

import pathlib
import typing as t
import warnings

import lightning as L
import torch
from jsonargparse import ActionConfigFile, Namespace
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from .data import ImageData
from .module import VAE

RUNS = pathlib.Path("runs")


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write beside the checkpoint, then rename: killed half-way, the previous checkpoint is intact."""

    def save_checkpoint(self, checkpoint: dict[str, t.Any], path: t.Any, storage_options: t.Any = None) -> None:
        unfinished = pathlib.Path(f"{path}.unfinished")
        super().save_checkpoint(checkpoint, unfinished, storage_options)
        unfinished.replace(path)


class RecipeCLI(LightningCLI):
    """``--recipe FILE`` plus any key of it on the command line; unknown or wrong values name their key and stop."""

    def __init__(self, args: t.Sequence[str]) -> None:
        self.out = pathlib.Path()
        super().__init__(VAE, ImageData, args=list(args), run=False, save_config_callback=None)

    def init_parser(self, **kwargs: t.Any) -> LightningArgumentParser:
        parser = LightningArgumentParser(**kwargs)
        parser.add_argument("--recipe", action=ActionConfigFile, help="a YAML file of model/recipes/")
        return parser

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument("--name", type=str, default="carvae", help="names the run's folder, runs/NAME")
        parser.add_argument("--out", type=str, default=None, help="the run's folder, if not runs/NAME")
        parser.add_argument("--resume", action="store_true", help="go on from the run's last checkpoint")
        parser.add_argument("--ema_decay", type=float, default=0.999, help="decay of the averaged weights, a step")
        parser.link_arguments("seed_everything", "model.seed")
        parser.link_arguments("seed_everything", "data.seed")
        parser.set_defaults({"seed_everything": 0})

    def instantiate_trainer(self, **kwargs: t.Any) -> L.Trainer:
        config = t.cast(Namespace, self.config)
        self.out = pathlib.Path(config.out) if config.out else RUNS / config.name
        last = self.out / "checkpoints" / "last.ckpt"
        if config.resume and not last.exists():
            raise ValueError(f"--resume: there is no {last}")
        if last.exists() and not config.resume:
            raise ValueError(f"{self.out}: holds a run already; add --resume, or --out with another folder")
        callbacks: list[Callback] = [
            EMAWeightAveraging(decay=config.ema_decay),
            LearningRateMonitor("step"),
            ModelCheckpoint(
                self.out / "checkpoints",
                "best",
                monitor="val_psnr",
                mode="max",
                save_last=True,
                enable_version_counter=False,
            ),
        ]
        return super().instantiate_trainer(
            callbacks=callbacks,
            logger=[
                CSVLogger(self.out, name="", version="csv"),
                TensorBoardLogger(self.out, name="", version="tensorboard"),
            ],
            plugins=[AtomicCheckpointIO()],
            **kwargs,
        )

    def fit(self) -> None:
        """Train, from the last checkpoint if the command line says so."""
        # Batches are one slice of an array in memory: worker processes would only add copies.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        resume = self.out / "checkpoints" / "last.ckpt" if self.config.resume else None
        self.trainer.fit(self.model, self.datamodule, ckpt_path=resume, weights_only=True)


def train(args: t.Sequence[str]) -> RecipeCLI:
    """Run one recipe; returns the command line object with trainer, model and data.

    Raises
    ------
    ValueError
        A value of the recipe can't be used, or the run's folder is in the wrong state.
    SystemExit
        The recipe has an unknown key or a value of the wrong type (message on standard error).
    """
    torch.set_float32_matmul_precision("high")
    cli = RecipeCLI(args)
    cli.fit()
    return cli
