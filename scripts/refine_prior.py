"""Let a flow that scripts/train_prior.py has trained learn from its own best samples: more of its cars are cars.

    python scripts/refine_prior.py runs/prior
    python scripts/export.py model/pretrained/carvae.safetensors build/bundle --prior runs/prior/round_2/last.ckpt

Each round leaves a folder with its checkpoint, log, and how well a critic told samples from codes before it. Ctrl-C
stops; the same command goes on with the first round that isn't there.
"""

import argparse
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from model import flow_training, folders, refinement, release
from model.optimizers import OptimizerConfig


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("run", type=pathlib.Path, metavar="RUN", help="the folder of a run of scripts/train_prior.py")
    parser.add_argument("--rounds", type=int, default=2, help="rounds in all (%(default)s)")
    parser.add_argument("--epochs", type=int, default=40, help="epochs of a round (%(default)s)")
    parser.add_argument("--kept", type=int, default=refinement.KEPT, help="samples learnt in a round (%(default)s)")
    args = parser.parse_args()
    try:
        refine(args)
    except (ValueError, OSError) as error:
        print(f"refine_prior: {error}", file=sys.stderr)
        return 1
    return 0


def refine(args: argparse.Namespace) -> None:
    """Do the rounds that aren't there yet."""
    for name in ("rounds", "epochs", "kept"):
        if getattr(args, name) < 1:
            raise ValueError(f"--{name}: {getattr(args, name)} is not at least 1")
    last = args.run / flow_training.LAST
    flow = release.load_flow(last)
    codes, validation = flow_training.load_codes(args.run)
    for number in range(1, args.rounds + 1):
        out = args.run / f"round_{number}"
        if not out.exists():
            learnt, apart = refinement.lessons(flow, codes, validation, number, args.kept)
            print(f"round {number}: a critic tells samples from codes with an AUC of {apart:.3f}", file=sys.stderr)
            optimizer = OptimizerConfig("adamw", 3e-4, weight_decay=0.02, schedule="one-cycle")
            training = flow_training.FlowTraining(flow.config, optimizer, number)
            training.flow.load_state_dict(flow.state_dict())
            with folders.written_whole(out) as work:
                flow_training.fit(training, learnt, validation, 512, args.epochs, work, resume=False)
                (work / "critic.json").write_text(json.dumps({"auc": apart}) + "\n", encoding="utf-8")
        flow = release.load_flow(out / flow_training.LAST)


if __name__ == "__main__":
    sys.exit(main())
