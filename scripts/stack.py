"""Everything on AWS by one command, and off it again.

    python scripts/stack.py up --stage dev --engine torchscript
    python scripts/stack.py remove --stage dev

Up: checks, function archive, stack (osls), model, page, and a look whether the API answers. Each step takes what an
earlier run has done as it is, so after a failure the same command goes on.
"""

import argparse
import os
import pathlib
import sys

from deploy import Failure, stack


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("action", choices=("up", "remove"))
    parser.add_argument("--stage", required=True, help="name of this installation, such as dev or prod")
    parser.add_argument("--engine", choices=("torchscript", "onnx"), default="torchscript", help="(%(default)s)")
    default = stack.ROOT / "build" / "bundle"
    parser.add_argument("--bundle", type=pathlib.Path, default=default, help="(build/bundle)")
    parser.add_argument("--region", help="AWS region (AWS_REGION, AWS_DEFAULT_REGION)")
    parser.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUE", help="of serverless.yml, for once"
    )
    args = parser.parse_args()
    region = args.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    try:
        if not region:
            raise Failure("no region: give --region or set AWS_REGION, for example eu-central-1")
        deployment = stack.Deployment(args.stage, region, args.engine, args.param)
        stack.check_tools()
        stack.check_credentials(region)
        stack.install_osls()
        deployment.up(args.bundle) if args.action == "up" else deployment.remove()
    except (Failure, OSError) as error:
        print(f"stack: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
