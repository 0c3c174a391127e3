"""What every benchmark's command line has, and what it leaves: a table, a CSV, a plot, the machine."""

import argparse
import contextlib
import fcntl
import json
import pathlib
import signal
import sys
import typing as t
from collections.abc import Callable, Iterator, Sequence

from deploy import Failure
from handler.files import whole

from . import figures, machine, plots
from .figures import Figure

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
RESULTS = ROOT / "benchmarks" / "results"


class Part(t.Protocol):
    """Measures and returns the figures; `quick` asks for a short run that only shows that it works."""

    def __call__(self, bundle: pathlib.Path, quick: bool) -> Sequence[Figure]: ...


def main(name: str, description: str, measure: Part, draw: Callable[[Sequence[Figure], pathlib.Path], None]) -> int:
    """Run benchmark `name` as a command."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--bundle", type=pathlib.Path, default=ROOT / "build" / "bundle", help="(build/bundle)")
    parser.add_argument("--quick", action="store_true", help="few repeats: shows that it works, writes nothing")
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS, metavar="FOLDER", help="(benchmarks/results)")
    args = parser.parse_args()
    # SIGTERM, too, must stop the servers and functions that the benchmark started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if not (args.bundle / "manifest.json").is_file():
            raise Failure(f"{args.bundle}: no model bundle; make build/bundle/manifest.json builds one")
        described = machine.describe()
        measured = measure(args.bundle.resolve(), args.quick)
        print(figures.table(measured))
        if not args.quick:
            args.out.mkdir(parents=True, exist_ok=True)
            figures.write(measured, args.out / f"{name}.csv", f"python benchmarks/{name}.py")
            _note(described, name, args.out / "machine.json")
            with plots.style():
                draw(measured, args.out / f"{name}.webp")
    except (Failure, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: stopped, nothing written", file=sys.stderr)
        return 130
    return 0


def _note(described: dict[str, t.Any], name: str, path: pathlib.Path) -> None:
    machines = json.loads(path.read_text()) if path.exists() else {}
    with whole(path) as file:
        file.write(json.dumps(machines | {name: described}, indent=2, sort_keys=True).encode() + b"\n")


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Wait until no other benchmark is building what it needs."""
    folder = ROOT / "build" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
