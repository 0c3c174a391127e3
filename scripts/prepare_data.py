"""Turn folders or zips of photographs into one array that training reads.

    python scripts/prepare_data.py PHOTOGRAPHS data/cars

writes images.npy, splits.csv, data_card.json and contact_sheet.png. A source folder with a splits.csv (columns file
and split) keeps its splits; otherwise images are split by their content.
"""

import argparse
import errno
import pathlib
import sys
import typing as t

from tqdm import tqdm

from model.data import preparation, sources


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("sources", nargs="+", type=pathlib.Path, metavar="SRC", help="folder or zip of images")
    parser.add_argument("out", type=pathlib.Path, metavar="OUT", help="folder to write; must not exist")
    defaults = preparation.Settings()
    parser.add_argument("--size", type=int, default=defaults.size, help="side in pixels (%(default)s)")
    parser.add_argument("--fit", choices=t.get_args(preparation.Fit), default=defaults.fit, help="(%(default)s)")
    parser.add_argument("--min-side", type=int, default=defaults.min_side, help="leave out smaller ones (%(default)s)")
    parser.add_argument("--val", type=float, default=defaults.val, help="share for validation (%(default)s)")
    parser.add_argument("--test", type=float, default=defaults.test, help="share for testing (%(default)s)")
    args = parser.parse_args()
    try:
        settings = preparation.Settings(args.size, args.fit, args.min_side, args.val, args.test)
        found = sources.find_sources(args.sources)
        card = preparation.prepare(found, args.out, settings, lambda todo: tqdm(todo, unit="image"))
    except ValueError as error:
        return fail(str(error))
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        return fail(f"{error.filename or args.out}: {reason}; nothing was written")
    splits = ", ".join(f"{count} {split}" for split, count in card["splits"].items())
    left_out = ", ".join(f"{count} {reason}" for reason, count in card["left_out"].items()) or "none"
    print(f"{args.out}: {card['images']} images ({splits}); left out: {left_out}")
    for line in preparation.listed(card["left_out_files"]):
        print(f"left out, {line}", file=sys.stderr)
    return 0


def fail(message: str) -> int:
    print(f"prepare_data: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
