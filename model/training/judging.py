"""How much the pictures of a run look like cars to a network that does not teach it, at each validation."""

import typing as t

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from ..data.batches import ImageData
from ..data.prepared import as_float
from ..evaluation.judge import Judge, Seen
from .module import VAE

#: Validation photographs that are judged at most, and pictures of each kind beside them.
PICTURES = 355

#: Images per pass through the networks.
BATCH = 32


class Judging(Callback):
    """Log recognised share and KID of reconstructions, midpoints and draws from the prior.

    It must stand before the callback that averages weights, as the report must.
    """

    def __init__(self) -> None:
        self.judge: Judge | None = None
        self.photographs: Seen | None = None

    @torch.no_grad()
    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        module = t.cast(VAE, pl_module)
        # Lightning sets it, and doesn't declare it.
        images = t.cast(ImageData, trainer.datamodule).val  # type: ignore[attr-defined]
        pixels = as_float(images.__getitems__(range(min(PICTURES, len(images)))))
        if self.judge is None:
            self.judge = Judge().to(module.device)
        if self.photographs is None:
            self.photographs = self.judge.look(pixels.to(module.device))
        for name, codes in self.kinds(module, pixels).items():
            decoded = torch.cat([module.decoder(part).float() for part in torch.split(codes, BATCH)])
            for score, value in self.judge.score(decoded, self.photographs).items():
                module.log(f"val_{score}_{name}", value, rank_zero_only=True)

    def kinds(self, module: VAE, pixels: Tensor) -> dict[str, Tensor]:
        """Codes ``(N, D)`` of each kind of picture; the same noise and pairs at each validation."""
        codes = torch.cat([module.encoder(part.to(module.device))[0] for part in torch.split(pixels, BATCH)])
        kinds = {"reconstructions": codes, "midpoints": (codes + codes.roll(len(codes) // 2, 0)) / 2}
        if module.prior is not None:
            noise = torch.randn(len(codes), module.prior.noise_dim, generator=torch.Generator().manual_seed(0))
            kinds["random"] = module.prior(noise.to(module.device))
        return kinds
