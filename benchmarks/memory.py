"""Memory of the packaged function: its peak, and what it holds after 4,000 requests.

    python benchmarks/memory.py

Each engine's function runs under AWS's runtime client beside the others, on one core, and answers a mix of every kind
of request with pictures of several sizes. Resident memory is read from the kernel on the way; growth is from the
1,000th request, when everything has been used, to the last.
"""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import typing as t
from collections.abc import Sequence

from benchmarks.lib import command, figures, functions, payload, plots
from benchmarks.lib.figures import Figure
from deploy import Failure
from deploy.emulated import lambda_runtime

ENGINES = {"onnx": "ONNX", "onnx-int8": "ONNX int8", "torchscript": "TorchScript"}
REQUESTS, WARM = 4_000, 1_000
SAMPLES = 40

Samples: t.TypeAlias = dict[int, float]


def measure(bundle: pathlib.Path, quick: bool) -> Sequence[Figure]:
    """Ask every function and watch their memory."""
    requests, warm = (40, 20) if quick else (REQUESTS, WARM)
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder, functions.s3(bundle) as bucket:
        work = pathlib.Path(folder)
        client = lambda_runtime.copy_client(work / "client")
        with concurrent.futures.ThreadPoolExecutor(len(ENGINES)) as pool:
            running = {}
            for number, engine in enumerate(ENGINES):
                function, tmp = functions.ours(engine, work / engine), work / f"tmp-{engine}"
                tmp.mkdir()
                core = cores[number % len(cores)]
                running[engine] = pool.submit(watch, function, client, tmp, bundle, bucket, core, requests)
            results = {engine: job.result() for engine, job in running.items()}
    rows = []
    for engine, name in ENGINES.items():
        samples, peak = results[engine]
        rows += [Figure(f"{name}, after {number} requests", mb, "MB") for number, mb in samples.items()]
        rows.append(Figure(f"{name}, peak", peak, "MB"))
        rows.append(growth(name, samples, warm))
    return rows


def growth(name: str, samples: Samples, warm: int) -> Figure:
    """Memory at the end over memory at request `warm`; one part in fifty is the kernel's own wavering."""
    return figures.ratio(f"{name}, end / warm", [samples[max(samples)]], [samples[warm]], "lower", 1.02)


def watch(
    function: functions.Function,
    client: pathlib.Path,
    tmp: pathlib.Path,
    bundle: pathlib.Path,
    bucket: functions.Bucket,
    core: int,
    requests: int,
) -> tuple[Samples, float]:
    asked = events()
    samples: Samples = {}
    with functions.start(function, client, tmp, bundle, bucket, core) as (api, process, _):
        for number in range(requests + 1):
            if number % (requests // SAMPLES or 1) == 0:
                samples[number] = resident(process, "VmRSS")
            answer = api.invoke(asked[number % len(asked)])
            if answer["statusCode"] != 200:
                raise Failure(f"request {number}: status {answer['statusCode']}: {answer['body'][:200]}")
        return samples, resident(process, "VmHWM")


def events() -> list[dict[str, t.Any]]:
    """Requests of every kind; the photographs differ in size, as visitors' do."""
    sizes = ((640, 480), (320, 200), (1600, 1200), (200, 320))
    uploads = [payload.reconstruct_event(payload.photograph(*size, seed=seed)) for seed, size in enumerate(sizes)]
    drawn = [payload.random_event(count, form) for count in (1, 2, 4) for form in ("image/png", "application/json")]
    return uploads + drawn


def resident(process: "subprocess.Popen[str]", field: str) -> float:
    """A field of the kernel's account of a process, in MB."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    found = re.search(rf"{field}:\s*(\d+) kB", status)
    if not found:
        raise Failure(f"process {process.pid} has no {field}")
    return int(found[1]) * 1024 / 1e6


def series(measured: Sequence[Figure]) -> dict[str, dict[float, float]]:
    """MB by number of requests, of each engine."""
    found: dict[str, dict[float, float]] = {name: {} for name in ENGINES.values()}
    for figure in measured:
        place = re.fullmatch(r"(.+), after (\d+) requests", figure.name)
        if place:
            found[place[1]][float(place[2])] = figure.value
    return found


def draw(measured: Sequence[Figure], path: pathlib.Path) -> None:
    """Memory over requests."""
    plots.lines(series(measured), "Resident memory of the packaged function", ("requests", "MB"), path)


if __name__ == "__main__":
    sys.exit(command.main("memory", __doc__, measure, draw))
