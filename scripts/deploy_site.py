"""Send the page to its S3 bucket: only the files that have changed, with the API's address in config.js.

python scripts/deploy_site.py BUCKET --api https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com
"""

import argparse
import pathlib
import sys

from deploy import Failure, site

ROOT = pathlib.Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("bucket", metavar="BUCKET", help="the site's bucket")
    parser.add_argument("--api", required=True, metavar="URL", help="the API's address")
    parser.add_argument("--distribution", metavar="ID", help="CloudFront distribution whose copies are now old")
    parser.add_argument("--region", help="AWS region (the environment's)")
    args = parser.parse_args()
    try:
        sent = site.upload(site.files(ROOT / "static", args.api), args.bucket, print, args.region)
        print(f"s3://{args.bucket}: {sent} files sent")
        if sent and args.distribution:
            site.forget_copies(args.distribution, args.region)
    except (Failure, OSError) as error:
        print(f"deploy_site: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
