"""What a cold start of the packaged function takes: sizes, seconds, memory; one CPU, AWS's runtime client.

    python scripts/package.py --same-interpreter --engine torchscript
    python benchmarks/lambda_start.py torchscript build/bundle > benchmarks/lambda_start_torchscript.csv

Each round starts with an empty /tmp (first), then again with what that left (again). Before each first start, `import
torch` from the installed tree is timed, too (installed). Times are wall clock on one core; a busy machine shows.
"""

import base64
import csv
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests import drawings
from tests.e2e import lambda_runtime

ROUNDS = 5
_UNPACK = """
import ctypes, json, os, sys, time
sys.path.insert(0, sys.argv[1])
from handler import unpack
loading = []
load = ctypes.CDLL
ctypes.CDLL = lambda *a, **k: loading.append(time.perf_counter()) or load(*a, **k)
begun = time.perf_counter()
unpack.load_libraries()
ctypes.CDLL = load
loaded = time.perf_counter()
import torch
print(json.dumps([(loading or [begun])[0] - begun, time.perf_counter() - loaded]))
"""
_INSTALLED = "import time; begun = time.perf_counter(); import torch; print(time.perf_counter() - begun)"


def main() -> None:
    engine, bundle = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    folder = pathlib.Path(tempfile.mkdtemp())
    code, client = folder / "task", lambda_runtime.copy_client(folder / "client")
    with zipfile.ZipFile(ROOT / "build" / engine / "function.zip") as archive:
        archive.extractall(code)
    facts = json.loads((ROOT / "build" / engine / "function.json").read_text())
    names = ["engine", "round", "zip_mb", "unzipped_mb", "unpack_s", "import_s", "installed_import_s"]
    names += ["first_s", "again_s", "warm_ms", "tmp_mb", "peak_mb"]
    table = csv.DictWriter(sys.stdout, names)
    table.writeheader()
    for number in range(ROUNDS):
        row = {"engine": engine, "round": number}
        row |= {"zip_mb": facts["zip"] / 1e6, "unzipped_mb": facts["unzipped"] / 1e6}
        if engine == "torchscript":
            row |= unpacking(code)
        tmp = pathlib.Path(tempfile.mkdtemp())
        row["first_s"], *_ = start(code, client, tmp, engine, bundle)
        row["again_s"], row["warm_ms"], row["peak_mb"] = start(code, client, tmp, engine, bundle)
        row["tmp_mb"] = sum(path.stat().st_size for path in tmp.rglob("*") if path.is_file()) / 1e6
        table.writerow({name: round(value, 3) if isinstance(value, float) else value for name, value in row.items()})
        sys.stdout.flush()


def unpacking(code: pathlib.Path) -> dict[str, float]:
    """Unpacking and importing alone, beside the import of the installed torch."""
    alone = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1", "TMPDIR": tempfile.mkdtemp()}
    python = getattr(sys, "_base_executable", sys.executable)
    command = [python, "-S", "-c", _UNPACK, code]
    output = subprocess.run(command, check=True, capture_output=True, env=alone).stdout  # noqa: S603
    unpack, imported = json.loads(output)
    command = [sys.executable, "-c", _INSTALLED]
    output = subprocess.run(command, check=True, capture_output=True, env=alone).stdout  # noqa: S603
    return {"unpack_s": unpack, "import_s": imported, "installed_import_s": float(output)}


def start(
    code: pathlib.Path, client: pathlib.Path, tmp: pathlib.Path, engine: str, bundle: pathlib.Path
) -> tuple[float, float, float]:
    """Seconds from the process's start to its first answer, median milliseconds of later ones, peak memory in MB."""
    event = json.loads((ROOT / "tests" / "events" / "v1-reconstruct-raw.json").read_text())
    picture = io.BytesIO()
    drawings.car(1, 640, 480).save(picture, "JPEG")
    event |= {"body": base64.b64encode(picture.getvalue()).decode(), "isBase64Encoded": True}
    begun = time.perf_counter()
    with lambda_runtime.start(code, client, tmp, CARVAE_BUNDLE=str(bundle), CARVAE_ENGINE=engine) as (api, process):
        assert api.invoke(event)["statusCode"] == 200  # noqa: S101
        first = time.perf_counter() - begun
        later = []
        for _ in range(30):
            begun = time.perf_counter()
            api.invoke(event)
            later.append((time.perf_counter() - begun) * 1000)
        return first, sorted(later)[len(later) // 2], lambda_runtime.peak_memory(process) / 1e6


if __name__ == "__main__":
    main()
