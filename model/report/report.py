"""The report of a run: pictures, animations and numbers below ``runs/NAME/report``, and one page over them all.

Written at intervals while the run goes on, so that a run stopped at any point leaves one.
"""

import dataclasses
import json
import math
import pathlib
import typing as t

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from ..data import files, sheets
from ..data.batches import ImageData
from ..data.prepared import Images, as_float, binarised
from ..evaluation import reconstruction
from ..prior import priors
from ..vae import losses
from ..vae.networks import Decoder, Encoder, NetworkConfig
from . import animation, figures, page
from .history import History

#: Most reports and most animation frames per run, unless the recipe says otherwise.
REPORTS, FRAMES = 10, 60

#: Images of a strip, random images, pairs to interpolate between, and shares of the way from one to the other.
STRIP, RANDOM, PAIRS = 8, 24, 4
LAMBDAS = tuple(number / 10 for number in range(11))

#: Codes of a scatter plot and, once training has ended, of the prior; images scored.
CODES, PRIOR_CODES, SCORED = 2000, 4000, 500

#: Side of the decoded grid of a 2-D latent, in tiles.
GRID = 20

#: Images per pass through the networks.
BATCH = 64


class Report(Callback):
    """Write the report of a run every so many epochs, and once more when it ends.

    It must come before the callback that averages weights. At the end of a validation epoch the averages are still in
    place, and that callback takes them out again after this one has run.

    Parameters
    ----------
    run : pathlib.Path
        The run's folder.
    every : int
        Epochs between reports; 0 makes it a tenth of the run.

    Raises
    ------
    ValueError
        ``every`` is negative.
    """

    def __init__(self, run: pathlib.Path, every: int = 0) -> None:
        if every < 0:
            raise ValueError(f"report_every: {every} is negative; expected epochs, or 0 for a tenth of the run")
        self.run, self.folder, self.every = run, run / "report", every
        self.due = self.ran = False

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        # The validation before the first step shows the untrained network.
        epoch = trainer.current_epoch + (not trainer.sanity_checking)
        epochs = _epochs(trainer)
        pictures = Pictures.of(pl_module, trainer)
        if epoch <= 1 or epoch % interval(epochs, FRAMES) == 0:
            self._frame(pictures, epoch)
        self.due = epoch > 0 and epoch % (self.every or interval(epochs, REPORTS)) == 0 and epoch < epochs
        if self.due:
            self._pictures(pictures, epoch)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.ran = True
        # Only now does the log hold the epoch that the pictures are of.
        if self.due:
            self._page(trainer)
        self.due = False

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the last report, with what is worth its time only once: a fitted prior, and scores."""
        if not (self.ran and trainer.is_global_zero):
            return
        pl_module.eval()
        pictures = Pictures.of(pl_module, trainer)
        self._frame(pictures, trainer.current_epoch)
        self._pictures(pictures, trainer.current_epoch)
        if pictures.network.prior is None:
            data = pictures.data
            images = binarised(data.train, data.seed) if data.binarise else data.train
            codes = pictures.encode(images, PRIOR_CODES)
            title = f"Random images from a Gaussian mixture fitted to the codes of {len(codes):,} training images"
            tiles = _rows(pictures.random(priors.fit_gaussian_mixture(codes)), 8)
            _save(figures.mosaic(title, tiles), self.folder / "random_fitted.png")
        self._page(trainer, dataclasses.asdict(pictures.scores()))

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        # A last page is written only after Ctrl-C: after an error, it could fail as well and hide that error.
        if isinstance(exception, KeyboardInterrupt) and trainer.is_global_zero and self.folder.exists():
            self._page(trainer)

    def _frame(self, pictures: "Pictures", epoch: int) -> None:
        images = pictures.batch(2 * STRIP)
        batch, rebuilt = sheets.pixels(images), sheets.pixels(pictures.rebuild(images))
        rows = [row for start in (0, STRIP) for row in (batch[start : start + STRIP], rebuilt[start : start + STRIP])]
        for name, tiles in (("reconstructions", rows), ("random", _rows(pictures.random(), 8))):
            animation.add_frame(self.folder / "frames" / name, epoch, tiles)

    def _pictures(self, pictures: "Pictures", epoch: int) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, drawn in pictures.draw(epoch).items():
            _save(drawn, self.folder / f"{name}.png")

    def _page(self, trainer: L.Trainer, scores: dict[str, t.Any] | None = None) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for logger in trainer.loggers:
            logger.save()
        history = History(self.run)
        _save(figures.curves(history), self.folder / "curves.png")
        _save(figures.learning_rate(history), self.folder / "learning_rate.png")
        for name in ("reconstructions", "random"):
            animation.assemble(self.folder / "frames" / name, self.folder / name)
        summary = summarise(trainer, history) | ({"reconstruction": scores} if scores else {})
        _write(self.folder / "metrics.json", json.dumps(summary, indent=1) + "\n")
        _write(self.folder / "report.html", page.render(self.folder, summary))


def summarise(trainer: L.Trainer, history: History) -> dict[str, t.Any]:
    """What metrics.json says: the run in numbers, and each epoch's."""
    module = trainer.lightning_module
    columns = {
        name.removesuffix("_epoch"): [round(float(value), 5) for value in history.series(name)[1]]
        for name in (*history.columns("val_"), *(name for name in history.columns() if name.endswith("_epoch")))
    }
    validation = columns.get("val_loss", [])
    images = _data(trainer)
    return {
        "epochs": max((len(values) for values in columns.values()), default=0),
        "steps": trainer.global_step,
        "training_images": len(images.train),
        "validation_images": len(images.val),
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
        "units": {"loss": "nats per image", "reconstruction": "nats per image", "kl": "nats per image", "psnr": "dB"},
        "last": {name: values[-1] for name, values in columns.items()},
        "best_epoch": 1 + int(np.argmin(validation)) if validation else None,
        "recipe": {**module.hparams, "data": {k: v for k, v in images.hparams.items() if not k.startswith("_")}},
        "history": columns,
    }


def _data(trainer: L.Trainer) -> ImageData:
    # Lightning sets it, and doesn't declare it.
    return t.cast(ImageData, trainer.datamodule)  # type: ignore[attr-defined]


class Network(t.Protocol):
    """The part of a module in training that is looked at."""

    network: NetworkConfig
    encoder: Encoder
    decoder: Decoder

    @property
    def device(self) -> torch.device:
        """Where the weights are."""

    @property
    def prior(self) -> priors.Prior | None:
        """What training draws codes from, if it does."""


@dataclasses.dataclass(frozen=True)
class Pictures:
    """A network's pictures of its data. Their random numbers are their own, so reports don't change the training."""

    network: Network
    data: ImageData

    @classmethod
    def of(cls, module: L.LightningModule, trainer: L.Trainer) -> t.Self:
        return cls(t.cast(Network, module), _data(trainer))

    def batch(self, count: int, images: Images | None = None) -> Tensor:
        """Images spread evenly over a split (validation), ``(N, C, H, W)`` in [0, 1]."""
        images = images or self.data.val
        rows = np.linspace(0, len(images) - 1, min(count, len(images))).round().astype(int)
        return as_float(images.__getitems__(rows.tolist()))

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        device = self.network.device
        return torch.cat([self.network.decoder(part.to(device)).float().cpu() for part in torch.split(codes, BATCH)])

    @torch.no_grad()
    def code(self, images: Tensor) -> Tensor:
        """Posterior means ``(N, D)``."""
        device = self.network.device
        return torch.cat(
            [self.network.encoder(part.to(device))[0].float().cpu() for part in torch.split(images, BATCH)]
        )

    def rebuild(self, images: Tensor) -> Tensor:
        return self.decode(self.code(images))

    def encode(self, images: Images, count: int) -> figures.Array:
        """Codes of images spread over a split, ``(N, D)``."""
        return t.cast(figures.Array, self.code(self.batch(count, images)).numpy())

    @torch.no_grad()
    def random(self, prior: priors.Prior | None = None) -> Tensor:
        """Images decoded from the same noise each time, through a prior, that of the run if it has one."""
        prior = prior or self.network.prior or priors.StandardNormal(self.network.network.latent_dim)
        noise = torch.randn(RANDOM, prior.noise_dim, generator=torch.Generator().manual_seed(0))
        return self.decode(prior(noise.to(self.network.device)))

    def scores(self) -> reconstruction.Reconstruction:
        """How close reconstructions of validation images are."""
        images = self.batch(SCORED)
        return reconstruction.reconstruction(self.rebuild(images), images)

    def draw(self, epoch: int) -> dict[str, t.Any]:
        """The figures of one moment, by file name."""
        source = "N(0, I)" if self.network.prior is None else "the prior"
        drawn = {
            "reconstructions": self._reconstructions(epoch),
            "random": figures.mosaic(f"Random images from {source}, after epoch {epoch}", _rows(self.random(), 8)),
        }
        if len(self.data.val) > 1:
            drawn["interpolations"] = self._interpolations(epoch)
        rows = np.linspace(0, len(self.data.val) - 1, min(CODES, len(self.data.val))).round().astype(int)
        codes = self.encode(self.data.val, CODES)
        labels = self.data.val.labels
        classes = None if labels is None else labels[torch.from_numpy(rows)].numpy()
        flat, names = _plane(codes)
        thumbnails = sheets.pixels(self.batch(CODES)) if classes is None else np.zeros((0, 1, 1, 3), np.uint8)
        title = f"Codes of {len(codes)} validation images, after epoch {epoch}"
        drawn["latents"] = figures.latents(flat, classes, thumbnails, names, title)
        if codes.shape[1] == 2:
            drawn["latent_grid"] = self._grid(codes)
        return drawn

    def _reconstructions(self, epoch: int) -> t.Any:
        images = self.batch(2 * STRIP)
        rebuilt = self.rebuild(images)
        decibels = losses.psnr(rebuilt, images).tolist()
        tiles, below = [], {}
        for row, start in enumerate(range(0, len(images), STRIP)):
            tiles += [sheets.pixels(part[start : start + STRIP]) for part in (images, rebuilt)]
            for column, value in enumerate(decibels[start : start + STRIP]):
                below[2 * row + 1, column] = f"{value:.1f} dB"
        labels = figures.Labels(rows=["original", "rebuilt"] * (len(tiles) // 2), below=below)
        return figures.mosaic(f"Validation images and their reconstructions, PSNR, after epoch {epoch}", tiles, labels)

    def _interpolations(self, epoch: int) -> t.Any:
        images = self.batch(2 * PAIRS)
        half = len(images) // 2
        starts, ends = images[:half], images[half : 2 * half]
        first, second = self.code(starts), self.code(ends)
        tiles = []
        for start, end, a, b in zip(starts, ends, first, second, strict=True):
            between = self.decode(torch.stack([torch.lerp(a, b, share) for share in LAMBDAS]))
            tiles.append(sheets.pixels(torch.cat((start[None], between, end[None]))))
        columns = ["start", *(f"λ = {share:.1f}" for share in LAMBDAS), "end"]
        title = f"(1 − λ) · code of the start + λ · code of the end, decoded, after epoch {epoch}"
        return figures.mosaic(title, tiles, figures.Labels(columns=columns))

    def _grid(self, codes: figures.Array) -> t.Any:
        low, high = np.percentile(codes, (1, 99), axis=0).astype(np.float32)
        high = np.maximum(high, low + 0.01)  # a single image makes them equal
        x, y = np.linspace(low[0], high[0], GRID), np.linspace(high[1], low[1], GRID)
        places = np.stack(np.meshgrid(x, y), 2).reshape(-1, 2).astype(np.float32)
        tiles = sheets.pixels(self.decode(torch.from_numpy(places)))
        return figures.latent_grid(tiles.reshape(GRID, GRID, *tiles.shape[1:]), low, high)


def interval(epochs: int, most: int) -> int:
    """Epochs from one report to the next, so that a run writes ``most`` at most."""
    return math.ceil(epochs / most)


def _epochs(trainer: L.Trainer) -> int:
    """How many epochs the run is meant to take."""
    if trainer.max_epochs and trainer.max_epochs > 0:
        return trainer.max_epochs
    return max(1, math.ceil(max(trainer.max_steps, 1) / max(1, int(trainer.num_training_batches or 1))))


def _plane(codes: figures.Array) -> tuple[figures.Array, tuple[str, str]]:
    """Codes on the two axes to plot, ``(N, 2)``, and the axes' names."""
    if codes.shape[1] == 2:
        return codes, ("latent 1", "latent 2")
    if codes.shape[1] == 1:
        # The second axis is the order of the images, which has no meaning.
        return np.column_stack((codes, np.linspace(0, 1, len(codes), dtype=np.float32))), ("latent 1", "image")
    if len(codes) == 1:
        return np.zeros((1, 2), np.float32), ("principal axis 1", "principal axis 2")
    centred = codes - codes.mean(0)
    _, deviations, axes = np.linalg.svd(centred, full_matrices=False)
    shares = deviations**2 / np.sum(deviations**2)
    first, second = (f"principal axis {number + 1} ({shares[number]:.0%} of the variance)" for number in (0, 1))
    return t.cast(figures.Array, centred @ axes[:2].T), (first, second)


def _rows(images: Tensor, columns: int) -> list[sheets.Pixels]:
    return [sheets.pixels(part) for part in torch.split(images, columns)]


def _save(drawn: t.Any, path: pathlib.Path) -> None:
    with files.whole(path) as unfinished:
        drawn.savefig(unfinished, format="png")


def _write(path: pathlib.Path, text: str) -> None:
    with files.whole(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
