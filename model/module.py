"""The variational autoencoder as a LightningModule: one training step, its logs and its optimizer."""

import dataclasses
import math
import typing as t

import lightning as L
import torch
from torch import Tensor

from . import data, losses
from .losses import LossConfig, Posterior
from .networks import Decoder, Encoder, NetworkConfig


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """AdamW with a one-cycle schedule (Smith 2018): warm up over a tenth of the steps, then cosine to zero."""

    learning_rate: float = 2e-3
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        for name in ("learning_rate", "weight_decay"):
            value = getattr(self, name)
            if not (value >= 0 and math.isfinite(value)):
                raise ValueError(f"optimizer.{name}: {value} is not a finite number of at least 0")


class VAE(L.LightningModule):
    """Encoder, decoder and objective of one recipe.

    Every random number of a step (flips, noise) comes from ``(seed, step, rank)``, not from a running generator, so a
    resumed run draws what the unbroken one would have drawn.
    """

    def __init__(
        self,
        network: NetworkConfig,
        loss: LossConfig,
        optimizer: OptimizerConfig,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(
            {
                "network": dataclasses.asdict(network),
                "loss": dataclasses.asdict(loss),
                "optimizer": dataclasses.asdict(optimizer),
                "seed": seed,
            }
        )
        self.network, self.loss, self.optimizer, self.seed = network, loss, optimizer, seed
        self.encoder = Encoder(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.decoder = Decoder(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.skipped_steps = 0
        self._buffers_before = {name: buffer.clone() for name, buffer in self.named_buffers()}

    def forward(self, images: Tensor) -> Tensor:
        """Reconstruct ``(N, C, S, S)`` images in [0, 1] from the posterior's mean."""
        return t.cast(Tensor, self.decoder(self.encoder(images)[0]))

    def elbo(self, images: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Decoded images, reconstruction loss and KL divergence on the scale of `model.losses`."""
        posterior = Posterior(*self.encoder(images))
        decoded = self.decoder(posterior.sample(noise))
        reconstruction = losses.reconstruction_nats(decoded, images, self.loss.reconstruction)
        # The aspect ratio, the last latent, is measured rather than learnt and has no posterior to speak of.
        kl = posterior.kl()[:, : self.network.learnt_dim].sum(1).mean()
        return decoded, reconstruction, kl

    def training_step(self, batch: Tensor, batch_index: int) -> Tensor:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.global_step * 1009 + self.global_rank)
        flip = torch.rand(len(batch), generator=generator) < 0.5
        noise = torch.randn(len(batch), self.network.latent_dim, generator=generator).to(self.device)
        images = data.as_float(torch.where(flip[:, None, None, None].to(self.device), batch.flip(3), batch))
        decoded, reconstruction, kl = self.elbo(images, noise)
        beta = self.loss.beta_at(self.global_step)
        with torch.no_grad():
            self.log("psnr", losses.psnr(decoded, images).mean(), prog_bar=True)
        self.log("reconstruction", reconstruction, prog_bar=True)
        self.log("kl", kl, prog_bar=True)
        # Per pixel, so that one learning rate and one clipping norm suit every image size.
        return (reconstruction + beta * kl) / images[0].numel()

    def validation_step(self, batch: Tensor, batch_index: int) -> None:
        images = data.as_float(batch)
        no_noise = torch.zeros(len(images), self.network.latent_dim, device=self.device)
        decoded, reconstruction, kl = self.elbo(images, no_noise)
        values = {
            "val_psnr": losses.psnr(decoded, images).mean(),
            "val_reconstruction": reconstruction,
            "val_kl": kl,
        }
        self.log_dict(values, prog_bar=True, batch_size=len(batch), sync_dist=True)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Skip and count a step whose loss is not finite: one bad batch must not cost the weights.

        Dropped gradients leave the weights as they are; batch norm has seen the batch already and gets back the
        averages from before it.
        """
        gradients = [parameter.grad for parameter in self.parameters() if parameter.grad is not None]
        if all(bool(gradient.isfinite().all()) for gradient in gradients):
            self._buffers_before = {name: buffer.clone() for name, buffer in self.named_buffers()}
        else:
            self.skipped_steps += 1
            optimizer.zero_grad(set_to_none=True)
            for name, buffer in self.named_buffers():
                buffer.copy_(self._buffers_before[name])
        self.log("skipped_steps", float(self.skipped_steps))

    def configure_optimizers(self) -> t.Any:
        optimizer = torch.optim.AdamW(
            self.parameters(), self.optimizer.learning_rate, weight_decay=self.optimizer.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            self.optimizer.learning_rate,
            total_steps=int(self.trainer.estimated_stepping_batches),
            pct_start=0.1,
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
