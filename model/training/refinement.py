"""Refinement of a flow: a critic looks at the cars that it draws, and the flow learns from its gradient.

The loss on codes does not say which errors are visible. So the samples are decoded, a critic learns to distinguish
these pictures from decoded codes, and the flow follows the critic's gradient back through the decoder (Goodfellow et
al. 2014), whose weights are frozen. The loss on codes continues, so that it does not end with a few good cars.
"""

import dataclasses
import math
import pathlib
import typing as t

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..data.prepared import step_generator
from ..prior.flow import FlowConfig
from ..release import released
from ..vae.folding import fold_batch_norm
from ..vae.networks import Decoder, channels_last
from . import flow_training, runs
from .flow_training import FlowTraining
from .optimizers import OptimizerConfig

#: The critic looks at pictures of at most this side in pixels.
SIDE = 64

#: Samples, and as many codes, that the critic sees per step.
SEEN = 32

#: Codes per step of the flow's own loss.
BATCH = 256

#: Steps for which the critic learns alone, and over which the flow's learning rate then rises.
WARM_UP, RISE = 200, 200

#: Weight of the critic's gradient penalty, taken every so many steps.
PENALTY, PENALTY_EVERY = 0.05, 8


def refine(run: pathlib.Path, weights: pathlib.Path, out: pathlib.Path, epochs: int, resume: bool = False) -> None:
    """Refine the flow of a run.

    Parameters
    ----------
    run
        Folder of the flow's training, with its codes.
    weights
        The model that it was trained for: a training checkpoint or released weights.
    out
        Folder of the refined flow.

    Raises
    ------
    ValueError
        The run, the weights or the folder can't be used, or they don't fit each other.
    """
    if epochs < 1:
        raise ValueError(f"epochs: {epochs} is not at least 1")
    runs.check(out, out / flow_training.LAST, resume)
    flow = released.load_flow(run / flow_training.LAST)
    network, _, decoder = released.load_networks(weights)
    if flow.noise_dim != network.latent_dim:
        raise ValueError(f"{run}: a flow of {flow.noise_dim} latents; {weights} has {network.latent_dim}")
    codes, validation = flow_training.load_codes(run)
    flow.reduce_noise()
    training = Refinement(flow.config, OptimizerConfig("adam", 1e-4), t.cast(Decoder, decoder))
    training.flow.load_state_dict(flow.state_dict())
    flow_training.fit(training, codes, validation, BATCH, epochs, out, resume, decay=0.998)


class Critic(nn.Module):
    """Pictures ``(N, C, S, S)`` to two scores each, ``(N, 2)``, high for decoded codes.

    The first is the mean of the scores of 4 x 4 places, the second is the picture's as a whole.
    """

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for halving in range(max(1, round(math.log2(side)) - 2)):
            width = min(64 * 2**halving, 384)
            layers += [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
            channels = width
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4))
        self.patches, self.whole = nn.Conv2d(channels, 1, 1), nn.Linear(16 * channels, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        features = self.body(pictures.contiguous(memory_format=torch.channels_last))
        return torch.cat((self.patches(features).mean((2, 3)), self.whole(features.flatten(1))), 1).float()


class Refinement(FlowTraining):
    """Adversarial training of a flow that `FlowTraining` has trained, with the decoder whose latents it draws.

    The critic's loss is logistic with a penalty on its gradient at codes (R1, Mescheder et al. 2018).
    """

    def __init__(self, flow: FlowConfig, optimizer: OptimizerConfig, decoder: Decoder, seed: int = 0) -> None:
        # What is drawn should be what will be drawn, so no unit is left out.
        super().__init__(dataclasses.replace(flow, dropout=0.0), optimizer, seed)
        self.automatic_optimization = False
        # In a tuple: it is neither trained nor averaged nor written into checkpoints.
        self._decoder = (channels_last(fold_batch_norm(decoder)).requires_grad_(False),)
        self.colours, side, _ = decoder.image
        self.pool = max(1, side // SIDE)
        self.critic = Critic(self.colours + decoder.aspect, side // self.pool)

    def on_fit_start(self) -> None:
        self._decoder[0].to(self.device)

    def pictures(self, latents: Tensor) -> Tensor:
        """What the critic sees of latents ``(N, D)``: stretched squares in [-1, 1], the aspect ratio as a channel."""
        decoder = self._decoder[0]
        images = F.avg_pool2d(decoder.stretched(latents), self.pool) * 2 - 1
        if not decoder.aspect:
            return images
        aspect = latents[:, -1, None, None, None] / 2
        return torch.cat((images, aspect.expand(-1, 1, *images.shape[2:])), 1)

    def training_step(self, batch: list[Tensor], batch_index: int) -> Tensor:
        generator = step_generator(self.seed, self.global_step, 0)
        optimizer, critics = t.cast(list[t.Any], self.optimizers())
        (codes,) = batch
        with torch.no_grad():
            real = self.pictures(codes[:SEEN])
        noise = torch.randn(len(real), self.flow.noise_dim, generator=generator).to(codes.device)
        drawn = self.pictures(self.flow(noise).float())

        real_scores, drawn_scores = (self.critic(self.varied(each, generator)) for each in (real, drawn.detach()))
        loss = F.softplus(-real_scores).mean() + F.softplus(drawn_scores).mean()
        if batch_index % PENALTY_EVERY == 0:
            loss = loss + PENALTY_EVERY * PENALTY / 2 * self.steepness(self.varied(real, generator))
        self.descend(critics, loss)

        error = self.velocity_error(codes, generator)
        generator_loss = F.softplus(-self.critic(self.varied(drawn, generator))).mean()
        self.descend(optimizer, generator_loss + error, clip=5.0)
        t.cast(t.Any, self.lr_schedulers()).step()
        self.log_dict(
            {
                "loss": error,
                "generator_loss": generator_loss,
                "discriminator_accuracy": ((real_scores > 0).float().mean() + (drawn_scores < 0).float().mean()) / 2,
            },
            prog_bar=True,
            on_step=False,
            on_epoch=True,
        )
        return error.detach()

    def varied(self, pictures: Tensor, generator: torch.Generator) -> Tensor:
        """Pictures mirrored, shifted, and in other light and colour, so that the critic doesn't learn codes by heart.

        As it is done to samples, too, and has a gradient, the flow doesn't learn it (Zhao et al. 2020).
        """

        def uniform(low: float, high: float) -> Tensor:
            values = low + (high - low) * torch.rand(len(pictures), 1, 1, 1, generator=generator)
            return values.to(pictures.device)

        pictures = torch.where(uniform(-1, 1) < 0, pictures.flip(3), pictures)
        colours, aspect = pictures[:, : self.colours], pictures[:, self.colours :]
        colours = colours + uniform(-0.2, 0.2)
        grey = colours.mean(1, keepdim=True)
        colours = grey + (colours - grey) * uniform(0.5, 1.5)
        side = pictures.shape[2]
        margin = side // 16
        row, column = torch.randint(2 * margin + 1, (2,), generator=generator).tolist()
        padded = F.pad(torch.cat((colours, aspect), 1), (margin,) * 4, mode="replicate")
        return padded[:, :, row : row + side, column : column + side]

    def steepness(self, pictures: Tensor) -> Tensor:
        """Squared norm of the critic's gradient at pictures, their mean."""
        with torch.autocast(self.device.type, enabled=False):  # a second derivative in half precision is noise
            pictures = pictures.detach().requires_grad_(True)
            (slope,) = torch.autograd.grad(self.critic(pictures).sum(), pictures, create_graph=True)
            return slope.square().sum((1, 2, 3)).mean()

    def descend(self, optimizer: t.Any, loss: Tensor, clip: float | None = None) -> None:
        """One step of an optimizer, down the gradient of what it trains alone."""
        self.toggle_optimizer(optimizer)
        optimizer.zero_grad()
        self.manual_backward(loss)
        if clip:
            self.clip_gradients(optimizer, clip, "norm")
        optimizer.step()
        self.untoggle_optimizer(optimizer)

    def configure_optimizers(self) -> t.Any:
        # It doesn't fall again: the critic would get ahead. The average of the weights comes to rest instead.
        def share(step: int) -> float:
            return min(max(0, step - WARM_UP) / RISE, 1.0)

        optimizer = torch.optim.Adam(self.flow.velocity.parameters(), self.optimizer.learning_rate, betas=(0.5, 0.99))
        critics = torch.optim.Adam(self.critic.parameters(), 4e-4, betas=(0.5, 0.99))
        return [optimizer, critics], [torch.optim.lr_scheduler.LambdaLR(optimizer, share)]
