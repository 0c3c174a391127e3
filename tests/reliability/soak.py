"""Half an hour of ordinary, hostile, slow and vanishing clients beside each other: nothing may grow.

    python -m tests.reliability.soak --minutes 30

Memory, descriptors and threads of the server are sampled and printed as it goes. At the end they are compared with what
they were after a quarter of the run: a leak of a kilobyte per request would show. The memory of a run of less than
15 minutes is not judged.
"""

import argparse
import contextlib
import itertools
import json
import pathlib
import sys
import threading
import time
import typing as t

from handler.settings import ENGINES

from . import cases, fuzz, slow
from .server import Server

#: Most growth from a quarter of the run to its end.
GROWTH_MB, GROWTH_DESCRIPTORS, GROWTH_THREADS = 60.0, 20, 5

#: Shortest run, in seconds, whose memory is judged: in less time, not every thread has seen the largest pictures.
JUDGED_S = 900

#: Slow clients of each kind at a time, seconds for which a kind is there, samples in a run.
SLOW_CLIENTS, KIND_S, SAMPLES = 10, 10, 30


class Sample(t.NamedTuple):
    """The server at one time: megabytes of memory, open descriptors, threads, and cases answered so far.

    The memory is the least since the previous sample, because large pictures come and go.
    """

    memory_mb: float
    descriptors: int
    threads: int
    answered: int


class Cases(threading.Thread):
    """Sends hostile and ordinary requests, one after the other, until it is told to stop."""

    def __init__(self, server: Server, seed: int, latent_dim: int) -> None:
        super().__init__(daemon=True)
        self._server, self._seed, self._latent_dim = server, seed, latent_dim
        self.stop = threading.Event()
        self.answered = 0
        self.failures: list[str] = []

    def run(self) -> None:
        """Send them. What a case costs is not judged: others compute at the same time."""
        for number in itertools.count():
            if self.stop.is_set():
                return
            case = cases.draw(self._seed, number, self._latent_dim)
            answer = self._server.send(case.data, case.method)
            told_to_come_back = answer.status == 503 and "retry-after" in answer.headers
            reason = None if told_to_come_back else fuzz.judge(case, answer, 0)
            self.answered += 1
            if reason:
                self.failures.append(f"case {number} of {self._seed}, {case.name}: {reason}")


def sample(server: Server, senders: list[Cases], memory_mb: float) -> Sample:
    """Look at the server."""
    return Sample(memory_mb, server.descriptors(), server.threads(), sum(each.answered for each in senders))


def run(server: Server, seconds: float, latent_dim: int) -> tuple[list[Sample], list[str]]:
    """All of it; returns the samples and what failed. Ctrl-C ends it early, and what was found until then counts."""
    senders = [Cases(server, seed, latent_dim) for seed in (1, 2)]
    for each in senders:
        each.start()
    samples: list[Sample] = []
    kinds = itertools.cycle(slow.KINDS.values())
    end, pause = time.monotonic() + seconds, seconds / SAMPLES
    due, least = time.monotonic() + pause, float("inf")
    with contextlib.suppress(KeyboardInterrupt):
        while time.monotonic() < end and server.alive:
            with slow.clients(server, next(kinds), SLOW_CLIENTS):
                until = min(time.monotonic() + KIND_S, end)
                while time.monotonic() < until and server.alive:
                    time.sleep(0.5)
                    least = min(least, server.memory()[0])
            if time.monotonic() >= due:
                samples.append(sample(server, senders, least))
                due, least = due + pause, float("inf")
                print("{:6.0f} MB {:5} descriptors {:4} threads {:7} answers".format(*samples[-1]), flush=True)
    for each in senders:
        each.stop.set()
    for each in senders:
        each.join(120)
    time.sleep(3)  # what hung up is closed within two
    failures = [failure for each in senders for failure in each.failures]
    if not server.alive:
        return samples, [*failures, "the server is gone"]
    samples.append(sample(server, senders, server.memory()[0]))
    return samples, failures + grown(samples, seconds)


def grown(samples: list[Sample], seconds: float) -> list[str]:
    """What grew from a quarter of a run of so many seconds to its end."""
    early, last = samples[len(samples) // 4], samples[-1]
    bounds = {"memory_mb": GROWTH_MB, "descriptors": GROWTH_DESCRIPTORS, "threads": GROWTH_THREADS}
    if seconds < JUDGED_S:
        del bounds["memory_mb"]
    return [
        f"{name} grew from {getattr(early, name):.0f} to {getattr(last, name):.0f}"
        for name, bound in bounds.items()
        if getattr(last, name) - getattr(early, name) > bound
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30, help="how long (%(default)g)")
    parser.add_argument("--bundle", type=pathlib.Path, default="build/bundle", help="what is served (%(default)s)")
    parser.add_argument("--engine", choices=ENGINES, default="onnx", help="(%(default)s)")
    args = parser.parse_args()
    latent_dim = json.loads((args.bundle / "manifest.json").read_text())["latent_dim"]
    with Server(args.bundle, args.engine) as server:
        samples, failures = run(server, 60 * args.minutes, latent_dim)
        if traceback := server.traceback():
            failures.append(traceback)
    for failure in failures[:20]:
        print(f"FAILED {failure}")
    early, last = samples[len(samples) // 4], samples[-1]
    print(
        f"soak: {args.minutes:g} minutes, {last.answered:,} answers, {len(failures)} failures; memory "
        f"{early.memory_mb:.0f} to {last.memory_mb:.0f} MB, descriptors {early.descriptors} to {last.descriptors}, "
        f"threads {early.threads} to {last.threads}"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
