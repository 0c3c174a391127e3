"""Refine a flow that scripts/train_prior.py has trained by what one sees of its cars.

    python scripts/refine_prior.py runs/prior model/pretrained/carvae.safetensors --data data/cars
    python scripts/refine_prior.py runs/prior model/pretrained/carvae.safetensors --data data/cars --resume
    python scripts/export.py model/pretrained/carvae.safetensors build/bundle --flow runs/prior/refined/last.ckpt

The weights are those that the flow was trained for, or others of the same latents. Ctrl-C stops, and --resume goes on
after the last finished epoch.
"""

import argparse
import pathlib
import sys

from tqdm import tqdm

from model.training import refinement
from model.training.refinement import EPOCH, RefinementRun


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("run", type=pathlib.Path, metavar="RUN", help="the folder of a run of scripts/train_prior.py")
    parser.add_argument("weights", type=pathlib.Path, help=".ckpt or .safetensors file of the model")
    parser.add_argument("--data", type=pathlib.Path, required=True, help="prepared photographs at the model's size")
    parser.add_argument("--out", type=pathlib.Path, metavar="FOLDER", help="checkpoints and log (RUN/refined)")
    default = RefinementRun()
    parser.add_argument("--epochs", type=int, default=default.epochs, help=f"epochs of {EPOCH} steps (%(default)s)")
    parser.add_argument("--drawn", type=int, default=default.drawn, help="cars per step (%(default)s)")
    parser.add_argument(
        "--compared",
        type=int,
        default=default.compared,
        help="photographs, and cars of the last steps, to compare each car with (%(default)s)",
    )
    parser.add_argument("--learning-rate", type=float, default=default.learning_rate, help="Adam's (%(default)s)")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in OUT")
    args = parser.parse_args()
    try:
        out = args.out or args.run / "refined"
        settings = RefinementRun(args.epochs, args.drawn, args.compared, args.learning_rate)
        refinement.refine(args.run, args.weights, args.data, out, settings, args.resume, tqdm)
    except (ValueError, OSError) as error:
        print(f"refine_prior: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
