"""Hostile requests to the local server, answers to the client, photographs to prepare.

Every answer of the server must be one that its description names, must come in time, and must leave the server running.
The client must accept a right answer or say why not. Preparing must leave out anything that is not a photograph.

    python -m tests.reliability.fuzz --cases 40000 --seed 0
    python -m tests.reliability.fuzz --replay build/reliability/fuzz-0-123.http

The time of a case is its CPU time, so that a busy machine fails none; waiting is bounded as well. On a shared core the
CPU time is longer. Therefore a case that takes too long is tried twice more, and the least time counts. Where the most
expensive ordinary request, for 64 cars, takes longer than the bound, its time is the bound.
"""

import argparse
import collections
import concurrent.futures
import dataclasses
import json
import multiprocessing
import pathlib
import random
import re
import signal
import sys
import time
import typing as t

from tqdm import tqdm

from handler.settings import ENGINES

from . import answers, cases, description, photographs, pictures
from .case import Case
from .server import LOST_S, Answer, Server, request

#: Seconds of CPU within which an answer must come, and megabytes that the server may ever take.
SLOWEST_S = 2.0
MOST_MB = 1000.0

FOLDER = pathlib.Path("build/reliability")


#: Shares of cases that are answers to the client, and photographs; the rest are requests.
ANSWERS, PHOTOGRAPHS = 0.08, 0.04

#: What every run begins with.
DEAREST = Case("64 cars", "GET", "/random", request("GET", "/random?count=64&seed=1", {"Accept": "application/json"}))


@dataclasses.dataclass
class Result:
    """What a run found."""

    cases: int = 0
    failures: list[str] = dataclasses.field(default_factory=list)
    statuses: "collections.Counter[int]" = dataclasses.field(default_factory=collections.Counter)
    kinds: "collections.Counter[str]" = dataclasses.field(default_factory=collections.Counter)
    dearest: float = 0.0
    slowest: tuple[float, str] = (0.0, "")
    peak_mb: float = 0.0

    def __str__(self) -> str:
        statuses = ", ".join(f"{count} x {status}" for status, count in sorted(self.statuses.items()))
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.kinds.most_common())
        return (
            f"fuzz: {self.cases} cases, {len(self.failures)} failures; {statuses}; {kinds}; slowest "
            f"{self.slowest[0]:.2f} s of CPU ({self.slowest[1]}), 64 cars {self.dearest:.2f} s; "
            f"peak memory {self.peak_mb:.0f} MB"
        )


def draw(seed: int, number: int, latent_dim: int) -> Case:
    """Case `number` of `seed`, always the same, for a model of `latent_dim`."""
    dice = random.Random(f"{seed}/{number}/target")
    share = dice.random()
    if share < ANSWERS:
        return answers.draw(dice)
    if share < ANSWERS + PHOTOGRAPHS:
        return photographs.draw(dice)
    return cases.draw(seed, number, latent_dim)


def kind(case: Case) -> str:
    """What to count a case as."""
    name = case.name.partition(",")[0]
    if case.name in pictures.BOMBS:
        return "costly picture"
    if name in pictures.GOOD:
        return "changed picture"
    return next((each for each in ("good", "long header", "header", "page") if name.startswith(each)), name)


class Targets:
    """What cases are sent to: a server, and a process in which client and preparation are tried."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._beside: concurrent.futures.ProcessPoolExecutor | None = None

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._beside:
            self._beside.shutdown(wait=False, cancel_futures=True)

    def tried(self, case: Case, bound: float) -> tuple[int, float, str | None]:
        """Send a case; returns the status (0: none), the seconds of CPU, and what is wrong, if anything."""
        if case.target != "server":
            return self._tried_beside(case, bound)
        before = self.server.cpu()
        answer = self.server.send(case.data, case.method)
        if not self.server.alive:
            return answer.status, 0.0, f"the server is gone: {self.server.log()[-1000:]}"
        took = self.server.cpu() - before
        return answer.status, took, judge(case, answer, took, bound)

    def _tried_beside(self, case: Case, bound: float) -> tuple[int, float, str | None]:
        if self._beside is None:
            self._beside = concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
        try:
            took, peak_mb, reason = self._beside.submit(beside, case).result(LOST_S)
        except (concurrent.futures.process.BrokenProcessPool, TimeoutError) as error:
            self._beside = None
            return 0, 0.0, f"its process is gone or does not come back: {error!r}"
        if peak_mb > MOST_MB:
            reason = reason or f"peak memory {peak_mb:.0f} MB"
        return 0, took, reason or (f"{took:.1f} s of CPU" if took > bound else None)


def beside(case: Case) -> tuple[float, float, str | None]:
    """Try a case for client or preparation; returns seconds of CPU, megabytes at most so far, and what is wrong."""
    started = time.process_time()
    reason = answers.judge(case) if case.target == "client" else photographs.judge(case)
    took = time.process_time() - started
    status = pathlib.Path("/proc/self/status").read_text()
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert peak
    return took, int(peak[1]) / 1e3, reason


def run(server: Server, drawn: t.Iterable[Case], folder: pathlib.Path, label: str) -> Result:
    """Send each case and judge what comes of it; failing ones are written to `folder`."""
    result = Result()
    with Targets(server) as targets:
        _, result.dearest, _ = min((targets.tried(DEAREST, 0) for _ in range(2)), key=lambda tried: tried[1])
        bound = max(SLOWEST_S, 1.1 * result.dearest)
        for number, case in enumerate(_until_interrupted(drawn)):
            status, took, reason = targets.tried(case, bound)
            for _ in range(2):
                if took > bound and server.alive:
                    again = targets.tried(case, bound)
                    status, took, reason = min((status, took, reason), again, key=lambda tried: tried[1])
            result.cases += 1
            if case.target == "server":
                result.statuses[status] += 1
            result.kinds[kind(case)] += 1
            result.slowest = max(result.slowest, (took, case.name))
            if reason:
                result.failures.append(_kept(case, reason, folder / f"{label}-{number}.http"))
                tqdm.write(result.failures[-1])
            if not server.alive:
                return result
    result.peak_mb = server.memory()[1]
    if result.peak_mb > MOST_MB:
        result.failures.append(f"peak memory {result.peak_mb:.0f} MB")
    if traceback := server.traceback():
        result.failures.append(traceback)
        tqdm.write(traceback)
    return result


def _kept(case: Case, reason: str, path: pathlib.Path) -> str:
    """Write a failing case to `path`; returns a line about it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(case.data)
    about = dataclasses.asdict(case) | {"data": path.name, "expected": sorted(case.expected), "reason": reason}
    path.with_suffix(".json").write_text(json.dumps(about, indent=2) + "\n")
    return f"{path}: {case.name}: {reason}"


def _until_interrupted(drawn: t.Iterable[Case]) -> t.Iterator[Case]:
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


def judge(case: Case, answer: Answer, took: float, bound: float = SLOWEST_S) -> str | None:
    """What is wrong with the answer, if anything is."""
    if took > bound or answer.seconds > LOST_S:
        return f"{took:.1f} s of CPU, {answer.seconds:.1f} s in all"
    if case.expected and answer.status not in case.expected:
        return f"{answer.status} instead of {sorted(case.expected)}: {answer.body[:200]!r}"
    return description.complaint(case.method, case.path, answer)


def replayed(path: pathlib.Path) -> Case:
    """A case that was written to a file."""
    about = json.loads(path.with_suffix(".json").read_text())
    changed = {"data": path.read_bytes(), "expected": frozenset(about["expected"])}
    return Case(**{field.name: about[field.name] for field in dataclasses.fields(Case)} | changed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=40_000, metavar="N", help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="draws the cases (%(default)s)")
    parser.add_argument("--start", type=int, default=0, metavar="N", help="first case (%(default)s)")
    parser.add_argument("--bundle", type=pathlib.Path, default="build/bundle", help="what is served (%(default)s)")
    parser.add_argument("--engine", choices=ENGINES, default="onnx", help="(%(default)s)")
    parser.add_argument("--out", type=pathlib.Path, default=FOLDER, help="folder for failing cases (%(default)s)")
    parser.add_argument("--replay", type=pathlib.Path, metavar="FILE", help="send this failing case again")
    args = parser.parse_args()
    latent_dim = json.loads((args.bundle / "manifest.json").read_text())["latent_dim"]
    drawn: t.Iterable[Case]
    if args.replay:
        drawn = [replayed(args.replay)]
    else:
        numbers = tqdm(range(args.start, args.start + args.cases), unit="case", mininterval=5)
        drawn = (draw(args.seed, number, latent_dim) for number in numbers)
    started = time.perf_counter()
    with Server(args.bundle, args.engine) as server:
        result = run(server, drawn, args.out, f"fuzz-{args.seed}-{args.start}")
    print(f"{result}; {time.perf_counter() - started:.0f} s")
    return 1 if result.failures else 0


if __name__ == "__main__":
    sys.exit(main())
