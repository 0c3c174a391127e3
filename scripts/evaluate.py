"""Score a bundle on photographs it was not trained on; docs/evaluation.md says how.

    python scripts/evaluate.py --bundle build/bundle --data PHOTOGRAPHS --split test

PHOTOGRAPHS has a splits.csv (columns file and split); images are scored apart by the folder they lie in. Prints the
scores and writes them as JSON, with a page of pictures beside it. --samples 0 scores reconstructions only.
"""

import argparse
import dataclasses
import json
import pathlib
import sys
import typing as t

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from handler import engines, latents
from handler.bundle import Bundle, BundleError
from handler.settings import ENGINES
from model import evaluation, generation, metrics, preparation

SEED = 7
PATHS = 64


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--bundle", default="build/bundle", help="bundle folder (%(default)s)")
    parser.add_argument("--engine", choices=ENGINES, default="torchscript", help="(%(default)s)")
    parser.add_argument("--data", type=pathlib.Path, required=True, help="photographs with their splits.csv")
    parser.add_argument("--split", choices=("val", "test"), default="test", help="(%(default)s)")
    parser.add_argument("--only", metavar="FOLDER", help="score this folder of the photographs alone")
    parser.add_argument("--samples", type=int, default=2048, help="random cars to score (%(default)s)")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/evaluation.json"), help="(%(default)s)")
    args = parser.parse_args()
    try:
        report, sheet = evaluate(args)
    except BundleError as error:
        print(f"evaluate: {args.bundle}: {error}", file=sys.stderr)
        return 1
    except (ValueError, OSError) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 1
    print_report(report)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    picture = args.out.with_suffix(".png")
    Image.fromarray((sheet.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)).save(picture)
    print(f"{args.out} and {picture}")
    return 0


def evaluate(args: argparse.Namespace) -> tuple[dict[str, t.Any], Tensor]:
    """All scores, and the page of pictures ``(3, H, W)``."""
    bundle = Bundle.open(args.bundle, pathlib.Path("build/cache"))
    engine = engines.load(args.engine, bundle, torch.get_num_threads())
    size = bundle.manifest.image_size
    sources = preparation.find_sources([args.data])
    if args.only:
        sources = [source for source in sources if pathlib.PurePosixPath(source.name).parts[0] == args.only]
    members = [source for source in sources if source.split == args.split]
    if not members:
        where = f"{args.data}/{args.only}" if args.only else args.data
        raise ValueError(f"{where}: no image of split {args.split!r} in a splits.csv")
    groups: dict[str, list[preparation.Source]] = {}
    for source in members:
        groups.setdefault(str(pathlib.PurePosixPath(source.name).parent), []).append(source)

    report: dict[str, t.Any] = {"bundle": bundle.manifest.version, "split": args.split, "reconstruction": {}}
    originals, codes, rows = [], [], []
    for group, chosen in sorted(groups.items()):
        images = photographs(chosen, size, group)
        mean = torch.cat([torch.from_numpy(engine.encode(image.numpy())[0]) for image in images.split(1)])  # type: ignore[no-untyped-call]
        decoded = decode(engine, mean)
        report["reconstruction"][group] = dataclasses.asdict(metrics.reconstruction(decoded, images))
        some = spread(len(images), 16)
        rows += [row(images[some]), row(decoded[some])]
        originals.append(images)
        codes.append(mean)
    if args.samples:
        training = [source for source in sources if source.split == "train"]
        real = torch.cat(originals)
        train = photographs([training[i] for i in spread(len(training), max(len(real), 2048))], size, "train")
        report |= {"seed": SEED} | generate(bundle, engine, args.samples, real, train, torch.cat(codes), rows)
    width = min(part.shape[2] for part in rows)
    return report, torch.cat([part[:, :, :width] for part in rows], 1)


def generate(
    bundle: Bundle, engine: engines.Engine, count: int, real: Tensor, train: Tensor, codes: Tensor, rows: list[Tensor]
) -> dict[str, t.Any]:
    """Scores of random cars and of paths between the codes; appends pictures to ``rows``."""
    noise = np.concatenate([latents.noise(SEED, index, bundle.manifest.noise_dim) for index in range(count)])
    samples = decode(engine, torch.from_numpy(engine.prior(noise)))
    features = generation.features(real)
    paths = torch.randperm(len(codes), generator=torch.Generator().manual_seed(SEED))[: 2 * PATHS]
    start, end = codes[paths[: len(paths) // 2]], codes[paths[len(paths) // 2 : len(paths) // 2 * 2]]
    result: dict[str, t.Any] = {
        "real against real": dataclasses.asdict(evaluation.compare(train, real, features)),
        "random": dataclasses.asdict(evaluation.compare(samples, real, features)),
        "reconstructions": dataclasses.asdict(evaluation.compare(decode(engine, codes), real, features)),
    }
    for name in ("lerp", "slerp"):
        between = numpy_path(getattr(latents, name))
        scores = evaluation.interpolation(start, end, lambda z: decode(engine, z), between, real, features)
        result[name] = dataclasses.asdict(scores)
    shown = samples[:16]
    rows += [row(samples[first : first + 16]) for first in range(0, min(64, count), 16)]
    rows += [row(shown), row(train[evaluation.nearest(shown, train)])]
    return result


def numpy_path(between: t.Callable[..., t.Any]) -> evaluation.Interpolate:
    return lambda one, other, share: torch.from_numpy(between(one.numpy(), other.numpy(), share))


def photographs(sources: list[preparation.Source], size: int, label: str) -> Tensor:
    """Letterboxed on white, ``(N, 3, S, S)`` in [0, 1]."""
    squares = [
        np.asarray(preparation.to_square(preparation.decode(source.read()), size), np.float32)
        for source in tqdm(sources, desc=label, unit="image", file=sys.stderr)
    ]
    return torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).contiguous() / 255


def decode(engine: engines.Engine, codes: Tensor) -> Tensor:
    return torch.from_numpy(engine.decode(np.ascontiguousarray(codes.numpy())))


def spread(available: int, wanted: int) -> list[int]:
    """Evenly spaced indices."""
    return [int(index) for index in np.linspace(0, available - 1, min(wanted, available)).round()]


def row(images: Tensor) -> Tensor:
    """Images side by side, ``(3, S, N · S)``."""
    return torch.cat(list(images), 2)


def print_report(report: dict[str, t.Any]) -> None:
    """The tables of the README."""
    heads = [report["split"], "images", "PSNR, dB", "SSIM", "MS-SSIM (5th percentile)", "sharpness"]
    rows = []
    for group, scores in report["reconstruction"].items():
        multiscale = "" if scores["ms_ssim"] is None else f"{scores['ms_ssim']:.3f} ({scores['ms_ssim_low']:.3f})"
        psnr = f"{scores['psnr']:.2f} ± {scores['psnr_interval']:.2f}"
        rows.append(
            [group, f"{scores['images']:,}", psnr, f"{scores['ssim']:.3f}", multiscale, f"{scores['sharpness']:.2f}"]
        )
    print_table(heads, rows)
    if "random" not in report:
        return
    sets = {name: report[name] for name in ("real against real", "reconstructions", "random")}
    sets |= {f"midpoints, {name}": report[name]["midpoints"] for name in ("lerp", "slerp")}
    columns = ("precision", "recall", "density", "coverage", "ms_ssim")
    rows = [
        [name, f"{scores['images']:,}", "{value:.1f} ± {interval:.1f}".format(**scores["sliced_wasserstein"])]
        + ["{value:.2f} ± {interval:.2f}".format(**scores[column]) for column in columns]
        for name, scores in sets.items()
    ]
    heads = [f"against the {report['split']} split", "images", "SWD x 1e3", *columns[:-1], "MS-SSIM of pairs"]
    print_table(heads, rows)
    rows = [
        [name, f"{path['largest_jump']:.1f}", f"{path['jumps']:.0%}", f"{path['from_cross_fade']:.3f}"]
        for name, path in ((name, report[name]) for name in ("lerp", "slerp"))
    ]
    print_table(["path", "largest step / median", "paths with one above 3", "midpoints from a cross-fade"], rows)


def print_table(heads: list[str], rows: list[list[str]]) -> None:
    """As Markdown, columns aligned for reading in a terminal."""
    widths = [max(len(cell) for cell in column) for column in zip(heads, *rows, strict=True)]
    for cells in (heads, ["-" * width for width in widths], *rows):
        print("|", " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)), "|")
    print()


if __name__ == "__main__":
    sys.exit(main())
