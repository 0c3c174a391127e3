"""Score a bundle on photographs it was not trained on; docs/evaluation.md says how.

    python scripts/evaluate.py --bundle build/bundle --data PHOTOGRAPHS --split test

PHOTOGRAPHS is a folder that prepare_data.py wrote, or photographs with the splits.csv that it wrote, in their folder or
named by --splits. Prints the scores as tables and writes them as JSON, with a page of pictures beside it.

    python scripts/evaluate.py --bundle build/bundle --data PHOTOGRAPHS --split test --controls

scores photographs spoilt on purpose in place of the model: what the scores can't see.
"""

import argparse
import pathlib
import sys
import typing as t

import torch
from tqdm import tqdm

from handler import engines, latents
from handler.bundle import Bundle, BundleError
from handler.settings import ENGINES
from model.evaluation import functions, protocol, results, tables
from model.evaluation.inception import Inception
from model.evaluation.judge import Judge
from model.evaluation.photographs import open_photographs


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--bundle", default="build/bundle", help="bundle folder (%(default)s)")
    parser.add_argument("--engine", choices=ENGINES, default="torchscript", help="(%(default)s)")
    parser.add_argument("--data", type=pathlib.Path, required=True, help="prepared folder, or photographs")
    parser.add_argument("--splits", type=pathlib.Path, help="their splits.csv, if it doesn't lie in --data")
    parser.add_argument("--split", choices=("val", "test"), default="test", help="(%(default)s)")
    parser.add_argument("--limit", type=int, default=0, help="score at most so many photographs; 0: all (%(default)s)")
    parser.add_argument("--size", type=int, help="side in pixels to reduce pictures to first (the model's own)")
    parser.add_argument("--features", choices=("lite1", "lite2", "inception"), default="lite1", help="(%(default)s)")
    parser.add_argument("--controls", action="store_true", help="score degraded photographs instead of the model")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/evaluation.json"), help="(%(default)s)")
    args = parser.parse_args()
    try:
        if args.limit < 0:
            raise ValueError(f"--limit: {args.limit} is negative")
        bundle = Bundle.open(args.bundle, pathlib.Path("build/cache"))
        if args.size is not None and not 32 <= args.size <= bundle.manifest.image_size:
            raise ValueError(f"--size: {args.size} is not within 32 and the model's {bundle.manifest.image_size}")
        # Photographs are degraded at the size at which they are scored; a model gets them at its own size.
        side = args.size if args.controls and args.size else bundle.manifest.image_size
        split = open_photographs(args.data, side, args.splits)
        photographs, training = split(args.split), split("train")
        if not len(photographs):
            raise ValueError(f"{args.data}: no photograph of split {args.split!r}")
        judge = Judge(Inception()) if args.features == "inception" else Judge(network=args.features)
        if args.controls:
            sets, pairs = protocol.control(photographs, training, judge, args.limit, bar)
            print(tables.controls(results.plain(sets), results.plain(pairs)))
            return 0
        engine = engines.load(args.engine, bundle, torch.get_num_threads())
        model = functions.model(
            engine,
            lambda seed, index: latents.noise(seed, index, bundle.manifest.noise_dim),
            {"lerp": latents.lerp, "slerp": latents.slerp},
        )
        scores = protocol.evaluate(model, photographs, training, judge, args.limit, bar, args.size)
        report = results.report(
            scores, bundle.manifest.version, args.split, args.features, args.size or bundle.manifest.image_size
        )
        print(tables.report(report), end="\n\n")
        if not scores.sets:
            need = f"need {protocol.FEWEST} photographs of split {args.split!r} and of 'train' each"
            print(f"Random cars and midpoints {need}.", end="\n\n")
        picture = results.write(report, scores, args.out)
        print(f"{args.out} and {picture}")
    except BundleError as error:
        print(f"evaluate: {args.bundle}: {error}", file=sys.stderr)
        return 1
    except (ValueError, OSError) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 1
    return 0


def bar(name: str) -> t.Callable[[t.Sequence[t.Any]], t.Iterable[t.Any]]:
    """Make a progress bar of a name."""
    return lambda items: tqdm(items, desc=name, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
