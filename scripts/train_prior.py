"""Train a flow as the prior of a trained model: random cars are then drawn from it.

    python scripts/train_prior.py model/pretrained/carvae.safetensors --data data/cars --out runs/prior
    python scripts/train_prior.py model/pretrained/carvae.safetensors --data data/cars --out runs/prior --resume
    python scripts/export.py model/pretrained/carvae.safetensors build/bundle --flow runs/prior/last.ckpt

The model's weights stay as they are. Ctrl-C stops, and --resume goes on after the last finished epoch.
"""

import argparse
import pathlib
import sys

import numpy as np
import torch
from tqdm import tqdm

from model.data import prepared
from model.prior.flow import FlowConfig
from model.release import released
from model.training import flow_training, runs
from model.training.optimizers import OptimizerConfig
from model.vae.codes import encode_mirrored


def main() -> int:
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
    parser.add_argument("--batch", type=int, default=512, help="codes per step (%(default)s)")
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="at its highest (%(default)s)")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in OUT")
    args = parser.parse_args()
    try:
        train(args)
    except (ValueError, OSError) as error:
        print(f"train_prior: {error}", file=sys.stderr)
        return 1
    return 0


def train(args: argparse.Namespace) -> None:
    """Encode the images, then train on their codes."""
    for name, least in (("epochs", 1), ("batch", 1), ("variations", 0)):
        if getattr(args, name) < least:
            raise ValueError(f"--{name}: {getattr(args, name)} is not at least {least}")
    runs.check(args.out, args.out / flow_training.LAST, args.resume)
    network, encoder, _ = released.load_networks(args.weights)
    flow = FlowConfig(network.latent_dim, args.width, args.depth)
    optimizer = OptimizerConfig("adamw", args.learning_rate, weight_decay=0.02, schedule="one-cycle")
    training = flow_training.FlowTraining(flow, optimizer)
    if not args.resume:
        images = prepared.open_split(args.data, "train")
        print(f"encoding the images of {args.data}", file=sys.stderr)
        plain = encode_mirrored(encoder, images)
        varied = [
            flow_training.varied_codes(encoder, images, seed) for seed in tqdm(range(args.variations), "variations")
        ]
        validation = encode_mirrored(encoder, prepared.open_split(args.data, "val"))
        training.flow.standardise(torch.from_numpy(plain))
        flow_training.save_codes(args.out, np.concatenate([plain, *varied]), validation)
    codes, validation = flow_training.load_codes(args.out)
    flow_training.fit(training, codes, validation, args.batch, args.epochs, args.out, args.resume)


if __name__ == "__main__":
    sys.exit(main())
