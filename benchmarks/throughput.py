"""Requests per second over HTTP on two cores, at 1, 8 and 32 clients: ours beside LitServe, BentoML and plain Flask.

    python benchmarks/throughput.py

Each client sends a form with a JPEG of 640 x 480 to /reconstruct, waits for the PNG, and sends the next. Ours is
scripts/serve.py with each engine, with one process and with two. The others serve the same TorchScript files with the
same image codec from an environment of their own (build/peers, which `make bench` makes of
benchmarks/requirements-peers.txt): LitServe and BentoML with one worker of two threads, their default, and with two
workers of one thread; Flask's own server with the originals' handler in its plain form. Of two setups the better one
counts. A client that is told to come later does so after 50 ms; only pictures count. The clients share the two cores
with the server. Servers take turns, and only one runs at a time: an idle one may keep a core busy.
"""

import contextlib
import dataclasses
import http.client
import json
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence

from benchmarks.lib import command, figures, payload, plots
from benchmarks.lib.figures import Figure
from deploy import Failure

ROOT = pathlib.Path(__file__).resolve().parent.parent

CLIENTS = (1, 8, 32)
ROUNDS, SECONDS = 4, 2.5
PEERS = ROOT / "build" / "peers" / "bin"
BENTOML = (str(PEERS / "bentoml"), "serve", "benchmarks.peers.bentoml_server:Cars", "--host", "127.0.0.1", "--port")
LITSERVE = (str(PEERS / "python"), "benchmarks/peers/litserve_server.py")
OURS = (sys.executable, "scripts/serve.py", "--port")
TWO = (sys.executable, "scripts/serve.py", "--processes", "2", "--port")


@dataclasses.dataclass(frozen=True)
class Server:
    """A server's command, to which the port is added where it ends in ``--port``, and its environment."""

    command: tuple[str, ...]
    environment: dict[str, str]


ENGINES = {"ONNX": "onnx", "ONNX int8": "onnx-int8", "TorchScript": "torchscript"}

#: At 8 clients, of the best peer.
TARGETS = {"TorchScript": 1.5, "ONNX": 2.5, "ONNX int8": 1.8}

SERVERS = {
    **{f"ours, {name}, 1 process": Server(OURS, {"CARVAE_ENGINE": engine}) for name, engine in ENGINES.items()},
    **{f"ours, {name}, 2 processes": Server(TWO, {"CARVAE_ENGINE": engine}) for name, engine in ENGINES.items()},
    "LitServe, 1 worker": Server(LITSERVE, {"WORKERS": "1", "OMP_NUM_THREADS": "2"}),
    "LitServe, 2 workers": Server(LITSERVE, {"WORKERS": "2"}),
    "BentoML, 1 worker": Server(BENTOML, {"WORKERS": "1", "OMP_NUM_THREADS": "2"}),
    "BentoML, 2 workers": Server(BENTOML, {"WORKERS": "2"}),
    "Flask, plain": Server((str(PEERS / "python"), "benchmarks/peers/plain_flask.py"), {}),
}


def measure(bundle: pathlib.Path, quick: bool) -> Sequence[Figure]:
    """Measure every server in turn, some rounds long."""
    if not (PEERS / "bentoml").exists():
        raise Failure("build/peers is missing; make build/peers.stamp installs what is compared with")
    two = set(sorted(os.sched_getaffinity(0))[:2])
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, two)  # the servers inherit it
    rates: dict[tuple[str, int], list[float]] = {(name, clients): [] for name in SERVERS for clients in CLIENTS}
    try:
        for _ in range(1 if quick else ROUNDS):
            for name, server in SERVERS.items():
                with running(server, bundle) as port:
                    for clients in CLIENTS:
                        rate = load(port, clients, 1.5 if quick else SECONDS)
                        rates[name, clients].append(rate)
                        print(f"{name}, {clients} clients: {rate:.1f} /s", file=sys.stderr, flush=True)
    finally:
        os.sched_setaffinity(0, before)
    return _figures(rates)


@contextlib.contextmanager
def running(server: Server, bundle: pathlib.Path) -> Iterator[int]:
    """Start a server and wait until it answers; its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    size = json.loads((bundle / "manifest.json").read_text())["image_size"]
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment = kept | {"CARVAE_BUNDLE": str(bundle), "IMAGE_SIZE": str(size), "OMP_NUM_THREADS": "1"}
    environment |= {"PORT": str(port), "PYTHONPATH": str(ROOT), "BENTOML_DO_NOT_TRACK": "True"} | server.environment
    line = [*server.command, *([str(port)] if server.command[-1] == "--port" else [])]
    process = subprocess.Popen(
        line, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        _wait(port, process)
        yield port
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 120
    while True:
        try:
            if not ask(http.client.HTTPConnection("127.0.0.1", port, timeout=30), FORM):
                raise Failure("it has no model yet")
        except (OSError, http.client.HTTPException, Failure) as error:
            if process.poll() is not None or time.monotonic() > until:
                raise Failure(f"{process.args!r} doesn't serve: {error!r}") from None
            time.sleep(0.2)
        else:
            break
    for _ in range(20):  # until every worker has compiled what it saw
        ask(http.client.HTTPConnection("127.0.0.1", port, timeout=30), FORM)


FORM = payload.form(payload.photograph())


def ask(connection: http.client.HTTPConnection, form: bytes) -> bool:
    """One request; whether it was answered with a PNG. Being told to come later is no failure, anything else is."""
    headers = {"Content-Type": payload.FORM_TYPE, "Accept": "image/png"}
    connection.request("POST", "/reconstruct", form, headers)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status == 503 and "Retry-After" in answer.headers:
        return False
    if answer.status != 200 or not body.startswith(b"\x89PNG"):
        raise Failure(f"status {answer.status}: {body[:200]!r}")
    return True


def load(port: int, clients: int, seconds: float) -> float:
    """Answers per second to clients that each wait for their last answer; a fifth of the time is to settle."""
    done: list[float] = []
    failures: list[BaseException] = []
    begun = time.perf_counter()
    end = begun + seconds * 1.2

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            while time.perf_counter() < end:
                if ask(connection, FORM):
                    done.append(time.perf_counter())
                else:
                    time.sleep(0.05)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise Failure(f"a client failed: {failures[0]!r}")
    return rate(done, begun + seconds * 0.2, end)


def rate(done: Sequence[float], begun: float, end: float) -> float:
    """Answers per second between two times."""
    return sum(begun <= when < end for when in done) / (end - begun)


def _figures(rates: dict[tuple[str, int], list[float]]) -> list[Figure]:
    rows = [figures.median(f"{name}, {clients} clients", values, "/s") for (name, clients), values in rates.items()]
    peers = [name for name in SERVERS if name.startswith(("LitServe", "BentoML"))]
    of_one_worker = [name for name in peers if name.endswith("1 worker")]
    for clients in CLIENTS:
        single = {engine: rates[f"ours, {engine}, 1 process", clients] for engine in ENGINES}
        double = {engine: rates[f"ours, {engine}, 2 processes", clients] for engine in ENGINES}
        ours = {engine: _better(single[engine], double[engine]) for engine in ENGINES}
        best = _better(*(rates[name, clients] for name in peers))
        best_of_one = _better(*(rates[name, clients] for name in of_one_worker))
        flask = rates["Flask, plain", clients]
        for engine, target in TARGETS.items():
            for other, mine, theirs, goal in (
                ("best peer", ours[engine], best, target if clients == 8 else None),
                ("best peer of one worker", single[engine], best_of_one, None),
                ("plain Flask", ours[engine], flask, None),
            ):
                rows.append(figures.ratio(f"{engine} / {other}, {clients} clients", mine, theirs, "higher", goal))
            title = f"{engine}, 2 processes / 1 process, {clients} clients"
            rows.append(figures.ratio(title, double[engine], single[engine], "higher"))
        goal = 1.4 if clients == 8 else None
        title = f"ONNX int8 / ONNX, {clients} clients"
        rows.append(figures.ratio(title, ours["ONNX int8"], ours["ONNX"], "higher", goal))
    return rows


def _better(*rates: list[float]) -> list[float]:
    """The one with the higher median."""
    return max(rates, key=statistics.median)


def draw(measured: Sequence[Figure], path: pathlib.Path) -> None:
    """Bars at eight clients."""
    values = {figure.name: figure.value for figure in measured if figure.unit == "/s"}
    eight = {name: values[f"{name}, 8 clients"] for name in SERVERS}
    ours = [name for name in SERVERS if name.startswith("ours")]
    plots.bars(eight, ours, "/reconstruct over HTTP, two cores, 8 clients", "requests per second", path)


if __name__ == "__main__":
    sys.exit(command.main("throughput", __doc__, measure, draw))
