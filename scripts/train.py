"""Train a recipe.

    python scripts/train.py --recipe model/recipes/carvae.yaml
    python scripts/train.py --recipe model/recipes/carvae.yaml --resume
    python scripts/train.py --recipe model/recipes/carvae.yaml --data.batch_size 16 --trainer.max_epochs 2

    python scripts/train.py --recipe model/recipes/carvae.yaml --smoke

Checkpoints, logs and the report go to runs/NAME. Ctrl-C stops, and --resume goes on after the last finished epoch.
On a CPU `make train RECIPE=model/recipes/carvae.yaml ARGS=...` does the same with jemalloc where it is installed. It
keeps pages that the system's allocator would return, and that the kernel would then clear at each step (docs/train.md).
--smoke tries the recipe in seconds: a few drawn images, two epochs, report and bundle in runs/NAME-smoke.
"""

import sys

from model.training.command_line import train
from scripts import export


def main() -> int:
    try:
        cli = train(sys.argv[1:])
    except (ValueError, FileNotFoundError) as error:
        print(f"train: {error}", file=sys.stderr)
        return 1
    if not cli.config.smoke:
        return 0
    return export.main([str(cli.out / "checkpoints" / "last.ckpt"), str(cli.out / "bundle")])


if __name__ == "__main__":
    sys.exit(main())
