"""Cold start: seconds from the start of the process to the first 200 from /reconstruct, on one core; and from /random.

    python benchmarks/cold_start.py

Each function runs under AWS's runtime client on read-only code with an empty /tmp, and takes turns with the others:
ours as packaged, its model fetched over TLS from a stand-in for S3; (a) the same app packaged as the originals were:
whole wheels in a deflated zip that Python unpacks into /tmp, the model fetched and loaded at the first call; (b) the
same app on the packages as pip installed them, the model on disk. The stand-in answers at once, and once more as late
as S3 may. The files are in the system's cache for all of them. Beside that, unpacking PyTorch's libraries against
importing torch as pip installed it.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import typing as t
from collections.abc import Sequence

from benchmarks.lib import command, figures, functions, machine, payload, plots
from benchmarks.lib.figures import Figure
from deploy import Failure
from deploy.emulated import lambda_runtime

ONNX, INT8, TORCHSCRIPT = "ONNX, packaged", "ONNX int8, packaged", "TorchScript, packaged"
ORIGINALS, INSTALLED = "(a) the originals' way", "(b) installed, model on disk"
RANDOM = "ONNX int8, first /random"
FAR = "ONNX int8, S3 answers after 0.1 s"
STARTS = (ONNX, INT8, TORCHSCRIPT, ORIGINALS, INSTALLED)
ROUNDS = 7

#: The lower bound of the latency that AWS states for S3 (docs/performance.md).
LATENCY_S = 0.1


def measure(bundle: pathlib.Path, quick: bool) -> Sequence[Figure]:
    """Start everything in turn."""
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        built = {
            ONNX: functions.ours("onnx", work / "onnx"),
            INT8: functions.ours("onnx-int8", work / "onnx-int8"),
            TORCHSCRIPT: functions.ours("torchscript", work / "torchscript"),
            ORIGINALS: functions.originals(work / "originals"),
            INSTALLED: functions.installed("torchscript", work / "installed"),
        }
        sizes = _sizes()
        unpacking = _unpacking(built[TORCHSCRIPT].code, 1 if quick else ROUNDS)
        client = lambda_runtime.copy_client(work / "client")
        reconstruct = payload.reconstruct_event(payload.photograph())
        with functions.s3(bundle) as near, functions.s3(bundle, LATENCY_S) as far:
            asked = {name: (function, reconstruct, near) for name, function in built.items()}
            asked[RANDOM] = (built[INT8], payload.random_event(1), near)
            asked[FAR] = (built[INT8], reconstruct, far)
            times: dict[str, list[float]] = {name: [] for name in asked}
            for number in range(1 if quick else ROUNDS + 1):
                for name, (function, event, bucket) in asked.items():
                    seconds = first_answer(function, client, bundle, bucket, event)
                    if quick or number:  # the first round brings the files into the system's cache
                        times[name].append(seconds)
                        print(f"{name}: {seconds:.2f} s", file=sys.stderr, flush=True)
    return [*sizes, *_figures(times), *unpacking]


def first_answer(
    function: functions.Function,
    client: pathlib.Path,
    bundle: pathlib.Path,
    bucket: functions.Bucket,
    event: dict[str, t.Any],
) -> float:
    """Seconds from the process's start to its first 200."""
    with (
        tempfile.TemporaryDirectory() as tmp,
        functions.start(function, client, pathlib.Path(tmp), bundle, bucket, machine.core()) as (api, _, begun),
    ):
        while api.invoke(event)["statusCode"] != 200:  # a gateway's client would ask again, too
            pass
        return time.perf_counter() - begun


_UNPACK = """
import json, time
from handler import unpack
index = json.loads((unpack.PACKED / "index.json").read_text())
begun = time.perf_counter()
unpack.unpack_libraries(unpack.PACKED, index)
print(time.perf_counter() - begun)
"""
_IMPORT = "import time; begun = time.perf_counter(); import torch; print(time.perf_counter() - begun)"


def _unpacking(code: pathlib.Path, rounds: int) -> list[Figure]:
    """Seconds to unpack the libraries of a function in `code`, and to import torch, in turn; the first is left out."""
    unpacked, imported = [], []
    for _ in range(rounds + 1):
        with tempfile.TemporaryDirectory() as tmp:
            here = {"PATH": os.environ["PATH"], "PYTHONPATH": str(code), "TMPDIR": tmp}
            unpacked.append(_seconds("-S", "-c", _UNPACK, environment=here))
        imported.append(_seconds("-c", _IMPORT, environment=dict(os.environ)))
    return [
        figures.median("unpacking PyTorch's libraries", unpacked[1:], "s"),
        figures.median("import torch, installed", imported[1:], "s"),
        figures.ratio("unpacking / import torch", unpacked[1:], imported[1:], "lower", 0.8),
    ]


def _seconds(*arguments: str, environment: dict[str, str]) -> float:
    pinned = f"import os, sys; os.sched_setaffinity(0, {{{machine.core()}}}); os.execv(sys.argv[1], sys.argv[1:])"
    line = [sys.executable, "-c", pinned, sys.executable, *arguments]
    result = subprocess.run(
        line,
        env=environment | machine.one_core(),
        capture_output=True,
        text=True,
        check=False,
        cwd=tempfile.gettempdir(),  # not here, where `handler` is the one of this tree
    )
    if result.returncode:
        raise Failure(f"{arguments[-1]!r} failed: {result.stderr.strip()[-300:]}")
    return float(result.stdout)


def _sizes() -> list[Figure]:
    rows = []
    for engine, name, targets in (("onnx", "ONNX", (60.0, 150.0)), ("torchscript", "TorchScript", (None, None))):
        facts = json.loads((functions.packaged(engine).with_name("function.json")).read_text())
        for key, target in zip(("zip", "unzipped"), targets, strict=True):
            rows.append(Figure(f"{name}, {key}", facts[key] / 1e6, "MB", better="lower", target=target))
    return rows


def _figures(times: dict[str, list[float]]) -> list[Figure]:
    onnx, int8, torchscript, originals, installed = (times[name] for name in STARTS)
    return [
        figures.median(ONNX, onnx, "s", "lower", 0.6),
        figures.median(INT8, int8, "s", "lower", 0.4),
        *(figures.median(name, times[name], "s") for name in (TORCHSCRIPT, ORIGINALS, INSTALLED, RANDOM, FAR)),
        figures.ratio("ONNX int8 / ONNX", int8, onnx, "lower"),
        figures.ratio("ONNX int8, /random / /reconstruct", times[RANDOM], int8, "lower", 0.7),
        figures.ratio("ONNX int8, S3 after 0.1 s / at once", times[FAR], int8, "lower"),
        figures.ratio("ONNX / (a)", onnx, originals, "lower", 0.1),
        figures.ratio("TorchScript / (a)", torchscript, originals, "lower", 0.35),
        figures.ratio("TorchScript / (b)", torchscript, installed, "lower", 1.4),
    ]


def draw(measured: Sequence[Figure], path: pathlib.Path) -> None:
    """Bars of the seconds."""
    values = {figure.name: figure.value for figure in measured if figure.name in STARTS}
    plots.bars(values, (ONNX, INT8, TORCHSCRIPT), "Cold start to the first reconstruction, one core", "seconds", path)


if __name__ == "__main__":
    sys.exit(command.main("cold_start", __doc__, measure, draw))
