"""Run every benchmark, one after the other; `make bench` does this.

python benchmarks/run.py --out benchmarks/results
"""

import argparse
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PARTS = ("cold_start", "warm_latency", "throughput", "memory", "cost")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--bundle", type=pathlib.Path, default=ROOT / "build" / "bundle", help="(build/bundle)")
    parser.add_argument("--quick", action="store_true", help="few repeats: shows that it works, writes nothing")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "benchmarks" / "results", metavar="FOLDER")
    args = parser.parse_args()
    failed = []
    for part in PARTS:
        print(f"\n{part}", flush=True)
        begun = time.monotonic()
        line = [sys.executable, str(ROOT / "benchmarks" / f"{part}.py"), "--out", str(args.out)]
        line += ["--bundle", str(args.bundle), *(["--quick"] if args.quick else [])]
        if subprocess.run(line, check=False).returncode:
            failed.append(part)
        print(f"{part}: {time.monotonic() - begun:.0f} s", flush=True)
    if failed:
        print(f"run: {', '.join(failed)} failed", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
