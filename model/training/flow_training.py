"""Training of a flow prior on an encoder's codes: a LightningModule, the codes, and the run."""

import dataclasses
import pathlib
import typing as t
import zipfile

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar, WeightAveraging
from torch import Tensor, nn
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from ..data import files, prepared
from ..data.prepared import step_generator
from ..prior import priors
from ..prior.flow import Flow, FlowConfig
from ..release import released
from ..vae import canvas
from ..vae.codes import encode, encode_mirrored
from ..vae.networks import channels_last
from . import optimizers, runs, trainers
from .optimizers import OptimizerConfig

Progress = t.Callable[[t.Sequence[t.Any], str], t.Iterable[t.Any]]

#: The checkpoint that is resumed and exported, and the codes that it learns, in the run's folder.
LAST, CODES = "last.ckpt", "codes.npz"


#: Width and depth of a velocity field on a grid, and of another.
GRID, DENSE = (96, 6), (512, 4)


@dataclasses.dataclass(frozen=True)
class FlowRun:
    """What a flow is trained with.

    Parameters
    ----------
    width, depth
        Of the velocity field (`FlowConfig`); by default `GRID` where codes form a grid, else `DENSE`.
    epochs
        Passes over the codes.
    batch
        Codes per step.
    learning_rate
        At the peak of its one cycle.
    variations
        Extra codes per image, with changed light and crop, besides those of the image and its mirror image.
    """

    width: int | None = None
    depth: int | None = None
    epochs: int = 28
    batch: int = 128
    learning_rate: float = 1e-3
    variations: int = 6

    def __post_init__(self) -> None:
        for name, least in (("width", 1), ("depth", 1), ("epochs", 1), ("batch", 1), ("variations", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name}: {value} is not at least {least}")


def train(
    settings: FlowRun,
    weights: pathlib.Path,
    data: pathlib.Path,
    out: pathlib.Path,
    resume: bool = False,
    progress: Progress = lambda items, _: items,
) -> None:
    """Encode the images that a model was trained on, then train a flow on their codes.

    Parameters
    ----------
    weights
        The model: a training checkpoint or released weights.
    data
        Prepared data.
    out
        The run's folder. A run that goes on takes its codes from there.
    progress
        Wraps what takes minutes, given its name.

    Raises
    ------
    ValueError
        The weights, the data or the folder can't be used.
    """
    runs.check(out, out / LAST, resume)
    network, encoder, _ = released.load_networks(weights)
    width, depth = GRID if network.code_side else DENSE
    flow = FlowConfig(network.latent_dim, network.code_side, settings.width or width, settings.depth or depth)
    optimizer = OptimizerConfig("adamw", settings.learning_rate, weight_decay=0.02, schedule="one-cycle")
    training = FlowTraining(flow, optimizer)
    if not resume:
        images, others = prepared.open_split(data, "train"), prepared.open_split(data, "val")
        plain, validation = (encode_mirrored(encoder, split) for split in (images, others))
        seeds = progress(range(settings.variations), "variations")
        varied = [varied_codes(encoder, images, seed) for seed in seeds]
        training.flow.standardise(torch.from_numpy(plain))
        save_codes(out, np.concatenate([plain, *varied]), validation)
    codes, validation = load_codes(out)
    fit(training, codes, validation, settings.batch, settings.epochs, out, resume)


class FlowTraining(L.LightningModule):
    """Conditional flow matching on straight paths (Lipman et al. 2023; rectified flow, Liu et al. 2023).

    Times are drawn from the logit-normal distribution, which favours the middle, where the velocity is hardest to
    predict (Esser et al. 2024).
    """

    def __init__(self, flow: FlowConfig, optimizer: OptimizerConfig, seed: int = 0) -> None:
        super().__init__()
        self.save_hyperparameters(
            {"flow": dataclasses.asdict(flow), "optimizer": dataclasses.asdict(optimizer), "seed": seed}
        )
        self.optimizer, self.seed = optimizer, seed
        self.flow = channels_last(Flow(flow))

    def velocity_error(self, codes: Tensor, generator: torch.Generator) -> Tensor:
        """Mean squared error of the velocity at random times on the way from noise to codes ``(N, D)``."""
        ends = self.flow.placed(codes)
        starts = torch.randn(ends.shape, generator=generator).to(ends.device)
        times = torch.randn(len(ends), 1, generator=generator).sigmoid().to(ends.device)
        found = self.flow.velocity_at(starts + (ends - starts) * times, times)
        return nn.functional.mse_loss(found.float(), ends - starts)

    def training_step(self, batch: list[Tensor], batch_index: int) -> Tensor:
        generator = step_generator(self.seed, self.global_step, 0)
        # Dropout draws from the global generator, whose state a checkpoint doesn't hold.
        torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
        loss = self.velocity_error(batch[0], generator)
        self.log("loss", loss, prog_bar=True, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_index: int) -> None:
        # The same noise and times at every epoch.
        loss = self.velocity_error(batch[0], step_generator(self.seed, batch_index, 1))
        self.log("val_loss", loss, prog_bar=True, sync_dist=True)

    def on_load_checkpoint(self, checkpoint: dict[str, t.Any]) -> None:
        """Refuse to resume a flow of another size, or with other epochs where the learning rates follow from them.

        Raises
        ------
        ValueError
            A setting differs; it is named with both values.
        """
        runs.check_same("", self.hparams["flow"], checkpoint["hyper_parameters"]["flow"])
        runs.check_length("epochs", self.trainer, checkpoint)

    def configure_optimizers(self) -> t.Any:
        steps = int(self.trainer.estimated_stepping_batches)
        return optimizers.build(self.optimizer, self.flow.velocity.parameters(), steps)


def batches(codes: priors.Array, size: int, seed: int | None = None) -> DataLoader[tuple[Tensor, ...]]:
    """Batches of codes; with a seed, in an order that depends on it and on the epoch only."""
    dataset = TensorDataset(torch.from_numpy(codes))
    if seed is None:
        return DataLoader(dataset, size)
    # Its order depends on seed and epoch, so a resumed run continues in the same order.
    sampler: DistributedSampler[tuple[Tensor, ...]] = DistributedSampler(dataset, 1, 0, seed=seed)
    return DataLoader(dataset, size, sampler=sampler, drop_last=len(codes) >= size)


def varied_codes(encoder: nn.Module, images: prepared.Images, seed: int) -> priors.Array:
    """Codes ``(N, D)`` of the images cut a little closer, some mirrored, in slightly other light and colour.

    A few thousand codes are soon memorised; these serve as new ones.
    """
    generator = step_generator(seed, 0, 2)
    return encode(encoder, images, lambda pixels: _varied(pixels, generator))


def save_codes(run: pathlib.Path, train: priors.Array, val: priors.Array) -> None:
    """Keep codes ``(N, D)`` in a run's folder: encoding takes minutes."""
    run.mkdir(parents=True, exist_ok=True)
    with files.whole(run / CODES) as unfinished:
        np.savez(unfinished, train=train, val=val)


def load_codes(run: pathlib.Path) -> tuple[priors.Array, priors.Array]:
    """Codes of the training images and of the validation images that `save_codes` kept.

    Raises
    ------
    ValueError
        The folder holds none.
    """
    try:
        with np.load(run / CODES) as file:
            return file["train"], file["val"]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"{run / CODES}: no codes of scripts/train_prior.py ({error})") from error


def _varied(images: Tensor, generator: torch.Generator) -> Tensor:
    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(len(images), generator=generator)

    log_aspect = canvas.log_aspect(images)
    inside = canvas.stretch(images, log_aspect)
    width, height = uniform(0.88, 1), uniform(0.88, 1)
    mirrored = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    cut = torch.zeros(len(images), 2, 3)
    cut[:, 0, 0], cut[:, 0, 2] = width * mirrored, (1 - width) * uniform(-1, 1)
    cut[:, 1, 1], cut[:, 1, 2] = height, (1 - height) * uniform(-1, 1)
    grid = nn.functional.affine_grid(cut, list(inside.shape), align_corners=False)
    inside = nn.functional.grid_sample(inside, grid, padding_mode="border", align_corners=False)
    inside = inside * uniform(0.85, 1.15)[:, None, None, None]
    grey = inside.mean(1, keepdim=True)
    inside = (grey + (inside - grey) * uniform(0.7, 1.3)[:, None, None, None]).clamp(0, 1)
    return canvas.letterbox(inside, log_aspect + (width / height).log())


def fit(
    training: FlowTraining,
    codes: priors.Array,
    validation: priors.Array,
    batch: int,
    epochs: int,
    out: pathlib.Path,
    resume: bool,
) -> None:
    """Train on codes ``(N, D)``, in bf16 where that is fast; leaves a log per attempt and a checkpoint in `out`."""
    trainers.quiet()
    trainer = trainers.Trainer(
        max_epochs=epochs,
        precision="auto",
        devices=1,  # with a few million weights, several would mostly synchronise
        gradient_clip_val=1.0,
        num_sanity_val_steps=0,
        logger=runs.csv_logger(out),
        callbacks=[
            ModelCheckpoint(
                out, LAST.removesuffix(".ckpt"), enable_version_counter=False, save_on_train_epoch_end=True
            ),
            WeightAveraging(multi_avg_fn=trainers.averaging(0.9995), use_buffers=True),
            TQDMProgressBar(refresh_rate=20),
        ],
        plugins=[runs.AtomicCheckpointIO()],
        log_every_n_steps=1,  # means over epochs are all that is logged
        enable_model_summary=False,
    )
    trainer.fit(
        training,
        batches(codes, batch, training.seed),
        batches(validation, batch),
        ckpt_path=out / LAST if resume else None,
        weights_only=True,
    )
