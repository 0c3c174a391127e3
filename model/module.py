"""The variational autoencoder as a LightningModule: one training step, its logs and its optimizer."""

import dataclasses
import typing as t

import lightning as L
import torch
from torch import Tensor

from . import data, losses, optimizers
from .losses import LossConfig, Posterior
from .networks import Decoder, Encoder, NetworkConfig
from .optimizers import OptimizerConfig

#: What training logs: ``<name>_step`` every so many steps (Lightning's ``log_every_n_steps``), ``<name>_epoch`` means.
LOGGED = ("loss", "reconstruction", "kl", "psnr")


class VAE(L.LightningModule):
    """Encoder, decoder and objective of one recipe."""

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
        self._sums = torch.zeros(len(LOGGED))
        self._images = 0
        self._buffers_before = {name: buffer.clone() for name, buffer in self.named_buffers()}

    def elbo(self, images: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Decoded images, reconstruction loss and KL divergence on the scale of `model.losses`."""
        posterior = Posterior(*self.encoder(images))
        decoded = self.decoder(posterior.sample(noise))
        reconstruction = losses.reconstruction_nats(decoded, images, self.loss.reconstruction)
        # The aspect ratio, the last latent, is measured rather than learnt and has no posterior to speak of.
        kl = posterior.kl()[:, : self.network.learnt_dim].sum(1).mean()
        return decoded, reconstruction, kl

    def training_step(self, batch: Tensor, batch_index: int) -> Tensor:
        # Drawn for the batch of all processes, of which each takes its rows: their number changes no result.
        generator = data.step_generator(self.seed, self.global_step, 0)
        processes = self.trainer.world_size
        whole = torch.randn(processes * len(batch), self.network.latent_dim, generator=generator)
        noise = whole[self.global_rank :: processes].to(self.device)
        decoded, reconstruction, kl = self.elbo(batch, noise)
        loss = reconstruction + self.loss.beta_at(self.global_step) * kl
        with torch.no_grad():
            values = torch.stack((loss, reconstruction, kl, losses.psnr(decoded, batch).mean())).detach()
            self._sums += len(batch) * values
            self._images += len(batch)
        # One entry in so many steps, and means over the epoch: logging each step costs a tenth of a small network's.
        every: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        if every and (self.global_step + 1) % every == 0:
            self.log_dict({f"{name}_step": value for name, value in zip(LOGGED, values, strict=True)}, prog_bar=True)
        # Per pixel, so that one learning rate and one clipping norm suit every image size.
        return loss / batch[0].numel()

    def validation_step(self, batch: Tensor, batch_index: int) -> None:
        no_noise = torch.zeros(len(batch), self.network.latent_dim, device=self.device)
        decoded, reconstruction, kl = self.elbo(batch, no_noise)
        values = {
            "val_loss": reconstruction + self.loss.beta * kl,
            "val_reconstruction": reconstruction,
            "val_kl": kl,
            "val_psnr": losses.psnr(decoded, batch).mean(),
        }
        self.log_dict(values, prog_bar=True, batch_size=len(batch), sync_dist=True)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Skip and count a step whose loss is not finite: one bad batch must not cost the weights.

        Dropped gradients leave the weights as they are; batch norm has seen the batch already and gets back the
        averages from before it.
        """
        gradients = [parameter.grad for parameter in self.parameters() if parameter.grad is not None]
        if torch.nn.utils.get_total_norm(gradients).isfinite():
            self._buffers_before = {name: buffer.clone() for name, buffer in self.named_buffers()}
            return
        self.skipped_steps += 1
        optimizer.zero_grad(set_to_none=True)
        for name, buffer in self.named_buffers():
            buffer.copy_(self._buffers_before[name])

    def on_train_epoch_start(self) -> None:
        self._sums, self._images = torch.zeros(len(LOGGED), device=self.device), 0

    def on_train_epoch_end(self) -> None:
        means = self._sums / max(self._images, 1)
        self.log_dict({f"{name}_epoch": mean for name, mean in zip(LOGGED, means, strict=True)}, sync_dist=True)
        self.log("skipped_steps", float(self.skipped_steps), sync_dist=True)

    def configure_optimizers(self) -> t.Any:
        return optimizers.build(self.optimizer, self.parameters(), int(self.trainer.estimated_stepping_batches))
