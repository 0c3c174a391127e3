"""Kill, fill the disk, break S3 and the bundle, end the server: afterwards the old state or the new one is complete.

python -m tests.reliability.faults
"""

import argparse
import pathlib
import sys
import tempfile
import time
import traceback
import typing as t

from tqdm import tqdm

from . import faults_bundle, faults_kill, faults_serve, faults_space

Fault: t.TypeAlias = t.Callable[[pathlib.Path], None]

#: Each takes an empty folder and raises AssertionError where something was lost.
FAULTS: dict[str, Fault] = {
    **faults_kill.FAULTS,
    **faults_space.FAULTS,
    **faults_bundle.FAULTS,
    **faults_serve.FAULTS,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=FAULTS, metavar="NAME", help="just this one")
    args = parser.parse_args()
    failures, skipped, started = [], [], time.monotonic()
    names = [args.only] if args.only else list(FAULTS)
    for name in tqdm(names, unit="fault"):
        with tempfile.TemporaryDirectory() as folder:
            try:
                FAULTS[name](pathlib.Path(folder))
            except faults_space.NoSmallDisk as reason:
                skipped.append(name)
                tqdm.write(f"SKIPPED {name}: {reason}")
            except Exception:
                failures.append(name)
                tqdm.write(f"FAILED {name}\n{traceback.format_exc()}")
    print(
        f"faults: {len(names)} cases, {len(failures)} failures{''.join(f'; {name}' for name in failures)}; "
        f"{len(skipped)} skipped; {time.monotonic() - started:.0f} s"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
