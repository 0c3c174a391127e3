"""The variational autoencoder as a LightningModule: one training step, its logs and its optimizer."""

import dataclasses
import pathlib
import typing as t

import lightning as L
import torch
from torch import Tensor
from torch.nn import functional as F

from ..data import prepared
from ..evaluation.reconstruction import sharpness
from ..prior import priors
from ..release import released
from ..vae import canvas, losses
from ..vae.losses import LossConfig, Posterior
from ..vae.networks import Decoder, Encoder, NetworkConfig, channels_last
from . import optimizers, runs
from .adversary import MEASURE_EVERY, Adversary, AdversaryConfig, load_prior
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
        adversary: AdversaryConfig = AdversaryConfig(),  # noqa: B008 - frozen, so sharing it is no harm
        seed: int = 0,
    ) -> None:
        super().__init__()
        if loss.importance_samples > 1 and (network.aspect or adversary.weight):
            raise ValueError(
                f"loss.importance_samples: {loss.importance_samples} needs every latent to have a posterior, and no "
                "adversary: network.aspect false, adversary.weight 0"
            )
        self.save_hyperparameters(
            {
                "network": dataclasses.asdict(network),
                "loss": dataclasses.asdict(loss),
                "optimizer": dataclasses.asdict(optimizer),
                "adversary": dataclasses.asdict(adversary),
                "seed": seed,
            }
        )
        self.network, self.loss, self.optimizer, self.seed = network, loss, optimizer, seed
        self.encoder = channels_last(Encoder(network))
        self.decoder = channels_last(Decoder(network))
        self.adversary = Adversary(adversary, network.image_size) if adversary.weight else None
        # Names of the decoder's weights that `start_from` brought; those of a new layer are not among them.
        self.brought: list[str] = []
        # What the command line says beside network, objective and data, for the checkpoint to record.
        self.run: dict[str, t.Any] = {}
        # Weights that are trained already need no warm-up of the KL divergence.
        self.warmed_up = False
        self.skipped_steps = 0
        # The pixels' variance on training images, for the loss `sigma`: validation must not fit its own.
        self.variance: Tensor
        self.register_buffer("variance", torch.ones(()), persistent=False)
        self._sums = torch.zeros(len(LOGGED))
        self._images = torch.tensor(0)
        self._buffers_before = {name: buffer.clone() for name, buffer in self.named_buffers()}

    def start_from(self, weights: pathlib.Path) -> None:
        """Begin with the encoder and decoder of released weights or of a training checkpoint.

        The decoder may have more outer layers than they do; the encoder is the same.

        Raises
        ------
        ValueError
            The file holds no weights of carvae, or those of another network.
        """
        network, encoder, decoder = released.load_networks(weights)
        if not self.network.extends(network):
            raise ValueError(f"{weights}: weights of another network, {network}; the recipe's is {self.network}")
        self.warmed_up = True
        self.encoder.load_state_dict(encoder.state_dict())
        mine = self.decoder.state_dict()
        # Behind added layers, the layer that makes the picture has another shape.
        fitting = {
            name: value
            for name, value in decoder.state_dict().items()
            if name in mine and mine[name].shape == value.shape
        }
        self.decoder.load_state_dict(fitting, strict=False)
        self.brought = [name for name, _ in self.decoder.named_parameters() if name in fitting]

    def posterior(self, images: Tensor) -> Posterior:
        """What the encoder makes of images ``(N, C, S, S)``."""
        return Posterior(*self.encoder(images))

    def elbo(self, posterior: Posterior, images: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Decoded images, reconstruction loss and KL divergence on the scale of `model.vae.losses`.

        In training, the loss ``sigma`` uses the optimal variance of the batch; otherwise, the running mean of training.
        """
        decoded = self.decoder(posterior.sample(noise))
        variance = None if self.training else self.variance
        reconstruction = losses.reconstruction_nats(decoded, images, self.loss.reconstruction, variance)
        # The aspect ratio, the last latent, is measured rather than learnt, so it has no posterior.
        kl = posterior.kl()[:, : self.network.learnt_dim].sum(1).mean()
        return decoded, reconstruction, kl

    def importance_weighted(self, posterior: Posterior, images: Tensor, noise: Tensor) -> Tensor:
        """The negative importance-weighted bound, in nats per image; ``noise`` is ``(N, K, D)``."""
        weights = losses.log_weights(self.decoder, posterior, noise, images, self.loss.reconstruction)
        return -losses.importance_weighted(weights).mean()

    def follow_variance(self, decoded: Tensor, images: Tensor) -> None:
        """Update the variance of the pixels: the running mean of the squared errors of the steps."""
        error = F.mse_loss(decoded.detach(), images).clamp(min=1e-6)
        if self.loss.reconstruction == "sigma" and error.isfinite():
            self.variance.lerp_(error, max(0.01, 1 / (1 + self.global_step)))

    def training_step(self, batch: Tensor, batch_index: int) -> Tensor:
        # Drawn for all processes together, and each takes its rows, so the number of processes changes no result.
        part = batch_index % self.trainer.accumulate_grad_batches
        generator = prepared.step_generator(self.seed, self.global_step, 0, part)
        processes = self.trainer.world_size
        codes = self.loss.importance_samples
        whole = torch.randn(processes * len(batch), codes, self.network.latent_dim, generator=generator)
        noise = whole[self.global_rank :: processes].to(self.device)
        if self.adversary is not None:
            return self.adversarial_step(batch, noise[:, 0], part)
        posterior = self.posterior(batch)
        decoded, reconstruction, kl = self.elbo(posterior, batch, noise[:, 0])
        beta = self.loss.beta if self.warmed_up else self.loss.beta_at(self.global_step)
        loss = reconstruction + beta * kl if codes == 1 else self.importance_weighted(posterior, batch, noise)
        self.follow_variance(decoded, batch)
        # Per pixel, so that one learning rate and one clipping norm suit every image size.
        objective = loss / batch[0].numel()
        with torch.no_grad():
            values = torch.stack((loss, reconstruction, kl, losses.psnr(decoded, batch).mean())).detach()
            # A step that is skipped because its values are not finite does not count here either.
            counted = len(batch) * values.isfinite().all()
            self._sums += counted * values.nan_to_num(0.0, 0.0, 0.0)
            self._images += counted
        # Logged every few steps, and as means per epoch: logging each step costs small networks a tenth of their time.
        every: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        if every and (self.global_step + 1) % every == 0:
            self.log_dict({f"{name}_step": value for name, value in zip(LOGGED, values, strict=True)}, prog_bar=True)
        return objective

    def adversarial_step(self, photographs: Tensor, noise: Tensor, part: int) -> Tensor:
        """The decoder's objective in the second stage (`.adversary`), on pictures without their white bars."""
        adversary = t.cast(Adversary, self.adversary)
        config, step = adversary.config, self.global_step
        generator = prepared.step_generator(self.seed, step, 3 + self.global_rank, part)
        with torch.no_grad():
            codes = adversary.beside(self.posterior(photographs).sample(noise), generator)
            photographs = self.unframed(photographs)
        decoded = self.decoder.stretched(codes)
        rebuilt = decoded[: len(photographs)]
        reconstruction = losses.reconstruction_nats(rebuilt, photographs, self.loss.reconstruction)
        self.follow_variance(rebuilt, photographs)
        reconstruction = reconstruction / photographs[0].numel()
        distance, generator_loss, logs = adversary.terms(adversary.views(photographs, decoded, generator))
        drift = adversary.drift(decoded, len(photographs), generator) if config.drifting else 0 * distance
        terms = (distance, generator_loss, drift)
        if step % MEASURE_EVERY == 0:
            adversary.measure(reconstruction, terms, self.decoder.last_weight)
        if config.drifting:
            logs["drift"] = drift.detach()
        logs["psnr"] = losses.psnr(rebuilt.detach(), photographs).mean()
        self.log_dict(logs, prog_bar=True, on_step=True, on_epoch=True, batch_size=len(photographs))
        added = torch.stack(terms) * adversary.pull * adversary.pull.new_tensor(config.weights_at(step))
        return reconstruction + added.sum()

    def validation_step(self, batch: Tensor, batch_index: int) -> None:
        """Log the loss of sampled codes, by the same noise after each epoch, and how well mean codes are decoded."""
        generator = torch.Generator().manual_seed(batch_index)
        shape = (self.trainer.world_size * len(batch), self.loss.importance_samples, self.network.latent_dim)
        noise = torch.randn(shape, generator=generator)[self.global_rank :: self.trainer.world_size].to(self.device)
        posterior = self.posterior(batch)
        _, reconstruction, kl = self.elbo(posterior, batch, noise[:, 0])
        loss = reconstruction + self.loss.beta * kl
        if self.loss.importance_samples > 1:
            loss = self.importance_weighted(posterior, batch, noise)
        rebuilt = self.decoder(posterior.mean)
        values = {
            "val_loss": loss,
            "val_reconstruction": reconstruction,
            "val_kl": kl,
            "val_psnr": losses.psnr(rebuilt, batch).mean(),
            "val_sharpness": sharpness(rebuilt, batch),
        }
        self.log_dict(values, prog_bar=True, batch_size=len(batch), sync_dist=True)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Skip and count a step whose loss is not finite: one bad batch must not cost the weights.

        Dropped gradients leave the weights as they are; batch norm has seen the batch already and gets back the
        averages from before it.
        """
        if self.grows():
            for name in self.brought:
                self.decoder.get_parameter(name).grad = None
        gradients = [parameter.grad for parameter in self.parameters() if parameter.grad is not None]
        if torch.nn.utils.get_total_norm(gradients).isfinite():
            self._buffers_before = {name: buffer.clone() for name, buffer in self.named_buffers()}
            return
        self.skipped_steps += 1
        optimizer.zero_grad(set_to_none=True)
        for name, buffer in self.named_buffers():
            buffer.copy_(self._buffers_before[name])

    def on_fit_start(self) -> None:
        if self.adversary is None:
            return
        self.encoder.requires_grad_(False)
        # Lightning sets it, and doesn't declare it.
        images = self.trainer.datamodule.val  # type: ignore[attr-defined]
        some = prepared.as_float(images.__getitems__(range(min(64, len(images))))).to(self.device)
        path = self.adversary.config.prior
        self.adversary.prepare(some, load_prior(pathlib.Path(path)) if path else None)
        if self.adversary.config.drifting:
            batches = prepared.in_batches(self.trainer.datamodule.train, 32)  # type: ignore[attr-defined]
            self.adversary.look_at(self.unframed(photographs.to(self.device)) for photographs in batches)

    def unframed(self, photographs: Tensor) -> Tensor:
        """Prepared photographs ``(N, C, S, S)`` without their white bars, where the decoder makes them so."""
        return canvas.stretch(photographs, canvas.log_aspect(photographs)) if self.network.aspect else photographs

    def on_train_start(self) -> None:
        # --start_from and --resume have changed the buffers since the first copy.
        self._buffers_before = {name: buffer.clone() for name, buffer in self.named_buffers()}

    @property
    def prior(self) -> priors.Prior | None:
        """What the second stage draws codes from."""
        return self.adversary.prior if self.adversary is not None else None

    def grows(self) -> bool:
        """Whether this step trains only those layers that got no weights from `start_from`."""
        if self.adversary is None or self.global_step >= self.adversary.config.start_step:
            return False
        return 0 < len(self.brought) < len(list(self.decoder.parameters()))

    def on_train_batch_start(self, batch: Tensor, batch_index: int) -> None:
        if self.adversary is None:
            return
        # A batch mixes decoded pictures of several kinds, so batch norm's averages would fit none of them.
        self.eval()
        if self.grows():
            for name, layer in self.decoder.named_modules():
                layer.train(isinstance(layer, torch.nn.BatchNorm2d) and f"{name}.weight" not in self.brought)
        self.adversary.discriminators.train()

    def on_train_epoch_start(self) -> None:
        self._sums = torch.zeros(len(LOGGED), device=self.device)
        self._images = torch.tensor(0, device=self.device)

    def on_train_epoch_end(self) -> None:
        self.log("skipped_steps", float(self.skipped_steps), sync_dist=True)
        if self.adversary is not None:
            return
        means = self._sums / self._images.clamp(min=1)
        self.log_dict({f"{name}_epoch": mean for name, mean in zip(LOGGED, means, strict=True)}, sync_dist=True)

    def configure_optimizers(self) -> t.Any:
        parameters = list(self.decoder.parameters())
        if self.adversary is None:
            parameters = [*self.encoder.parameters(), *parameters]
        # Under mixed precision, Lightning does not clip the gradients of a fused optimizer.
        mixed = "mixed" in str(self.trainer.precision) and bool(self.trainer.gradient_clip_val)
        steps = int(self.trainer.estimated_stepping_batches)
        every = self.trainer.check_val_every_n_epoch or 1
        return optimizers.build(self.optimizer, parameters, steps, fused=not mixed, validated_every=every)

    def on_save_checkpoint(self, checkpoint: dict[str, t.Any]) -> None:
        checkpoint["run"], checkpoint["warmed_up"] = self.run, self.warmed_up
        checkpoint["variance"] = float(self.variance)
        if self.adversary is not None:
            checkpoint["discriminator_optimizer"] = self.adversary.optimizer.state_dict()
            checkpoint["brought"] = self.brought
            checkpoint["crowds"] = [crowd.made for crowd in self.adversary.crowds]

    def on_load_checkpoint(self, checkpoint: dict[str, t.Any]) -> None:
        """Refuse to resume another network, or with other epochs where the learning rates follow from them.

        Raises
        ------
        ValueError
            A key differs; it is named with both values. Or a run of the second stage is of an earlier version.
        """
        if self.adversary is not None and "crowds" not in checkpoint:
            raise ValueError("the run is of an earlier version; begin a new one with --start_from its last.ckpt")
        there, here = checkpoint["hyper_parameters"]["network"], self.hparams["network"]
        # A run from before a key existed has that key's default.
        defaults = {field.name: getattr(NetworkConfig, field.name, None) for field in dataclasses.fields(NetworkConfig)}
        runs.check_same("model.network.", here, defaults | there)
        runs.check_length("trainer.max_epochs", self.trainer, checkpoint)
        self.warmed_up = checkpoint.get("warmed_up", False)
        self.variance.fill_(checkpoint.get("variance", 1.0))
        if self.adversary is not None:
            self.adversary.optimizer.load_state_dict(checkpoint["discriminator_optimizer"])
            self.brought = checkpoint["brought"]
            for crowd, made in zip(self.adversary.crowds, checkpoint["crowds"], strict=True):
                crowd.made = made
