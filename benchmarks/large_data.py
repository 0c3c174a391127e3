"""Memory of opening, shuffling and training on prepared data of a million pictures.

    python benchmarks/large_data.py --work FOLDER

writes images.npy (3.1 GB at 32 px) and splits.csv into FOLDER, opens them as training does, shuffles, and trains a
small network by ``scripts/train.py``'s loop for a few epochs of few steps, each epoch in another order of the whole.
Memory is the kernel's for this process: anonymous (RssAnon), which must not grow, and pages of mapped files (RssFile),
which the kernel takes back when it needs them. benchmarks/large_data.csv has the rows. The pictures are drawn cars
whose colours are shifted, because drawing a million would take too long; what they show does not matter here.
"""

import argparse
import csv
import os
import pathlib
import shutil
import sys
import tempfile
import threading
import time
import typing as t

import numpy as np
from numpy.lib.format import open_memmap

from model.data import drawings, prepared
from model.data.batches import ImageData
from model.training.command_line import RecipeCLI

RESULTS = pathlib.Path(__file__).with_suffix(".csv")

#: Cars that are drawn, and pictures written at once.
DRAWN, BLOCK = 500, 10_000

#: One in so many pictures is for validation.
VALIDATE = 500

Row = dict[str, str | int | float]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--work", type=pathlib.Path, help="folder for the data, removed afterwards (a temporary one)")
    parser.add_argument("--pictures", type=int, default=1_000_000, help="(%(default)s)")
    parser.add_argument("--size", type=int, default=32, help="side in pixels (%(default)s)")
    parser.add_argument("--batch", type=int, default=64, help="(%(default)s)")
    parser.add_argument("--epochs", type=int, default=4, help="(%(default)s)")
    parser.add_argument("--steps", type=int, default=100, help="of each epoch (%(default)s)")
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS, help="(%(default)s)")
    args = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="large-data-", dir=args.work))
    try:
        write(folder / "data", args.pictures, args.size)
        rows = measure(folder, args)
    finally:
        shutil.rmtree(folder)
    with args.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print(*row.values(), sep="\t")
    return 0


def write(folder: pathlib.Path, pictures: int, size: int) -> None:
    """Prepared data as ``scripts/prepare_data.py`` writes it."""
    folder.mkdir()
    cars = np.stack([np.asarray(drawings.car(seed, size, size)) for seed in range(DRAWN)])
    array = open_memmap(folder / prepared.IMAGES, "w+", np.uint8, (pictures, size, size, 3))
    rng = np.random.default_rng(0)
    for start in range(0, pictures, BLOCK):
        part = array[start : start + BLOCK]
        shift = rng.integers(0, 256, (len(part), 1, 1, 3), np.uint8)
        np.add(cars[rng.integers(0, DRAWN, len(part))], shift, out=part)
    array.flush()
    del array
    with (folder / prepared.SPLITS).open("w", encoding="utf-8") as file:
        file.write("file,split\n")
        for number in range(pictures):
            split = "train" if number % VALIDATE else "val"
            file.write(f"{number // 1000:04}/{number:07}.png,{split}\n")


def measure(folder: pathlib.Path, args: argparse.Namespace) -> list[Row]:
    """Memory and time of each part; see the module's docstring."""
    rows: list[Row] = []
    begun = time.perf_counter()

    def note(what: str, step: int = 0) -> None:
        seconds = round(time.perf_counter() - begun, 1)
        rows.append({"what": what, "step": step, "seconds": seconds, **memory()})

    note("imported")
    data = ImageData(str(folder / "data"), args.batch)
    data.setup("fit")
    note("opened")
    cli = RecipeCLI(
        [
            *("--name=large-data", f"--out={folder / 'run'}", "--logger=csv", f"--report_every={args.epochs + 1}"),
            *(f"--model.network.image_size={args.size}", "--model.network.widths=[8,16,32]"),
            *("--model.network.blocks=[]", "--model.network.decoder_blocks=[]", "--model.network.decoder_widths=[]"),
            *("--model.network.latents=16", f"--data.folder={folder / 'data'}", f"--data.batch_size={args.batch}"),
            *(f"--trainer.max_epochs={args.epochs}", f"--trainer.limit_train_batches={args.steps}"),
            *("--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"),
        ]
    )
    done = threading.Event()

    def watch() -> None:
        last, every = 0, max(1, args.epochs * args.steps // 32)
        while not done.wait(0.01):
            step = cli.trainer.global_step
            if step // every > last:
                last = step // every
                note("training", step)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        cli.fit()
    finally:
        done.set()
        watcher.join()
    note("trained", cli.trainer.global_step)
    return rows


def memory() -> Row:
    """Megabytes of this process."""
    lines = pathlib.Path(f"/proc/{os.getpid()}/status").read_text(encoding="utf-8").splitlines()
    values = {name: text.split()[0] for name, _, text in (line.partition(":") for line in lines) if text.split()}
    names: t.Mapping[str, str] = {"anonymous_mb": "RssAnon", "mapped_mb": "RssFile"}
    return {name: round(int(values[line]) / 1024) for name, line in names.items()}


if __name__ == "__main__":
    sys.exit(main())
