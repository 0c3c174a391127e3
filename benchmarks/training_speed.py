"""Images per second of ``scripts/train.py`` beside those of a plain loop, on the network of the MNIST recipe.

    python benchmarks/training_speed.py

The plain loop is the one of the VAE in PyTorch's examples: take a batch, zero the gradients, forward, loss, backward,
step. Both train the same network from the same random pictures with the same optimizer, epoch by epoch in turn, so
that a busy machine slows both. The plain loop logs nothing, checks nothing and mirrors nothing. Results are appended to
benchmarks/training_speed.csv.
"""

import argparse
import csv
import gzip
import pathlib
import platform
import statistics
import struct
import sys
import tempfile
import time
import typing as t

import numpy as np
import torch
from lightning import Callback
from torch.utils.data import DataLoader

from model.data import prepared
from model.training.command_line import RecipeCLI
from model.training.module import VAE
from model.vae import losses
from model.vae.losses import Posterior
from model.vae.networks import Decoder, Encoder

ROOT = pathlib.Path(__file__).resolve().parent.parent

BATCH = 100
RESULTS = pathlib.Path(__file__).with_suffix(".csv")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--images", type=int, default=20_000, help="random pictures of 28 x 28 (%(default)s)")
    parser.add_argument("--epochs", type=int, default=6, help="epochs of each loop; the first warms up (%(default)s)")
    args = parser.parse_args()
    if args.epochs < 2 or args.images < BATCH:
        parser.error(f"--epochs {args.epochs}, --images {args.images}: at least 2 and {BATCH} are needed")
    with tempfile.TemporaryDirectory() as folder:
        times = measure(pathlib.Path(folder), args.images, args.epochs)
    images = args.images // BATCH * BATCH
    ours, plain = (images / statistics.median(values[1:]) for values in times)
    print(f"scripts/train.py {ours:.0f} images/s, plain loop {plain:.0f} images/s, ratio {ours / plain:.3f}")
    row = {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "images": args.images,
        "batch": BATCH,
        "train_images_per_second": round(ours),
        "plain_images_per_second": round(plain),
        "ratio": round(ours / plain, 3),
    }
    new = not RESULTS.exists()
    with RESULTS.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)
    return 0


def measure(folder: pathlib.Path, images: int, epochs: int) -> tuple[list[float], list[float]]:
    """Seconds of each epoch of scripts/train.py's loop and of the plain one."""
    write_random_pictures(folder / "data", images)
    cli = RecipeCLI(
        [
            f"--recipe={ROOT / 'model' / 'recipes' / 'mnist.yaml'}",
            f"--out={folder / 'run'}",
            f"--data.folder={folder / 'data'}",
            f"--data.batch_size={BATCH}",
            f"--trainer.max_epochs={epochs}",
            "--trainer.accelerator=cpu",
        ]
    )
    stopwatch = Stopwatch(PlainLoop(cli.model, prepared.open_split(folder / "data", "train")))
    cli.trainer.callbacks.append(stopwatch)  # type: ignore[attr-defined] # Lightning sets it elsewhere
    cli.fit()
    return stopwatch.ours, stopwatch.plain


def write_random_pictures(folder: pathlib.Path, count: int) -> None:
    """Random pixels in the four files of MNIST."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for split, number in (("train", count), ("test", BATCH)):
        pixels = rng.integers(0, 256, (number, 28, 28), np.uint8)
        for name, values in zip(prepared.MNIST_FILES[split], (pixels, np.zeros(number, np.uint8)), strict=True):
            header = bytes((0, 0, 8, values.ndim)) + struct.pack(f">{values.ndim}I", *values.shape)
            with gzip.open(folder / f"{name}.gz", "wb", compresslevel=0) as file:
                file.write(header + values.tobytes())


class PlainLoop:
    """The same network, objective and optimizer in a loop of a dozen lines."""

    def __init__(self, module: VAE, images: prepared.Images) -> None:
        self.encoder, self.decoder = Encoder(module.network), Decoder(module.network)
        self.loss, self.latents = module.loss, module.network.latent_dim
        parameters = [*self.encoder.parameters(), *self.decoder.parameters()]
        self.optimizer = torch.optim.Adam(parameters, module.optimizer.learning_rate)
        # Batches come as one slice each, as in carvae; picture by picture, as in the examples, they take much longer.
        self.loader = DataLoader(images, BATCH, shuffle=True, drop_last=True, collate_fn=lambda batch: batch)

    def epoch(self) -> None:
        for batch in self.loader:
            pixels = batch.float() / 255
            self.optimizer.zero_grad()
            posterior = Posterior(*self.encoder(pixels))
            decoded = self.decoder(posterior.sample(torch.randn(len(pixels), self.latents)))
            reconstruction = losses.reconstruction_nats(decoded, pixels, self.loss.reconstruction)
            loss = (reconstruction + self.loss.beta * posterior.kl().sum(1).mean()) / pixels[0].numel()
            loss.backward()
            self.optimizer.step()


class Stopwatch(Callback):
    """Time each training epoch without its validation and report, and after each an epoch of the plain loop."""

    def __init__(self, loop: PlainLoop) -> None:
        self.loop, self.ours, self.plain = loop, t.cast(list[float], []), t.cast(list[float], [])

    def on_train_epoch_start(self, trainer: t.Any, pl_module: t.Any) -> None:
        self.started = time.perf_counter()

    def on_train_batch_end(self, trainer: t.Any, *_: t.Any) -> None:
        if not trainer.is_last_batch:
            return
        self.ours.append(time.perf_counter() - self.started)
        started = time.perf_counter()
        self.loop.epoch()
        self.plain.append(time.perf_counter() - started)


if __name__ == "__main__":
    sys.exit(main())
