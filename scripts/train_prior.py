"""Train a flow as the prior of a trained model: random cars are then drawn from it.

    python scripts/train_prior.py model/pretrained/carvae.safetensors --data data/cars --out runs/prior
    python scripts/train_prior.py model/pretrained/carvae.safetensors --data data/cars --out runs/prior --resume
    python scripts/export.py model/pretrained/carvae.safetensors build/bundle --flow runs/prior/last.ckpt

The model's weights stay as they are. Ctrl-C stops, and --resume goes on after the last finished epoch.
"""

import argparse
import pathlib
import sys

from tqdm import tqdm

from model.training import flow_training
from model.training.flow_training import FlowRun


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    default = FlowRun()
    parser.add_argument("weights", type=pathlib.Path, help=".ckpt or .safetensors file of a model")
    parser.add_argument("--data", type=pathlib.Path, required=True, help="prepared data that it was trained on")
    parser.add_argument("--out", type=pathlib.Path, required=True, metavar="FOLDER", help="checkpoints and log")
    parser.add_argument(
        "--variations", type=int, default=default.variations, help="extra codes per image, in other light (%(default)s)"
    )
    parser.add_argument("--epochs", type=int, default=default.epochs, help="(%(default)s)")
    parser.add_argument("--width", type=int, help="channels of the flow on a grid (96), else units (512)")
    parser.add_argument("--depth", type=int, help="its residual blocks (6 on a grid, else 4)")
    parser.add_argument("--batch", type=int, default=default.batch, help="codes per step (%(default)s)")
    parser.add_argument(
        "--learning-rate", type=float, default=default.learning_rate, help="peak learning rate (%(default)s)"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in OUT")
    args = parser.parse_args()
    try:
        settings = FlowRun(args.width, args.depth, args.epochs, args.batch, args.learning_rate, args.variations)
        print(f"the images of {args.data} are encoded, then a flow is trained", file=sys.stderr)
        flow_training.train(settings, args.weights, args.data, args.out, args.resume, tqdm)
    except (ValueError, OSError) as error:
        print(f"train_prior: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
