"""Compare the ratios of two sets of results; exit status 1 if one fell by more than 15 % or is no longer measured.

    python benchmarks/check.py build/bench/results benchmarks/results

`make bench-check` measures everything anew into the first folder; the second is the committed one.
"""

import argparse
import pathlib
import sys

from benchmarks.lib import figures
from benchmarks.run import PARTS


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("fresh", type=pathlib.Path, help="folder of the results to check")
    parser.add_argument("committed", type=pathlib.Path, help="folder of the results to compare them with")
    args = parser.parse_args()
    try:
        lines = compare(args.fresh, args.committed)
    except (OSError, ValueError) as error:
        print(f"check: {error}", file=sys.stderr)
        return 2
    for line in lines:
        print(line)
    if not lines:
        print("no ratio fell")
    return 1 if lines else 0


def compare(fresh: pathlib.Path, committed: pathlib.Path) -> list[str]:
    """One line for each committed ratio that fell, with its part.

    Raises
    ------
    OSError or ValueError
        If a table of either folder is missing or damaged.
    """
    return [
        f"{part}: {line}"
        for part in PARTS
        for line in figures.fallen(figures.read(fresh / f"{part}.csv"), figures.read(committed / f"{part}.csv"))
    ]


if __name__ == "__main__":
    sys.exit(main())
