"""A whole variational autoencoder of cars on one page: from a folder of photographs to a sheet of random cars.

    python model/minimal.py PHOTOGRAPHS cars.png

Read it from top to bottom. It uses nothing else of this repository; `model/vae/`, `model/training/` and `model/prior/`
do the same for larger networks, with recipes, logs, checkpoints and better priors.
"""

import argparse
import itertools
import math
import pathlib
import sys
import typing as t

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn
from torch.nn import functional as F

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


# 1. The data: every picture below a folder, fitted into a white square.


def load(folder: pathlib.Path, size: int) -> Tensor:
    """Photographs below ``folder`` as uint8 ``(N, 3, size, size)``.

    Raises
    ------
    ValueError
        There are fewer than two, or one can't be read; it is named.
    """
    squares = []
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES):
        try:
            with Image.open(path) as image:
                upright = ImageOps.exif_transpose(image).convert("RGB")
        except OSError as error:
            raise ValueError(f"{path}: not a readable picture ({error})") from error
        squares.append(np.asarray(ImageOps.pad(upright, (size, size), color="white")))
    if len(squares) < 2:
        raise ValueError(f"{folder}: {len(squares)} pictures found; at least 2 are needed")
    return torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2)


def batches(images: Tensor, size: int) -> t.Iterator[Tensor]:
    """All images once, in a new order, half of them mirrored: batches of at least ``size``, floats in [0, 1]."""
    for rows in torch.tensor_split(torch.randperm(len(images)), max(1, len(images) // size)):
        batch = images[rows].float() / 255
        mirrored = torch.rand(len(batch), 1, 1, 1) < 0.5
        yield torch.where(mirrored, batch.flip(3), batch)


# 2. The network: the encoder halves the resolution four times, the decoder doubles it four times.


class VAE(nn.Module):
    """Convolutions down to a small grid, ``latents`` numbers, and the same way back."""

    def __init__(self, size: int, latents: int, widths: tuple[int, ...] = (32, 64, 128, 256)) -> None:
        super().__init__()
        grid = size >> len(widths)
        if grid << len(widths) != size or not grid:
            raise ValueError(f"size: {size} is not a multiple of {1 << len(widths)}")
        down: list[nn.Module] = []
        up: list[nn.Module] = []
        for outer, inner in itertools.pairwise((3, *widths)):
            down += [nn.Conv2d(outer, inner, 4, 2, 1), nn.BatchNorm2d(inner), nn.LeakyReLU(0.1)]
        for inner, outer in itertools.pairwise((*widths[::-1], widths[0])):
            up += [nn.ConvTranspose2d(inner, outer, 4, 2, 1), nn.BatchNorm2d(outer), nn.LeakyReLU(0.1)]
        cells = widths[-1] * grid * grid
        self.encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(cells, 2 * latents))
        self.decoder = nn.Sequential(
            nn.Linear(latents, cells),
            nn.Unflatten(1, (widths[-1], grid, grid)),
            *up,
            nn.Conv2d(widths[0], 3, 3, padding=1),
            nn.Sigmoid(),
        )

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z|x), ``(N, latents)`` each."""
        mean, log_variance = self.encoder(images).chunk(2, 1)
        return mean, log_variance.clamp(-10, 10)

    def loss(self, images: Tensor) -> Tensor:
        """The negative ELBO, in nats per image: an upper bound on how surprising the images are to the model.

        Kingma and Welling (2014), with the variance of the pixels in its optimal closed form (Rybkin et al. 2021), so
        that nothing weighs the two terms against each other by hand. Of a density, it may be negative.
        """
        mean, log_variance = self.encode(images)
        code = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        squared_error = F.mse_loss(self.decoder(code), images).clamp(min=1e-6)
        reconstruction = 0.5 * images[0].numel() * (torch.log(2 * math.pi * squared_error) + 1)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()
        return reconstruction + divergence


# 3. Training: Adam, one step per batch.


def train(model: VAE, images: Tensor, epochs: int, batch: int, rate: float = 1e-3) -> list[float]:
    """Train in place; returns the mean loss of each epoch."""
    optimizer = torch.optim.Adam(model.parameters(), rate)
    history = []
    for epoch in range(1, epochs + 1):
        total = 0.0
        for part in batches(images, batch):
            loss = model.loss(part)
            optimizer.zero_grad()
            per_pixel = loss / part[0].numel()  # so that one learning rate suits every size
            per_pixel.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += loss.item() * len(part)
        history.append(total / len(images))
        print(f"epoch {epoch} of {epochs}: {history[-1]:.1f} nats per image", flush=True)
    return history


# 4. Random cars: codes are drawn from where the photographs' codes are, which is not quite N(0, I).


@torch.no_grad()
def draw(model: VAE, images: Tensor, count: int) -> Tensor:
    """Decode ``count`` draws from a Gaussian that is fitted to the codes of ``images``: ``(count, 3, S, S)``."""
    model.eval()
    codes = torch.cat([model.encode(part.float() / 255)[0] for part in torch.split(images, 64)])
    # With fewer photographs than latents, the covariance has no Cholesky factor unless its diagonal is raised a little.
    factor = torch.linalg.cholesky(codes.T.cov() + 1e-4 * torch.eye(codes.shape[1]))
    noise = torch.randn(count, codes.shape[1])
    return t.cast(Tensor, model.decoder(codes.mean(0) + noise @ factor.T))


def sheet(images: Tensor, columns: int) -> Image.Image:
    """One picture of images ``(rows · columns, 3, S, S)`` in [0, 1]."""
    rows = [torch.cat(list(row), 2) for row in torch.split(images, columns)]
    pixels = (torch.cat(rows, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(pixels.permute(1, 2, 0).numpy())


def main() -> int:
    parser = argparse.ArgumentParser(description="Train a small VAE of cars and draw 64 random ones.")
    parser.add_argument("photographs", type=pathlib.Path, metavar="PHOTOGRAPHS", help="folder of pictures")
    parser.add_argument("out", type=pathlib.Path, metavar="OUT", help="picture to write, such as cars.png")
    parser.add_argument("--size", type=int, default=64, help="side of the squares in pixels (%(default)s)")
    parser.add_argument("--latents", type=int, default=64, help="numbers per car (%(default)s)")
    parser.add_argument("--epochs", type=int, default=30, help="times that each picture is seen (%(default)s)")
    parser.add_argument("--batch", type=int, default=32, help="pictures per step (%(default)s)")
    args = parser.parse_args()
    for name, least in (("size", 1), ("latents", 1), ("epochs", 1), ("batch", 2)):
        if getattr(args, name) < least:
            parser.error(f"--{name}: {getattr(args, name)} is not at least {least}")
    if args.out.suffix.lower() not in SUFFIXES or not args.out.parent.is_dir():
        parser.error(f"OUT: {args.out} is not a picture's name ({', '.join(sorted(SUFFIXES))}) in a folder that exists")
    torch.manual_seed(0)
    try:
        model = VAE(args.size, args.latents)
        images = load(args.photographs, args.size)
        train(model, images, args.epochs, args.batch)
        sheet(draw(model, images, 64), columns=8).save(args.out)
    except (ValueError, OSError) as error:
        print(f"minimal: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
