"""From photographs to released weights, stage by stage; what `make reproduce DATA=PHOTOGRAPHS` runs.

    python scripts/reproduce.py PHOTOGRAPHS runs/reproduced
    python scripts/reproduce.py PHOTOGRAPHS runs/reproduced --dry-run

Stopped at any point, the same command goes on: stages that ended are left out, and one that was stopped resumes from
its checkpoint. OUT/stages.csv says how long each took.
"""

import argparse
import pathlib
import sys

from model.training import stages

ROOT = pathlib.Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("data", type=pathlib.Path, metavar="PHOTOGRAPHS", help="folder of photographs, with splits.csv")
    parser.add_argument("out", type=pathlib.Path, metavar="OUT", help="folder of the results")
    parser.add_argument(
        "--stages", type=pathlib.Path, default=ROOT / "model" / "training" / "stages.yaml", help="(%(default)s)"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the commands and run none")
    args = parser.parse_args()
    try:
        if not args.data.is_dir():
            raise ValueError(f"{args.data}: no such folder of photographs")
        todo = stages.read(args.stages, args.data.resolve(), args.out.resolve())
        stopped = stages.run_all(todo, args.out, ROOT, say, args.dry_run)
    except (ValueError, OSError) as error:
        print(f"reproduce: {error}", file=sys.stderr)
        return 1
    if stopped:
        stage, status = stopped
        print(f"reproduce: {stage.name} stopped with exit status {status}; run again to go on", file=sys.stderr)
        return status
    return 0


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
