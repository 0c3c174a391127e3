"""Hostile requests against the local server: every answer a described one, in time, and the server still there.

    python -m tests.reliability.fuzz --cases 40000 --seed 0
    python -m tests.reliability.fuzz --replay build/reliability/fuzz-0-123.http

The time of a case is the CPU time that the server took, so that a busy machine fails none; waiting is bounded, too.
"""

import argparse
import collections
import dataclasses
import json
import pathlib
import signal
import sys
import time
import typing as t

from tqdm import tqdm

from . import cases, description
from .server import LOST_S, Server

#: Seconds of CPU within which an answer must come, and megabytes that the server may ever take.
SLOWEST_S = 2.0
MOST_MB = 1000.0

FOLDER = pathlib.Path("build/reliability")


@dataclasses.dataclass
class Result:
    """What a run found."""

    cases: int = 0
    failures: list[str] = dataclasses.field(default_factory=list)
    statuses: "collections.Counter[int]" = dataclasses.field(default_factory=collections.Counter)
    slowest: tuple[float, str] = (0.0, "")
    peak_mb: float = 0.0

    def __str__(self) -> str:
        statuses = ", ".join(f"{count} x {status}" for status, count in sorted(self.statuses.items()))
        return (
            f"fuzz: {self.cases} cases, {len(self.failures)} failures; {statuses}; slowest {self.slowest[0]:.2f} s of "
            f"CPU ({self.slowest[1]}); peak memory {self.peak_mb:.0f} MB"
        )


def run(server: Server, drawn: t.Iterable[cases.Case], folder: pathlib.Path, label: str) -> Result:
    """Send each case and judge the answer; failing ones are written to `folder`."""
    result = Result()
    for number, case in enumerate(_until_interrupted(drawn)):
        before = server.cpu()
        answer = server.send(case.data, case.method)
        took = server.cpu() - before if server.alive else 0.0
        reason = judge(case, answer, took) if server.alive else f"the server is gone: {server.log()[-1000:]}"
        result.cases += 1
        result.statuses[answer.status] += 1
        result.slowest = max(result.slowest, (took, case.name))
        if reason:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{label}-{number}.http"
            path.write_bytes(case.data)
            about = dataclasses.asdict(case) | {"data": path.name, "expected": sorted(case.expected), "reason": reason}
            path.with_suffix(".json").write_text(json.dumps(about, indent=2) + "\n")
            result.failures.append(f"{path}: {case.name}: {reason}")
            tqdm.write(result.failures[-1])
        if not server.alive:
            return result
    result.peak_mb = server.memory()[1]
    if result.peak_mb > MOST_MB:
        result.failures.append(f"peak memory {result.peak_mb:.0f} MB")
    if "Traceback" in server.log():
        result.failures.append("a traceback in the log")
    return result


def _until_interrupted(drawn: t.Iterable[cases.Case]) -> t.Iterator[cases.Case]:
    """Ctrl-C ends the run; what it found until then counts."""
    stopped: list[bool] = []
    before = signal.signal(signal.SIGINT, lambda *_: stopped.append(True))
    try:
        for case in drawn:
            if stopped:
                return
            yield case
    finally:
        signal.signal(signal.SIGINT, before)


def judge(case: cases.Case, answer: t.Any, took: float) -> str | None:
    """What is wrong with the answer, if anything is."""
    if took > SLOWEST_S or answer.seconds > LOST_S:
        return f"{took:.1f} s of CPU, {answer.seconds:.1f} s in all"
    if case.expected and answer.status not in case.expected:
        return f"{answer.status} instead of {sorted(case.expected)}: {answer.body[:200]!r}"
    return description.complaint(case.method, case.path, answer)


def replayed(path: pathlib.Path) -> cases.Case:
    """A case that was written to a file."""
    about = json.loads(path.with_suffix(".json").read_text())
    expected = frozenset(about["expected"])
    return cases.Case(about["name"], about["method"], about["path"], path.read_bytes(), expected)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=40_000, metavar="N", help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="draws the cases (%(default)s)")
    parser.add_argument("--start", type=int, default=0, metavar="N", help="first case (%(default)s)")
    parser.add_argument("--bundle", type=pathlib.Path, default="build/bundle", help="what is served (%(default)s)")
    parser.add_argument("--engine", choices=("torchscript", "onnx"), default="onnx", help="(%(default)s)")
    parser.add_argument("--out", type=pathlib.Path, default=FOLDER, help="folder for failing cases (%(default)s)")
    parser.add_argument("--replay", type=pathlib.Path, metavar="FILE", help="send this failing case again")
    args = parser.parse_args()
    latent_dim = json.loads((args.bundle / "manifest.json").read_text())["latent_dim"]
    drawn: t.Iterable[cases.Case]
    if args.replay:
        drawn = [replayed(args.replay)]
    else:
        numbers = tqdm(range(args.start, args.start + args.cases), unit="case", mininterval=5)
        drawn = (cases.draw(args.seed, number, latent_dim) for number in numbers)
    started = time.perf_counter()
    with Server(args.bundle, args.engine) as server:
        result = run(server, drawn, args.out, f"fuzz-{args.seed}-{args.start}")
    print(f"{result}; {time.perf_counter() - started:.0f} s")
    return 1 if result.failures else 0


if __name__ == "__main__":
    sys.exit(main())
