"""The steps of a deployment that deploy/plugin.js calls around osls's own; `npx sls deploy` is the command for people.

It reads what the plugin knows as JSON (stage, region, bundle, ...) and, where the plugin has to know something, prints
it as the last line, as JSON, too.
"""

import argparse
import json
import pathlib
import sys
import typing as t

from deploy import Failure, checks, firewall, stack

Known = dict[str, t.Any]


def check(known: Known) -> Known:
    """Before anything is built: returns the version that is live."""
    checks.check_stage(known["stage"])
    here = stack.Stack(known["stage"], known["region"])
    account = checks.check_credentials(known["region"])
    checks.check_concurrency(known["stage"], known["region"], here.function, known["concurrency"])
    checks.check_public_access(account, known["region"], known["site"])
    return {"live": here.live()}


def guard(known: Known) -> Known:
    """Make or change the page's firewall; returns its ARN."""
    return {"firewall": firewall.deploy(known["stage"], known["clientRate"])}


def publish(known: Known) -> None:
    """Upload the model, before any version of the function names it."""
    shelf = stack.Stack(known["stage"], known["region"]).shelf()
    print(f"model {shelf.upload(pathlib.Path(known['bundle']), print)}")


def live(known: Known) -> None:
    """After the stack is updated or rolled back: wait for the new version, or go back."""
    stack.Stack(known["stage"], known["region"]).go_live(known["live"], float(known["patience"]))


def page(known: Known) -> None:
    """Send the page."""
    stack.Stack(known["stage"], known["region"]).send_page()


def removable(known: Known) -> Known:
    """Before a removal: returns whether there is anything to remove."""
    checks.check_credentials(known["region"])
    return {"remove": stack.Stack(known["stage"], known["region"]).check_removable()}


def empty(known: Known) -> None:
    """Empty the buckets, so that the stack can be removed."""
    stack.Stack(known["stage"], known["region"]).empty()


def unguard(known: Known) -> None:
    """Remove the page's firewall, if it has one."""
    firewall.remove(known["stage"])


STEPS: dict[str, t.Callable[[Known], Known | None]] = {
    step.__name__: step for step in (check, guard, publish, live, page, removable, empty, unguard)
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("known", type=json.loads, metavar="JSON", help="what the plugin knows")
    args = parser.parse_args()
    try:
        print(json.dumps(STEPS[args.step](args.known)))
    except (Failure, OSError) as error:
        print(f"stack: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
