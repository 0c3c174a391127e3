"""Estimate the negative log-likelihood of images under a trained VAE, beside its negative ELBO.

    python scripts/likelihood.py runs/mnist-binarised/checkpoints/last.ckpt --images 1000 --samples 5000

Importance-weighted, as Burda et al. (2016), in nats per image with standard errors over images. Images are those of the
split, evenly spread over it, binarised where training binarised them. The prior is N(0, I), whatever prior a release
draws random cars from. --out FILE.csv appends a row with the checkpoint's SHA-256.
"""

import argparse
import csv
import dataclasses
import hashlib
import pathlib
import sys
import typing as t

from tqdm import tqdm

from model.data import prepared
from model.evaluation.likelihood import likelihood, pixel_distribution, spread
from model.release import released


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("checkpoint", type=pathlib.Path, metavar="CHECKPOINT", help=".ckpt file of scripts/train.py")
    parser.add_argument("--data", type=pathlib.Path, help="prepared data or MNIST, if not where training had it")
    parser.add_argument("--split", choices=t.get_args(prepared.Split), default="test", help="(%(default)s)")
    parser.add_argument("--images", type=int, default=1000, help="how many of the split (%(default)s)")
    parser.add_argument("--samples", type=int, default=5000, help="codes per image (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of codes and binarised pixels (%(default)s)")
    parser.add_argument("--out", type=pathlib.Path, help="CSV file to append a row to")
    args = parser.parse_args()
    try:
        row = measure(args)
        if args.out:
            append(args.out, row)
    except (ValueError, OSError) as error:
        print(f"likelihood: {error}", file=sys.stderr)
        return 1
    print(f"after epoch {row['epochs']}, {row['images']} images of {args.split}, in nats per image:")
    print(f"negative log-likelihood, {row['samples']} codes  {row['nll']:.2f} ± {row['nll_error']:.2f}")
    print(f"negative ELBO  {row['elbo']:.2f} ± {row['elbo_error']:.2f}")
    return 0


def measure(args: argparse.Namespace) -> dict[str, t.Any]:
    """What a row of the CSV file says.

    Raises
    ------
    ValueError
        An option, the checkpoint or its data can't be used.
    """
    for name in ("images", "samples"):
        if getattr(args, name) < 1:
            raise ValueError(f"--{name}: {getattr(args, name)} is not at least 1")
    network, encoder, decoder, training = released.load_checkpoint(args.checkpoint)
    try:
        kind, variance = pixel_distribution(network, training)
    except ValueError as error:
        raise ValueError(f"{args.checkpoint}: {error}") from error
    images = prepared.open_split(args.data or pathlib.Path(training["data"]["folder"]), args.split)
    pixels = spread(images, network, args.images, args.seed if training["data"].get("binarise") else None)
    found = likelihood(
        encoder,
        decoder,
        pixels,
        kind,
        args.samples,
        variance=variance,
        seed=args.seed,
        progress=lambda parts: tqdm(list(parts), unit="image", disable=None),
    )
    digest = hashlib.sha256(args.checkpoint.read_bytes()).hexdigest()
    place = {"name": training["run"].get("name", ""), "epochs": training["epoch"] + 1, "split": args.split}
    return place | dataclasses.asdict(found) | {"checkpoint": digest}


def append(path: pathlib.Path, row: dict[str, t.Any]) -> None:
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row), lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow({name: round(value, 4) if isinstance(value, float) else value for name, value in row.items()})


if __name__ == "__main__":
    sys.exit(main())
