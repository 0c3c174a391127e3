"""Twice as many requests as the local server can answer, for minutes; then each kind of silent and slow clients.

    python -m tests.reliability.load --seconds 300

Each answer is compared with the one that its seed gave before; the excess must be told to come back (429 or 503 with
Retry-After). Afterwards the server must answer at once again, and its memory must be what it was.
"""

import argparse
import collections
import contextlib
import dataclasses
import hashlib
import pathlib
import sys
import threading
import time
import typing as t

from tqdm import tqdm

from handler.settings import ENGINES

from . import slow
from .server import Answer, Server

#: Seeds whose answers are known before the load begins.
SEEDS = 32
CARS = 4

#: Most megabytes by which the server's memory may grow from a fifth of the run to its end.
GROWTH_MB = 60.0
RECOVERY_S = 10.0

#: Seconds within which ``/health`` must answer beside silent and slow clients.
PATIENCE_S = 1.0


@dataclasses.dataclass
class Tally:
    """What the answers were."""

    counts: "collections.Counter[str]" = dataclasses.field(default_factory=collections.Counter)
    failures: list[str] = dataclasses.field(default_factory=list)
    latencies: list[float] = dataclasses.field(default_factory=list)
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def add(self, kind: str, seconds: float = 0.0, failure: str = "") -> None:
        """Count one."""
        with self.lock:
            self.counts[kind] += 1
            if kind == "right":
                self.latencies.append(seconds)
            if failure:
                self.failures.append(failure)


def ask(server: Server, seed: int) -> Answer:
    """The cars of a seed, as PNG."""
    return server.get(f"/random?count={CARS}&seed={seed}", "image/png")


def references(server: Server) -> dict[int, str]:
    """The digest of each seed's answer, asked for one after the other."""
    answers = {seed: ask(server, seed) for seed in range(SEEDS)}
    for answer in answers.values():
        assert answer.status == 200, answer
    return {seed: hashlib.sha256(answer.body).hexdigest() for seed, answer in answers.items()}


def judge(tally: Tally, answer: Answer, right: str) -> None:
    """Count an answer as right, as told to come back, or as a failure."""
    if answer.status == 200:
        same = hashlib.sha256(answer.body).hexdigest() == right
        tally.add("right" if same else "wrong", answer.seconds, "" if same else "another answer than before the load")
    elif answer.status in (429, 503):
        told = answer.headers.get("retry-after", "").isdecimal()
        tally.add("told to come back", 0, "" if told else f"{answer.status} without Retry-After")
    else:
        tally.add(f"status {answer.status}", 0, f"status {answer.status}: {answer.body[:100]!r}")


def capacity(server: Server, right: dict[int, str], clients: int, seconds: float) -> float:
    """Requests per second that this many clients get answered, each of them sending one request after the other."""
    tally, end = Tally(), time.monotonic() + seconds

    def client(number: int) -> None:
        seed = number
        while time.monotonic() < end:
            seed = (seed + 1) % SEEDS
            judge(tally, ask(server, seed), right[seed])

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return max(1, tally.counts["right"]) / (time.monotonic() - started)


def press(server: Server, right: dict[int, str], rate: float, seconds: float) -> tuple[Tally, list[float]]:
    """Send `rate` requests per second, whether or not earlier ones were answered; returns the memory over time, too."""
    tally, memory, threads = Tally(), [], []
    started = time.monotonic()
    with tqdm(total=int(seconds), unit="s") as progress:
        for number in range(int(rate * seconds)):
            with contextlib.suppress(ValueError):
                time.sleep(started + number / rate - time.monotonic())
            seed = number % SEEDS
            thread = threading.Thread(target=lambda seed=seed: judge(tally, ask(server, seed), right[seed]))
            thread.start()
            threads = [each for each in threads if each.is_alive()] + [thread]
            now = int(time.monotonic() - started)
            if now > progress.n:
                progress.update(now - progress.n)
                memory.append(server.memory()[0])
    for thread in threads:
        thread.join()
    memory.append(server.memory()[0])
    return tally, memory


def starve(server: Server, right: dict[int, str], kind: str, number: int, seconds: float) -> tuple[Tally, float]:
    """Ask as an ordinary visitor beside `number` slow clients of a kind.

    Returns what the answers were, and the longest wait for ``/health``, in seconds.
    """
    tally, longest = Tally(), 0.0
    with slow.clients(server, slow.KINDS[kind], number):
        end, seed = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            health = server.get("/health")
            longest = max(longest, health.seconds)
            if health.status != 200:
                tally.add("no health", failure=f"/health: {health.status} {health.body[:100]!r}")
            judge(tally, ask(server, seed), right[seed])
            seed = (seed + 1) % SEEDS
    return tally, longest


def recovery(server: Server, right: dict[int, str]) -> float:
    """Seconds until a request is answered rightly again."""
    started = time.monotonic()
    while time.monotonic() - started < 60:
        tally = Tally()
        judge(tally, ask(server, 0), right[0])
        if tally.counts["right"]:
            return time.monotonic() - started
        time.sleep(0.2)
    return float("inf")


def run(
    server: Server, seconds: float, slow_clients: int, calibration_s: float = 10.0, patience_s: float = PATIENCE_S
) -> tuple[list[str], list[str]]:
    """All of it; returns lines of figures and failures."""
    right = references(server)
    able = capacity(server, right, 4, calibration_s)
    tally, memory = press(server, right, 2 * able, seconds)
    back = recovery(server, right)
    settled, ended = memory[len(memory) // 5], memory[-1]
    failures, beside = list(tally.failures), []
    for kind in tqdm(slow.KINDS, unit="kind"):
        starved, longest = starve(server, right, kind, slow_clients, max(2.0, seconds / 10))
        failures += [f"beside {slow_clients} that {kind}: {failure}" for failure in starved.failures]
        if longest > patience_s:
            failures.append(f"beside {slow_clients} that {kind}: /health took {longest:.2f} s")
        if not (starved.counts["right"] or slow.KINDS[kind].works):
            failures.append(f"beside {slow_clients} that {kind}: nobody was answered")
        beside.append(f"beside {slow_clients} that {kind}: /health {longest:.2f} s at most, {dict(starved.counts)}")
    if not tally.counts["right"]:
        failures.append("under load nobody was answered")
    if back > RECOVERY_S:
        failures.append(f"recovery took {back:.1f} s")
    if ended - settled > GROWTH_MB:
        failures.append(f"memory grew from {settled:.0f} to {ended:.0f} MB")
    if not server.alive:
        failures.append("the server is gone")
    median = sorted(tally.latencies)[len(tally.latencies) // 2] if tally.latencies else float("nan")
    figures = [
        f"capacity {able:.1f} requests/s; sent {2 * able:.1f} requests/s for {seconds:.0f} s: {dict(tally.counts)}",
        f"median latency of those answered {median:.2f} s; first right answer after the load in {back:.2f} s",
        f"memory {settled:.0f} MB after a fifth of the run, {ended:.0f} MB at its end",
        *beside,
        f"{server.descriptors()} descriptors, {len(server.log()):,} bytes of log",
    ]
    return figures, failures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300, help="of load (%(default)g)")
    parser.add_argument("--slow-clients", type=int, default=100, metavar="N", help="of each kind (%(default)s)")
    parser.add_argument("--bundle", type=pathlib.Path, default="build/bundle", help="what is served (%(default)s)")
    parser.add_argument("--engine", choices=ENGINES, default="onnx", help="(%(default)s)")
    args = parser.parse_args()
    with Server(args.bundle, args.engine) as server:
        figures, failures = run(server, args.seconds, args.slow_clients)
    for line in figures:
        print(line)
    for failure, count in collections.Counter(failures).most_common(20):
        print(f"FAILED {count} times: {failure}")
    print(f"load: {len(figures)} checks, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(t.cast(int, main()))
