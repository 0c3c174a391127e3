"""Score a bundle on photographs it was not trained on; docs/evaluation.md says how.

    python scripts/evaluate.py --bundle build/bundle --data PHOTOGRAPHS --split test

PHOTOGRAPHS is a folder that prepare_data.py wrote, or photographs with the splits.csv that it wrote, in their folder or
named by --splits. Prints the scores as tables and writes them as JSON, with a page of pictures beside it.

    python scripts/evaluate.py --bundle build/bundle --data PHOTOGRAPHS --split test --controls

scores photographs spoilt on purpose in place of the model: what the scores can't see.
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
from model.evaluation import protocol, tables
from model.evaluation.inception import Inception
from model.evaluation.judge import Judge
from model.evaluation.photographs import Photographs, open_photographs


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
    parser.add_argument("--features", choices=("lite1", "inception"), default="lite1", help="(%(default)s)")
    parser.add_argument("--controls", action="store_true", help="score spoilt photographs in place of the model")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/evaluation.json"), help="(%(default)s)")
    args = parser.parse_args()
    try:
        if args.limit < 0:
            raise ValueError(f"--limit: {args.limit} is negative")
        bundle = Bundle.open(args.bundle, pathlib.Path("build/cache"))
        if args.size is not None and not 32 <= args.size <= bundle.manifest.image_size:
            raise ValueError(f"--size: {args.size} is not within 32 and the model's {bundle.manifest.image_size}")
        split = open_photographs(args.data, bundle.manifest.image_size, args.splits)
        photographs, training = split(args.split), split("train")
        if not len(photographs):
            raise ValueError(f"{args.data}: no photograph of split {args.split!r}")
        judge = Judge(Inception() if args.features == "inception" else None)
        if args.controls:
            control(photographs, training, judge, args.limit)
        else:
            score(bundle, photographs, training, judge, args)
    except BundleError as error:
        print(f"evaluate: {args.bundle}: {error}", file=sys.stderr)
        return 1
    except (ValueError, OSError) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 1
    return 0


def control(photographs: Photographs, training: Photographs, judge: Judge, limit: int) -> None:
    """Print the controls' tables, and which scores miss which fault."""
    sets, pairs = (_plain(scores) for scores in protocol.control(photographs, training, judge, limit, bar))
    print(tables.sets("photographs, spoilt", sets), tables.pairs("in pairs", pairs), sep="\n\n", end="\n\n")
    blind = tables.blind(sets)
    missed = "; ".join(f"{name} by {', '.join(scores)}" for name, scores in blind.items())
    print(f"Not ranked below photographs: {missed or 'none'}.")


def score(bundle: Bundle, photographs: Photographs, training: Photographs, judge: Judge, args: t.Any) -> None:
    """Print the model's tables, and write them with the page of pictures."""
    engine = engines.load(args.engine, bundle, torch.get_num_threads())
    noise_dim = bundle.manifest.noise_dim

    def random(seed: int, count: int) -> Tensor:
        noise = np.concatenate([latents.noise(seed, index, noise_dim) for index in range(count)])
        return torch.from_numpy(engine.prior(noise))

    model = protocol.Model(
        encode=lambda images: torch.from_numpy(engine.encode(images.numpy())[0]),
        decode=lambda codes: torch.from_numpy(engine.decode(np.ascontiguousarray(codes.numpy()))),
        random=random,
        between={name: _between(getattr(latents, name)) for name in ("lerp", "slerp")},
    )
    scores = protocol.evaluate(model, photographs, training, judge, args.limit, bar, args.size)
    report = {
        "bundle": bundle.manifest.version,
        "split": args.split,
        "features": args.features,
        "size": args.size or bundle.manifest.image_size,
        "seed": protocol.SEED,
        "reconstructions": _plain(scores.reconstructions),
        "sets": _plain(scores.sets),
        "paths": _plain(scores.paths),
    }
    print(tables.report(report), end="\n\n")
    if not scores.sets:
        fewest = protocol.FEWEST
        print(f"Random cars and midpoints need {fewest} photographs of split {args.split!r} and of 'train' each.\n")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    picture = args.out.with_suffix(".png")
    Image.fromarray(scores.page).save(picture)
    print(f"{args.out} and {picture}")


def _plain(scores: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {name: dataclasses.asdict(its) for name, its in scores.items()}


def _between(interpolate: t.Callable[..., t.Any]) -> t.Callable[[Tensor, Tensor, float], Tensor]:
    return lambda one, other, share: torch.from_numpy(interpolate(one.numpy(), other.numpy(), share))


def bar(name: str) -> t.Callable[[t.Sequence[t.Any]], t.Iterable[t.Any]]:
    """Make a progress bar of a name."""
    return lambda items: tqdm(items, desc=name, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
