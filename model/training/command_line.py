"""Training from a recipe file: Lightning's command line, with carvae's logs, checkpoints and averaged weights."""

import pathlib
import typing as t

import lightning as L
import torch
import yaml
from jsonargparse import ActionConfigFile
from lightning.pytorch.callbacks import (
    Callback,
    EarlyStopping,
    LearningRateMonitor,
    ModelCheckpoint,
    TQDMProgressBar,
    WeightAveraging,
)
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from ..data import files
from ..data.batches import ImageData
from ..report.report import Report
from . import loggers, runs, smoke, trainers
from .judging import Judging
from .module import VAE

RUNS = pathlib.Path("runs")


class RecipeParser(LightningArgumentParser):
    """Reports an error in one message, without its eighty lines of usage, which ``--help`` shows."""

    def error(self, message: str, ex: Exception | None = None) -> t.NoReturn:
        self.exit(2, f"train: {message.strip()}\n--help lists all keys, --print_recipe their values\n")


class RecipeCLI(LightningCLI):
    """``--recipe FILE`` plus any of its keys on the command line; errors name the key that is unknown or wrong."""

    def __init__(self, args: t.Sequence[str]) -> None:
        self.out = pathlib.Path()
        trainers.quiet()  # before the trainer is made, which prints advertisements
        # The recipe says what is optimized and how; Lightning's own options for it would not be recorded.
        super().__init__(
            VAE,
            ImageData,
            trainer_class=trainers.Trainer,
            args=list(args),
            run=False,
            save_config_callback=None,
            auto_configure_optimizers=False,
        )

    def init_parser(self, **kwargs: t.Any) -> LightningArgumentParser:
        parser = RecipeParser(allow_abbrev=False, print_config="--print_recipe", **kwargs)
        parser.add_argument("--recipe", action=ActionConfigFile, help="a YAML file of model/recipes/")
        return parser

    def parse_arguments(self, parser: LightningArgumentParser, args: t.Any) -> None:
        self.config = parser.parse_args(args)
        if self.config.trainer.logger not in (None, True):
            raise ValueError(f"trainer.logger: {self.config.trainer.logger}; the key logger says where a run logs to")
        loggers.check(self.config.logger)
        if self.config.smoke:
            smoke.shrink(self.config, RUNS)

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument("--name", type=str, default="carvae", help="names the run's folder, runs/NAME")
        parser.add_argument("--out", type=str, default=None, help="the run's folder, if not runs/NAME")
        parser.add_argument("--start_from", type=str, default=None, help="weights to begin with: .safetensors or .ckpt")
        parser.add_argument("--resume", action="store_true", help="go on from the run's last checkpoint")
        parser.add_argument("--ema_decay", type=float, default=0.0, help="decay per step of averaged weights; 0: none")
        parser.add_argument("--early_stopping", type=int, default=0, help="epochs without a better val_loss; 0: never")
        parser.add_argument("--report", type=bool, default=True, help="false: no report, which costs seconds each time")
        parser.add_argument("--report_every", type=int, default=0, help="epochs between reports; 0: a tenth of the run")
        parser.add_argument(
            "--logger", type=loggers.Service, default="tensorboard", help="where to log, besides metrics.csv"
        )
        parser.add_argument("--smoke", action="store_true", help="try the recipe and the export on a few drawn images")
        parser.link_arguments("seed_everything", "model.seed")
        parser.link_arguments("seed_everything", "data.seed")
        parser.set_defaults({"seed_everything": 0})

    def instantiate_trainer(self, **kwargs: t.Any) -> L.Trainer:
        config = self.config
        self.out = pathlib.Path(config.out) if config.out else RUNS / config.name
        last = self.out / "checkpoints" / "last.ckpt"
        runs.check(self.out, last, config.resume)
        adversary = config.model.adversary
        # A discriminator makes the loss worse and the pictures better.
        best = "val_loss" if not adversary.weight else "val_kid_random" if adversary.prior else "val_kid_midpoints"
        callbacks: list[Callback] = [
            *([Judging()] if adversary.weight else []),
            LearningRateMonitor("step"),
            ModelCheckpoint(self.out / "checkpoints", "best", monitor=best, enable_version_counter=False),
            # A callback of its own, because `save_last` skips an epoch that is not the best so far. It saves after each
            # epoch, with or without a validation.
            ModelCheckpoint(
                self.out / "checkpoints", "last", enable_version_counter=False, save_on_train_epoch_end=True
            ),
            *([Report(self.out, config.report_every)] if config.report else []),
        ]
        if config.trainer.enable_progress_bar is not False:
            # Drawing the bar at each step costs a small network several per cent of its time.
            callbacks.append(TQDMProgressBar(refresh_rate=20))
        if config.ema_decay:
            callbacks.append(WeightAveraging(multi_avg_fn=trainers.averaging(config.ema_decay), use_buffers=True))
        if config.early_stopping:
            callbacks.append(EarlyStopping("val_loss", patience=config.early_stopping))
        built = loggers.build(config.logger, self.out, config.name)
        return super().instantiate_trainer(
            callbacks=callbacks, logger=built, plugins=[runs.AtomicCheckpointIO()], **kwargs
        )

    def fit(self) -> None:
        """Train, from the last checkpoint if the command line says so."""
        text = self.parser.dump(self.config, skip_none=False)
        values = yaml.safe_load(text)
        self.model.run = {name: value for name, value in values.items() if name not in ("model", "data", "recipe")}
        self.model.run["precision"] = str(self.trainer.precision)  # what ``auto`` came to
        if self.trainer.is_global_zero:
            self.out.mkdir(parents=True, exist_ok=True)
            with files.whole(self.out / "recipe.yaml") as unfinished:
                unfinished.write_text(text, encoding="utf-8")
        if self.config.start_from and not self.config.resume:
            self.model.start_from(pathlib.Path(self.config.start_from))
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
