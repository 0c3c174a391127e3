"""Refine a flow that scripts/train_prior.py has trained by what one sees of its cars.

    python scripts/refine_prior.py runs/prior model/pretrained/carvae.safetensors
    python scripts/refine_prior.py runs/prior model/pretrained/carvae.safetensors --resume
    python scripts/export.py model/pretrained/carvae.safetensors build/bundle --flow runs/prior/refined/last.ckpt

The weights are those that the flow was trained for. Ctrl-C stops, and --resume goes on after the last finished epoch.
"""

import argparse
import pathlib
import sys
import typing as t

from model.release import released
from model.training import flow_training, runs
from model.training.optimizers import OptimizerConfig
from model.training.refinement import Refinement
from model.vae.networks import Decoder

#: Codes per step of the flow's own loss.
BATCH = 256


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("run", type=pathlib.Path, metavar="RUN", help="the folder of a run of scripts/train_prior.py")
    parser.add_argument("weights", type=pathlib.Path, help=".ckpt or .safetensors file of the model")
    parser.add_argument("--out", type=pathlib.Path, metavar="FOLDER", help="checkpoints and log (RUN/refined)")
    parser.add_argument("--epochs", type=int, default=7, help="(%(default)s)")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in OUT")
    args = parser.parse_args()
    try:
        refine(args)
    except (ValueError, OSError) as error:
        print(f"refine_prior: {error}", file=sys.stderr)
        return 1
    return 0


def refine(args: argparse.Namespace) -> None:
    """Load flow, decoder and codes, then train."""
    if args.epochs < 1:
        raise ValueError(f"--epochs: {args.epochs} is not at least 1")
    out = args.out or args.run / "refined"
    runs.check(out, out / flow_training.LAST, args.resume)
    flow = released.load_flow(args.run / flow_training.LAST)
    network, _, decoder = released.load_networks(args.weights)
    if flow.noise_dim != network.latent_dim:
        raise ValueError(f"{args.run}: a flow of {flow.noise_dim} latents; {args.weights} has {network.latent_dim}")
    codes, validation = flow_training.load_codes(args.run)
    flow.reduce_noise()
    training = Refinement(flow.config, OptimizerConfig("adam", 1e-4), t.cast(Decoder, decoder))
    training.flow.load_state_dict(flow.state_dict())
    flow_training.fit(training, codes, validation, BATCH, args.epochs, out, args.resume, decay=0.998)


if __name__ == "__main__":
    sys.exit(main())
