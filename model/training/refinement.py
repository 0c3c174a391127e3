"""Refinement of a flow by how its cars look.

The loss on codes does not say which errors are visible. So the samples are decoded, and the flow learns to move them to
where photographs are (`.drifting`), through the decoder, whose weights are frozen.
"""

import dataclasses
import pathlib
import typing as t

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from ..data import prepared
from ..data.prepared import step_generator
from ..evaluation import neighbours
from ..evaluation.judge import Judge, Seen
from ..prior.flow import Flow, FlowConfig
from ..release import released
from ..vae.folding import fold_batch_norm
from ..vae.networks import Decoder, channels_last
from ..vae.perception import Perception
from . import drifting, flow_training, optimizers, runs
from .judging import PICTURES
from .optimizers import OptimizerConfig

#: Steps per epoch, each of which ends with a checkpoint; epochs from one validation to the next.
EPOCH, VALIDATE_EVERY = 250, 2

#: Pictures per pass through the networks, where nothing is learnt.
BATCH = 32

Progress = t.Callable[[t.Sequence[t.Any], str], t.Iterable[t.Any]]


@dataclasses.dataclass(frozen=True)
class RefinementRun:
    """What a flow is refined with.

    Parameters
    ----------
    epochs
        Of `EPOCH` steps.
    drawn
        Cars per step.
    compared
        Photographs, and cars of the last steps, that each of them is compared with.
    learning_rate
        Of Adam.
    """

    epochs: int = 16
    drawn: int = 24
    compared: int = 768
    learning_rate: float = 1e-4

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("drawn", 1), ("compared", drifting.LEAST)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: {getattr(self, name)} is not at least {least}")


def refine(
    run: pathlib.Path,
    weights: pathlib.Path,
    data: pathlib.Path,
    out: pathlib.Path,
    settings: RefinementRun,
    resume: bool = False,
    progress: Progress = lambda items, _: items,
) -> None:
    """Refine the flow of a run.

    Parameters
    ----------
    run
        Folder of the flow's training.
    weights
        The model whose decoder makes cars of its samples: a training checkpoint or released weights.
    data
        Prepared photographs at the model's size.
    out
        Folder of the refined flow.
    progress
        Wraps what takes minutes, given its name.

    Raises
    ------
    ValueError
        The run, the weights, the data or the folder can't be used, or they don't fit each other.
    """
    runs.check(out, out / flow_training.LAST, resume)
    flow = released.load_flow(run / flow_training.LAST)
    network, _, decoder = released.load_networks(weights)
    if flow.noise_dim != network.latent_dim:
        raise ValueError(f"{run}: a flow of {flow.noise_dim} latents; {weights} has {network.latent_dim}")
    train, val = prepared.open_split(data, "train"), prepared.open_split(data, "val")
    if train[0].shape[-1] != network.image_size:
        raise ValueError(f"{data}: images of {train[0].shape[-1]} px; {weights} makes {network.image_size} px")
    if not flow.has_reduced_noise:  # a flow refined before has learnt with the noise it has
        flow.reduce_noise()
    training = Refinement(flow.config, settings, t.cast(Decoder, decoder))
    training.flow.load_state_dict(flow.state_dict())
    trainer = flow_training.trainer(out, settings.epochs, decay=0.998, validate_every=VALIDATE_EVERY)
    training.look_at(train, val, progress, trainer.strategy.root_device)
    steps, once = (DataLoader(t.cast(t.Any, range(count))) for count in (EPOCH, 1))
    checkpoint = out / flow_training.LAST if resume else None
    trainer.fit(training, steps, once, ckpt_path=checkpoint, weights_only=True)


class Refinement(L.LightningModule):
    """Training of a flow that `FlowTraining` has trained, with the decoder whose latents it draws."""

    def __init__(self, flow: FlowConfig, settings: RefinementRun, decoder: Decoder, seed: int = 0) -> None:
        super().__init__()
        # Without dropout: training must draw the same samples as the finished flow.
        flow = dataclasses.replace(flow, dropout=0.0)
        self.save_hyperparameters(
            {"flow": dataclasses.asdict(flow), "settings": dataclasses.asdict(settings), "seed": seed}
        )
        self.settings, self.seed, self.flow = settings, seed, Flow(flow)
        self.optimizer = OptimizerConfig("adam", settings.learning_rate)
        # In tuples: neither trained nor averaged nor written into checkpoints.
        self._decoder = (channels_last(fold_batch_norm(decoder)).requires_grad_(False),)
        self._perception = (channels_last(Perception()).requires_grad_(False).eval(),)
        self._judge: tuple[Judge, Seen] | None = None
        self.crowd = drifting.Crowd(settings.compared)

    @torch.no_grad()
    def look_at(
        self,
        train: prepared.Images,
        val: prepared.Images,
        progress: Progress = lambda items, _: items,
        device: torch.device = torch.device("cpu"),  # noqa: B008 - a constant
    ) -> None:
        """Take the features of all training photographs; calibrate them on some of validation."""
        perception = self._perception[0].to(device)
        pixels = prepared.as_float(val.__getitems__(range(min(PICTURES, len(val))))).to(device)
        perception.calibrate(pixels[:64])
        batches = torch.split(torch.arange(len(train)), BATCH)
        photographs = (
            prepared.as_float(train.__getitems__(batch.tolist()).to(device))
            for batch in progress(batches, "features of photographs")
        )
        self.crowd.look_at(*drifting.in_units(perception, photographs))
        self._judge = None
        if len(val) > neighbours.K:
            judge = Judge().to(device)
            self._judge = judge, judge.look(pixels)

    def on_fit_start(self) -> None:
        self._decoder[0].to(self.device)
        self._perception[0].to(self.device)
        self.crowd.to(self.device)

    def pictures(self, noise: Tensor) -> Tensor:
        """Cars ``(N, C, S, S)`` in [0, 1] that the flow draws from noise ``(N, K)``."""
        return t.cast(Tensor, self._decoder[0](self.flow(noise).float()).float())

    def training_step(self, batch: Tensor, batch_index: int) -> Tensor:
        generator = step_generator(self.seed, self.global_step, 0)
        noise = torch.randn(self.settings.drawn, self.flow.noise_dim, generator=generator).to(self.device)
        loss = self.crowd.loss(drifting.features(self._perception[0], self.pictures(noise)), generator)
        self.log("loss", loss.detach(), prog_bar=True, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: Tensor, batch_index: int) -> None:
        if self._judge is None:
            return
        judge, photographs = self._judge
        count = len(photographs)
        noise = torch.randn(count, self.flow.noise_dim, generator=torch.Generator().manual_seed(0))
        cars = torch.cat([self.pictures(part.to(self.device)) for part in torch.split(noise, BATCH)])
        seen = judge.look(cars)
        scores = judge.compare(seen, photographs)
        recall = neighbours.neighbours(photographs.features, seen.features).recall.value
        values = {f"val_{name}": value for name, value in (scores | {"recall": recall}).items()}
        self.log_dict(values, prog_bar=True, batch_size=1)

    def configure_optimizers(self) -> t.Any:
        return optimizers.build(self.optimizer, self.flow.velocity.parameters(), 1)

    def on_save_checkpoint(self, checkpoint: dict[str, t.Any]) -> None:
        checkpoint["drawn"] = self.crowd.made

    def on_load_checkpoint(self, checkpoint: dict[str, t.Any]) -> None:
        self.crowd.made = checkpoint["drawn"]
