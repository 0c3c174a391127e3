"""Build the Lambda function's archive.

    python scripts/package.py --engine torchscript --python 3.13
    python scripts/package.py --engine torchscript --same-interpreter

The first fetches wheels for Lambda's Python; the second takes the packages installed for this interpreter, which is
how the tests run the function. Writes build/<engine>-<architecture>/function.zip, unless it is up to date, and
function.json (its size, Python version and what it was made of).
"""

import argparse
import pathlib
import sys

from deploy import Failure, function
from handler.settings import ENGINES


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--engine", choices=ENGINES, default="torchscript", help="(%(default)s)")
    parser.add_argument("--python", choices=function.PYTHONS, default="3.13", help="Lambda's Python (%(default)s)")
    parser.add_argument(
        "--architecture", choices=function.ARCHITECTURES, default="x86_64", help="Lambda's (%(default)s)"
    )
    parser.add_argument("--same-interpreter", action="store_true", help="for this interpreter, with its packages")
    parser.add_argument("--out", type=pathlib.Path, default=function.ROOT / "build", metavar="FOLDER", help="(build)")
    args = parser.parse_args()
    if (args.engine, args.python) == ("torchscript", "3.14"):
        parser.error("--python 3.14: expected 3.12 or 3.13 with --engine torchscript, or --engine onnx")
    try:
        function.build(args.engine, args.python, args.architecture, args.same_interpreter, args.out.resolve())
    except (Failure, OSError) as error:
        print(f"package: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
