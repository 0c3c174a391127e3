"""Train a flow as the prior of a trained model: random cars are then drawn from it.

    python scripts/train_prior.py model/pretrained/carvae.safetensors --data data/cars --out runs/prior
    python scripts/train_prior.py model/pretrained/carvae.safetensors --data data/cars --out runs/prior --resume
    python scripts/export.py model/pretrained/carvae.safetensors build/bundle --prior runs/prior/last.ckpt

The model's weights stay as they are. Ctrl-C stops, and --resume goes on after the last finished epoch.
"""

import argparse
import pathlib
import sys
import typing as t

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np
import torch
from tqdm import tqdm

from model import data, flow_training, release
from model.flow import FlowConfig
from model.optimizers import OptimizerConfig


def main(arguments: t.Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("weights", type=pathlib.Path, help=".ckpt or .safetensors file of a model")
    parser.add_argument("--data", type=pathlib.Path, required=True, help="prepared data that it was trained on")
    parser.add_argument("--out", type=pathlib.Path, required=True, metavar="FOLDER", help="checkpoints and log")
    parser.add_argument("--variations", type=int, default=4, help="codes of each image in other light (%(default)s)")
    parser.add_argument("--epochs", type=int, default=160, help="(%(default)s)")
    parser.add_argument("--width", type=int, default=512, help="units of the flow's layers (%(default)s)")
    parser.add_argument("--depth", type=int, default=4, help="its residual blocks (%(default)s)")
    parser.add_argument("--batch", type=int, default=512, help="codes a step (%(default)s)")
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="at its highest (%(default)s)")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in OUT")
    args = parser.parse_args(arguments)
    try:
        train(args)
    except (ValueError, OSError) as error:
        print(f"train_prior: {error}", file=sys.stderr)
        return 1
    return 0


def train(args: argparse.Namespace) -> None:
    """Encode the images, then train on their codes."""
    last = args.out / flow_training.LAST
    if args.resume and not last.exists():
        raise ValueError(f"--resume: there is no {last}")
    if last.exists() and not args.resume:
        raise ValueError(f"{args.out}: holds a run already; add --resume, or --out with another folder")
    if args.weights.suffix == ".ckpt":
        network, encoder, _, _ = release.load_checkpoint(args.weights)
    else:
        released = release.load(args.weights)
        network, encoder = released.network, released.encoder
    print(f"encoding the images of {args.data}", file=sys.stderr)
    images = data.open_split(args.data, "train")
    plain = release.encode_all(encoder, images)
    varied = [flow_training.varied_codes(encoder, images, seed) for seed in tqdm(range(args.variations), "variations")]
    validation = release.encode_all(encoder, data.open_split(args.data, "val"))
    optimizer = OptimizerConfig("adamw", args.learning_rate, weight_decay=0.02, schedule="one-cycle")
    training = flow_training.FlowTraining(FlowConfig(network.latent_dim, args.width, args.depth), optimizer)
    training.flow.standardise(torch.from_numpy(plain))
    codes = np.concatenate([plain, *varied])
    flow_training.fit(training, codes, validation, args.batch, args.epochs, args.out, args.resume)


if __name__ == "__main__":
    sys.exit(main())
