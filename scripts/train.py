"""Train a recipe.

    python scripts/train.py --recipe model/recipes/carvae.yaml
    python scripts/train.py --recipe model/recipes/carvae.yaml --resume
    python scripts/train.py --recipe model/recipes/carvae.yaml --data.batch_size 16 --trainer.max_epochs 2

Checkpoints and logs go to runs/NAME; Ctrl-C stops after a last checkpoint's epoch, --resume goes on from there.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from model.training import train


def main() -> int:
    try:
        train(sys.argv[1:])
    except (ValueError, FileNotFoundError) as error:
        print(f"train: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
