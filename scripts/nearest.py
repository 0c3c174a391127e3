"""Show random cars above the training photographs that are nearest to them: is one of them a copy?

    python scripts/nearest.py --bundle build/bundle --data PHOTOGRAPHS --out build/nearest.png

All training photographs are searched, in the judge's features (docs/evaluation.md). Prints how far the nearest are, and
the same for photographs of the validation split, which are no copies.
"""

import argparse
import pathlib
import sys

import torch
from PIL import Image
from tqdm import tqdm

from handler import engines, latents
from handler.bundle import Bundle, BundleError
from model.data import sheets
from model.evaluation import functions, nearest, protocol
from model.evaluation.judge import Judge, Progress
from model.evaluation.photographs import open_photographs

#: Pictures in a row of the page.
COLUMNS = 16


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--bundle", default="build/bundle", help="bundle folder (%(default)s)")
    parser.add_argument("--data", type=pathlib.Path, required=True, help="prepared folder, or photographs")
    parser.add_argument("--splits", type=pathlib.Path, help="their splits.csv, if it doesn't lie in --data")
    parser.add_argument("--count", type=int, default=64, help="random cars of seed 7 (%(default)s)")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/nearest.png"), help="(%(default)s)")
    args = parser.parse_args()
    try:
        if args.count < 1:
            raise ValueError(f"--count: {args.count} is not at least 1")
        bundle = Bundle.open(args.bundle, pathlib.Path("build/cache"))
        split = open_photographs(args.data, bundle.manifest.image_size, args.splits)
        training, validation = split("train"), split("val")
        for name, photographs in (("train", training), ("val", validation)):
            if not len(photographs):
                raise ValueError(f"{args.data}: no photograph of split {name!r}")
    except BundleError as error:
        print(f"nearest: {args.bundle}: {error}", file=sys.stderr)
        return 1
    except (ValueError, OSError) as error:
        print(f"nearest: {error}", file=sys.stderr)
        return 1
    engine = engines.load("torchscript", bundle, torch.get_num_threads())
    model = functions.model(engine, lambda seed, index: latents.noise(seed, index, bundle.manifest.noise_dim), {})
    cars = model.decode(model.random(protocol.SEED, args.count))
    judge = Judge()
    known = nearest.look_at_all(training, judge, bar)
    rows: list[sheets.Pixels] = []
    for name, seen in (
        ("random cars", judge.look(cars)),
        ("validation photographs", nearest.look_at_all(validation, judge, bar)),
    ):
        found = nearest.nearest(seen, known)
        closest, middle = float(found.distances.min()), float(found.distances.median())
        print(f"{name}: nearest training photograph at {closest:.2f}, median {middle:.2f}")
        if not rows:
            likest = training.tensor(found.places.tolist())
            for first in range(0, args.count, COLUMNS):
                rows += [sheets.pixels(each[first : first + COLUMNS].clamp(0, 1)) for each in (cars, likest)]
    args.out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheets.sheet(rows)).save(args.out)
    print(args.out)
    return 0


def bar(name: str) -> Progress:
    """Make a progress bar of a name."""
    return lambda items: tqdm(items, desc=name, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
