"""CPU time of what the Lambda function imports, by package: each module's own, without what it imports in turn.

    python benchmarks/imports.py --bundle build/bundle --engine onnx

`python -X importtime -c "import handler.lambda_entry"` has the single modules, by the wall clock. A figure is the least
of the runs. handler's own time includes making the app.
"""

import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys
import typing as t

from handler.settings import ENGINES

RUNS = 5
SHOWN = 10

#: Measures the execution time of each module, in any thread, without that of the modules it imports.
_CHILD = """
import importlib._bootstrap as bootstrap, json, os, sys, threading, time
load, own, local = bootstrap._load_unlocked, {}, threading.local()
def timed(spec):
    inner = local.__dict__.setdefault("inner", [])
    inner.append(0.0)
    begun = time.thread_time()
    try:
        return load(spec)
    finally:
        taken = time.thread_time() - begun
        own[spec.name] = taken - inner.pop()
        if inner:
            inner[-1] += taken
bootstrap._load_unlocked = timed
import handler.lambda_entry
handler.lambda_entry.loader.wait(60)
json.dump(own, sys.stdout)
sys.stdout.flush()
os._exit(0)
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--bundle", type=pathlib.Path, default=pathlib.Path("build/bundle"), help="(%(default)s)")
    parser.add_argument("--engine", choices=ENGINES, default="onnx", help="(%(default)s)")
    args = parser.parse_args()
    environment = os.environ | {"CARVAE_BUNDLE": str(args.bundle), "CARVAE_ENGINE": args.engine, "OMP_NUM_THREADS": "1"}
    least: dict[str, float] = {}
    for _ in range(RUNS):
        line = [sys.executable, "-c", _CHILD]
        result = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
        if result.returncode:
            print(f"imports: {result.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            return 1
        own: dict[str, float] = json.loads(result.stdout)
        least = {name: min(seconds, least.get(name, seconds)) for name, seconds in own.items()}
    for name, seconds in dearest(least):
        print(f"{name:24}{1000 * seconds:7.1f} ms")
    return 0


def dearest(modules: t.Mapping[str, float]) -> list[tuple[str, float]]:
    """The dearest packages, and the sum of all, by the seconds of their modules."""
    packages: dict[str, float] = collections.defaultdict(float)
    for name, seconds in modules.items():
        packages[name.partition(".")[0]] += seconds
    first = sorted(packages.items(), key=lambda each: -each[1])[:SHOWN]
    return [*first, ("all", sum(modules.values()))]


if __name__ == "__main__":
    sys.exit(main())
