"""Warm latency of every route in process, on one core, beside the bare engine, the image codec and a matrix product.

    python benchmarks/warm_latency.py

Each engine runs in processes of its own that take turns; inside one, every route and the bare pieces take turns.
Percentiles are of wall-clock times, ratios of CPU times. "Bare engine and codec" is what any server of this model has
to do to turn a JPEG into the PNG of its reconstruction. The rate of decoding is that of the decoder's layers with
weights, beside numpy's single-precision matrix product in the same process.
"""

import collections
import json
import os
import pathlib
import statistics
import subprocess
import sys
import typing as t
from collections.abc import Sequence

from benchmarks.lib import command, figures, gflop, machine, plots
from benchmarks.lib.figures import Figure
from deploy import Failure

ROOT = pathlib.Path(__file__).resolve().parent.parent

ENGINES = {"onnx": "ONNX", "onnx-int8": "ONNX int8", "torchscript": "TorchScript"}
ROUNDS, REPEATS = 5, 20


def measure(bundle: pathlib.Path, quick: bool) -> Sequence[Figure]:
    """Run the engines' processes in turn."""
    work = gflop.count(bundle / "decoder.onnx")
    results: dict[str, list[t.Any]] = {engine: [] for engine in ENGINES}
    for number in range(1 if quick else ROUNDS):
        for engine in ENGINES:
            print(f"round {number + 1}: {engine}", file=sys.stderr, flush=True)
            results[engine].append(_child(engine, bundle, 1 if quick else REPEATS))
    rows: list[Figure] = []
    for engine, name in ENGINES.items():
        rows += _percentiles(name, results[engine])
        cpu = [{call: statistics.median(values) for call, values in each["cpu"].items()} for each in results[engine]]
        reconstruct, bare, decode = (
            [medians[call] for medians in cpu] for call in ("POST /reconstruct", "bare engine and codec", "bare decode")
        )
        limit = [statistics.median(each["gemm"]) for each in results[engine]]
        rate = [work / (ms / 1000) for ms in decode]
        rows += [
            figures.median(f"{name}, matrix product", limit, "GFLOP/s"),
            figures.median(f"{name}, decode", rate, "GFLOP/s"),
            figures.ratio(f"{name}, /reconstruct / bare engine and codec", reconstruct, bare, "lower", 1.25),
            figures.ratio(f"{name}, decode / matrix product", rate, limit, "higher", 0.8 if engine == "onnx" else None),
        ]
    rows.append(Figure("decoder", work, "GFLOP"))
    return rows


def _percentiles(name: str, results: Sequence[t.Any]) -> list[Figure]:
    wall: dict[str, list[float]] = collections.defaultdict(list)
    for each in results:
        for call, values in each["wall"].items():
            wall[call] += values
    return [
        Figure(f"{name}, {call}, p{share}", figures.percentile(values, share / 100), "ms", repeats=len(values))
        for call, values in wall.items()
        for share in (50, 95, 99)
    ]


def _child(engine: str, bundle: pathlib.Path, repeats: int) -> t.Any:
    child = ROOT / "benchmarks" / "lib" / "warm_child.py"
    line = [sys.executable, str(child), engine, str(bundle), str(repeats)]
    result = subprocess.run(line, check=False, capture_output=True, text=True, env=os.environ | machine.one_core())
    if result.returncode:
        raise Failure(f"{engine} failed: {result.stderr.strip()}")
    return json.loads(result.stdout)


def draw(measured: Sequence[Figure], path: pathlib.Path) -> None:
    """Bars of the medians with ONNX, and what they are beside."""
    start, end = "ONNX, ", ", p50"
    values = {
        figure.name.removeprefix(start).removesuffix(end): figure.value
        for figure in measured
        if figure.name.startswith(start) and figure.name.endswith(end)
    }
    ours = [name for name in values if not name.startswith("bare")]
    plots.bars(values, ours, "Median of every route with ONNX, one core", "ms", path)


if __name__ == "__main__":
    sys.exit(command.main("warm_latency", __doc__, measure, draw))
