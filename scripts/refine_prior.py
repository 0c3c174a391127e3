"""Let a flow that scripts/train_prior.py has trained learn from its own best samples: more of its cars are cars.

    python scripts/refine_prior.py runs/prior
    python scripts/export.py model/pretrained/carvae.safetensors build/bundle --prior runs/prior/refined/last.ckpt

The refined flow is whole or absent: stopped, the same command begins anew.
"""

import argparse
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from model import flow_training, folders, refinement, release
from model.optimizers import OptimizerConfig

#: Of the samples, the critic and the training's noise.
SEED = 1


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("run", type=pathlib.Path, metavar="RUN", help="the folder of a run of scripts/train_prior.py")
    parser.add_argument("--epochs", type=int, default=30, help="(%(default)s)")
    parser.add_argument("--kept", type=int, default=refinement.KEPT, help="samples to learn (%(default)s)")
    args = parser.parse_args()
    try:
        refine(args)
    except (ValueError, OSError) as error:
        print(f"refine_prior: {error}", file=sys.stderr)
        return 1
    return 0


def refine(args: argparse.Namespace) -> None:
    """Find the samples that are most like codes, then train on them."""
    for name in ("epochs", "kept"):
        if getattr(args, name) < 1:
            raise ValueError(f"--{name}: {getattr(args, name)} is not at least 1")
    out = args.run / "refined"
    if out.exists():
        raise ValueError(f"{out}: is there already; remove it first")
    flow = release.load_flow(args.run / flow_training.LAST)
    codes, validation = flow_training.load_codes(args.run)
    learnt, apart = refinement.lessons(flow, codes, validation, SEED, args.kept)
    print(f"a critic tells samples from codes with an AUC of {apart:.3f}", file=sys.stderr)
    optimizer = OptimizerConfig("adamw", 3e-4, weight_decay=0.02, schedule="one-cycle")
    training = flow_training.FlowTraining(flow.config, optimizer, SEED)
    training.flow.load_state_dict(flow.state_dict())
    with folders.written_whole(out) as work:
        flow_training.fit(training, learnt, validation, 512, args.epochs, work, resume=False)
        (work / "critic.json").write_text(json.dumps({"auc": apart}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
