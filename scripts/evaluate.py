"""Score a bundle's reconstructions on photographs it was not trained on.

    python scripts/evaluate.py --bundle build/bundle --data PHOTOGRAPHS --split test

PHOTOGRAPHS has a splits.csv (columns file and split); images are scored apart by the folder they lie in. Prints PSNR
and SSIM, writes them as JSON, and originals above reconstructions as a picture beside it.
"""

import argparse
import dataclasses
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from handler import engines
from handler.bundle import Bundle, BundleError
from model import metrics, preparation


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--bundle", default="build/bundle", help="bundle folder (%(default)s)")
    parser.add_argument("--data", type=pathlib.Path, required=True, help="photographs with their splits.csv")
    parser.add_argument("--split", choices=("train", "val", "test"), default="test", help="(%(default)s)")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/evaluation.json"), help="(%(default)s)")
    parser.add_argument("--limit", type=int, default=0, help="score only the first images of each folder")
    args = parser.parse_args()
    try:
        bundle = Bundle.open(args.bundle, pathlib.Path("build/cache"))
        engine = engines.load("torchscript", bundle, torch.get_num_threads())
        sources = [source for source in preparation.find_sources([args.data]) if source.split == args.split]
        if not sources:
            raise ValueError(f"{args.data}: no image of split {args.split!r} in a splits.csv")
        groups: dict[str, list[preparation.Source]] = {}
        for source in sources:
            groups.setdefault(str(pathlib.PurePosixPath(source.name).parent), []).append(source)
        results, pictures = {}, []
        for group, members in sorted(groups.items()):
            originals, decoded = reconstruct(bundle, engine, members[: args.limit or None], group)
            results[group] = dataclasses.asdict(metrics.reconstruction(decoded, originals))
            spread = np.linspace(0, len(originals) - 1, min(12, len(originals))).round().astype(int)
            pictures.append(metrics.contact_pairs(originals[spread], decoded[spread], len(spread)))
    except BundleError as error:
        print(f"evaluate: {args.bundle}: {error}", file=sys.stderr)
        return 1
    except (ValueError, OSError) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 1
    print(f"{'':8}  images  PSNR dB       SSIM   sharpness")
    for group, row in results.items():
        print(
            f"{group:8}  {row['images']:6}  {row['psnr']:.2f} ± {row['psnr_interval']:.2f}  {row['ssim']:.3f}  "
            f"{row['sharpness']:.2f}"
        )
    args.out.parent.mkdir(parents=True, exist_ok=True)
    report = {"bundle": bundle.manifest.version, "split": args.split, "reconstruction": results}
    args.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    width = min(picture.shape[2] for picture in pictures)
    sheet = torch.cat([picture[:, :, :width] for picture in pictures], 1)
    picture = args.out.with_suffix(".png")
    Image.fromarray((sheet.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)).save(picture)
    print(f"{args.out} and {picture}")
    return 0


def reconstruct(
    bundle: Bundle, engine: engines.Engine, sources: list[preparation.Source], label: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Photographs letterboxed on white and their reconstructions, ``(N, 3, S, S)`` in [0, 1]."""
    originals, decoded = [], []
    for source in tqdm(sources, desc=label, unit="image", file=sys.stderr):
        square = preparation.to_square(preparation.decode(source.read()), bundle.manifest.image_size)
        pixels = np.asarray(square, np.float32).transpose(2, 0, 1)[None] / 255
        originals.append(torch.from_numpy(pixels))
        decoded.append(torch.from_numpy(engine.decode(engine.encode(pixels)[0])))
    return torch.cat(originals), torch.cat(decoded)


if __name__ == "__main__":
    sys.exit(main())
