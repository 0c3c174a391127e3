"""Publish a model version to S3, or go back to the one before.

    python scripts/publish.py build/bundle s3://BUCKET
    python scripts/publish.py --rollback s3://BUCKET

A version is never changed once it is there. This is for servers that read s3://BUCKET/models/current.json when they
start; the function on AWS names its model by version, and npx sls deploy and npx sls rollback change it.
"""

import argparse
import pathlib
import sys

from deploy import Failure, versions


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("bundle", nargs="?", type=pathlib.Path, metavar="BUNDLE", help="folder of the bundle")
    parser.add_argument("address", metavar="s3://BUCKET[/PREFIX]", help="where models are (prefix: models)")
    parser.add_argument("--rollback", action="store_true", help="serve the version that was served before")
    parser.add_argument("--region", help="AWS region (the environment's)")
    args = parser.parse_args()
    if (args.bundle is None) != args.rollback:
        parser.error("give a BUNDLE to publish, or --rollback without one")
    try:
        shelf = versions.Shelf(args.address, args.region)
        version = shelf.roll_back() if args.rollback else shelf.publish(args.bundle, print)
        print(f"s3://{shelf.bucket}/{shelf.prefix}/current.json: {version}")
    except (Failure, OSError) as error:
        print(f"publish: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
