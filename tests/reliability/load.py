"""Twice as many requests as the local server can answer, for minutes; then slow clients.

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
import socket
import sys
import threading
import time
import typing as t

from tqdm import tqdm

from .server import Answer, Server, request

#: Seeds whose answers are known before the load begins.
SEEDS = 32
CARS = 4

#: Growth of the server's memory from a fifth of the run to its end that is taken for flat, in megabytes.
GROWTH_MB = 60.0
RECOVERY_S = 10.0


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
    """Requests a second that so many clients get answered, each asking again when it has its answer."""
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


def drip(server: Server, number: int, stop: threading.Event) -> list[socket.socket]:
    """Open `number` connections that send headers, or a body, a byte now and then until `stop`."""
    body = request("POST", "/encode", {"Content-Length": "100000", "Content-Type": "image/png"})
    heads = [b"GET /random HTTP/1.1\r\nX-Slow: ", body]
    connections = [server.connect() for _ in range(number)]
    for index, connection in enumerate(connections):
        connection.sendall(heads[index % 2])

    def feed() -> None:
        while not stop.wait(1):
            for connection in connections:
                with contextlib.suppress(OSError):  # the server may have hung up, which is its right
                    connection.sendall(b"a")

    threading.Thread(target=feed, daemon=True).start()
    return connections


def starve(server: Server, right: dict[int, str], number: int, seconds: float) -> Tally:
    """Ask as an ordinary visitor while `number` slow clients hold their connections."""
    tally, stop = Tally(), threading.Event()
    connections = drip(server, number, stop)
    end, seed = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        judge(tally, ask(server, seed), right[seed])
        seed = (seed + 1) % SEEDS
    stop.set()
    for connection in connections:
        connection.close()
    return tally


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


def run(server: Server, seconds: float, slow_clients: int, calibration_s: float = 10.0) -> tuple[list[str], list[str]]:
    """All of it; returns lines of figures and failures."""
    right = references(server)
    able = capacity(server, right, 4, calibration_s)
    tally, memory = press(server, right, 2 * able, seconds)
    back = recovery(server, right)
    settled, ended = memory[len(memory) // 5], memory[-1]
    starved = starve(server, right, slow_clients, max(3.0, seconds / 10))
    failures = [*tally.failures, *(f"beside slow clients: {failure}" for failure in starved.failures)]
    if not tally.counts["right"]:
        failures.append("under load nobody was answered")
    if back > RECOVERY_S:
        failures.append(f"recovery took {back:.1f} s")
    if ended - settled > GROWTH_MB:
        failures.append(f"memory grew from {settled:.0f} to {ended:.0f} MB")
    if starved.counts["right"] < sum(starved.counts.values()) or not starved.counts["right"]:
        failures.append(f"slow clients starved others: {dict(starved.counts)}")
    if not server.alive:
        failures.append("the server is gone")
    median = sorted(tally.latencies)[len(tally.latencies) // 2] if tally.latencies else float("nan")
    figures = [
        f"capacity {able:.1f} requests/s; sent {2 * able:.1f} requests/s for {seconds:.0f} s: {dict(tally.counts)}",
        f"median latency of those answered {median:.2f} s; first right answer after the load in {back:.2f} s",
        f"memory {settled:.0f} MB after a fifth of the run, {ended:.0f} MB at its end",
        f"beside {slow_clients} slow clients: {dict(starved.counts)}",
    ]
    return figures, failures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300, help="of load (%(default)g)")
    parser.add_argument("--slow-clients", type=int, default=400, metavar="N", help="(%(default)s)")
    parser.add_argument("--bundle", type=pathlib.Path, default="build/bundle", help="what is served (%(default)s)")
    parser.add_argument("--engine", choices=("torchscript", "onnx"), default="onnx", help="(%(default)s)")
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
