"""Requests per second over HTTP on two cores, at 1, 8 and 32 clients: ours beside LitServe, BentoML and plain Flask.

    python benchmarks/throughput.py

Each client sends a form with a JPEG of 640 x 480 to /reconstruct, waits for the PNG, and sends the next. Ours is
scripts/serve.py with each engine. The others serve the same TorchScript files with the same image codec from an
environment of their own (build/peers, which `make bench` makes of benchmarks/requirements-peers.txt): LitServe and
BentoML with one worker of two threads, their default, and with two workers of one thread; Flask's own server with the
originals' handler in its plain form. A client that is told to come later does so after 50 ms; only pictures count. The
clients share the two cores with the server. Servers take turns, and only one runs at a time: an idle one may keep a
core busy.
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


@dataclasses.dataclass(frozen=True)
class Server:
    """A server's command, to which the port is added where it ends in ``--port``, and its environment."""

    command: tuple[str, ...]
    environment: dict[str, str]


SERVERS = {
    "ours, ONNX": Server(OURS, {"CARVAE_ENGINE": "onnx"}),
    "ours, ONNX int8": Server(OURS, {"CARVAE_ENGINE": "onnx-int8"}),
    "ours, TorchScript": Server(OURS, {"CARVAE_ENGINE": "torchscript"}),
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
    default = [name for name in peers if name.endswith("1 worker")]
    for clients in CLIENTS:
        best, best_default = (
            max(names, key=lambda name: statistics.median(rates[name, clients])) for names in (peers, default)
        )
        others = {"best peer": best, "best peer of one worker": best_default, "plain Flask": "Flask, plain"}
        for engine, target in (("TorchScript", 1.5), ("ONNX", 2.5), ("ONNX int8", 1.8)):
            ours = rates[f"ours, {engine}", clients]
            for other, name in others.items():
                goal = target if clients == 8 and other == "best peer" else None
                title = f"{engine} / {other}, {clients} clients"
                rows.append(figures.ratio(title, ours, rates[name, clients], "higher", goal))
        int8, onnx = (rates[f"ours, {name}", clients] for name in ("ONNX int8", "ONNX"))
        goal = 1.4 if clients == 8 else None
        rows.append(figures.ratio(f"ONNX int8 / ONNX, {clients} clients", int8, onnx, "higher", goal))
    return rows


def draw(measured: Sequence[Figure], path: pathlib.Path) -> None:
    """Bars at eight clients."""
    values = {figure.name: figure.value for figure in measured if figure.unit == "/s"}
    eight = {name: values[f"{name}, 8 clients"] for name in SERVERS}
    ours = [name for name in SERVERS if name.startswith("ours")]
    plots.bars(eight, ours, "/reconstruct over HTTP, two cores, 8 clients", "requests per second", path)


if __name__ == "__main__":
    sys.exit(command.main("throughput", __doc__, measure, draw))
