"""moto's stand-in for AWS in a process of its own: prints its address, serves until its input ends.

In a process of its own because it warns of every resource that it skips, and warnings are errors in tests.
"""

import logging
import sys
import typing as t
import warnings

from moto.cloudformation import models
from moto.server import ThreadedMotoServer


def main() -> None:
    warnings.simplefilter("ignore")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    check = models.validate_template_cfn_lint

    def errors_only(template: str) -> list[t.Any]:
        # moto takes cfn-lint's warnings for refusals, AWS doesn't; osls itself gives cause for W3005.
        return [match for match in check(template) if match.rule.id.startswith("E")]

    models.validate_template_cfn_lint = errors_only
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    print(f"http://{host}:{port}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
