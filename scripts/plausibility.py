"""Count which pictures a model takes for cars: photographs, spoilt photographs, and pictures of no car.

    python scripts/plausibility.py --bundle build/bundle --data data/cars
    python scripts/plausibility.py --bundle build/bundle --data data/cars --pictures cats/ digits/

The bundle's threshold was chosen on the validation photographs (docs/evaluation.md).
"""

import argparse
import io
import pathlib
import sys
import typing as t

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from handler import engines, images, plausibility
from handler.bundle import Bundle, BundleError, Plausibility
from model.data import prepared
from model.evaluation.controls import CONTROLS
from model.evaluation.strangers import STRANGERS, draw

COUNT = 128  # pictures of each kind that is drawn or degraded


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--bundle", default="build/bundle", help="bundle folder (%(default)s)")
    parser.add_argument("--data", type=pathlib.Path, help="prepared photographs of the bundle's size")
    parser.add_argument("--pictures", type=pathlib.Path, nargs="+", default=[], metavar="FOLDER", help="other pictures")
    args = parser.parse_args()
    try:
        bundle = Bundle.open(args.bundle, pathlib.Path("build/cache"))
        if not bundle.manifest.plausibility:
            raise ValueError(f"{args.bundle}: its manifest does not say what is plausible")
        judge = Judge(bundle, bundle.manifest.plausibility)
        for name, squares in kinds(args.data, args.pictures, bundle.manifest.image_size):
            away = np.array([judge.distance(square) for square in tqdm(squares, desc=name, file=sys.stderr)])
            refused = (away > judge.threshold).mean()
            middle = np.median(away)
            print(f"{name:32} {len(away):5} pictures, {100 * refused:5.1f} % no car, distance {away.min():5.2f} to "
                  f"{away.max():5.2f}, median {middle:5.2f}; threshold {judge.threshold}", flush=True)  # fmt: skip
    except (BundleError, ValueError, OSError) as error:
        print(f"plausibility: {error}", file=sys.stderr)
        return 1
    return 0


class Judge:
    """A bundle that tells how far a picture is from photographs of cars."""

    def __init__(self, bundle: Bundle, known: Plausibility) -> None:
        self.engine = engines.load("onnx", bundle, torch.get_num_threads())
        self.known, self.threshold = known, known.threshold

    def distance(self, square: engines.Array) -> float:
        """Distance of one image ``(1, 3, S, S)`` in [0, 1]."""
        mean, log_variance = self.engine.encode(square)
        return plausibility.distance(self.known, mean, log_variance, square, self.engine.decode(mean))


Squares: t.TypeAlias = list[engines.Array]


def kinds(data: pathlib.Path | None, folders: list[pathlib.Path], size: int) -> t.Iterator[tuple[str, Squares]]:
    """Each kind of pictures: its name, and squares ``(1, 3, S, S)``."""
    if data:
        for split in t.get_args(prepared.Split)[1:]:
            photographs = prepared.in_batches(prepared.open_split(data, split), 1)
            yield f"{split} photographs", [photograph.contiguous().numpy() for photograph in photographs]
        some = torch.cat(list(prepared.in_batches(prepared.open_split(data, "val", COUNT), COUNT)))
        for name, spoil in CONTROLS.items():
            yield name, list(one_by_one(spoil(some, torch.Generator().manual_seed(7))))
        yield "on the side", list(one_by_one(some.transpose(2, 3)))
        yield "negative", list(one_by_one(1 - some))
    for kind in STRANGERS:
        yield kind, [square(picture, size) for picture in draw(kind, COUNT)]
    for folder in folders:
        yield folder.name, [square(picture, size) for picture in pictures(folder)]


def one_by_one(photographs: torch.Tensor) -> t.Iterator[engines.Array]:
    for photograph in photographs:
        yield photograph[None].contiguous().numpy()


def square(picture: Image.Image, size: int) -> engines.Array:
    """As the server sees an upload."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return images.read(buffer.getvalue(), size, 3, "image").pixels


def pictures(folder: pathlib.Path) -> t.Iterator[Image.Image]:
    for path in sorted(folder.iterdir()):
        try:
            with Image.open(path) as picture:
                yield picture.convert("RGB")
        except UnidentifiedImageError:
            print(f"plausibility: {path}: not a picture; left out", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
