"""The machine that figures come from, without its name, and its cores."""

import importlib.metadata
import os
import pathlib
import platform
import re
import typing as t

PACKAGES = ("torch", "onnxruntime", "numpy", "pillow", "flask", "waitress", "awslambdaric", "litserve", "bentoml")


def describe() -> dict[str, t.Any]:
    """CPU, cores, memory, system, Python and the versions of what is measured."""
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*:\s*(.+)", cpuinfo)
    family = re.search(r"cpu family\s*:\s*(.+)\nmodel\s*:\s*(.+)", cpuinfo)
    memory = re.search(r"MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text())
    return {
        "cpu": model[1] if model else platform.machine(),
        "family_model": f"{family[1]}/{family[2]}" if family else "",
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(int(memory[1]) / 1e6) if memory else 0,
        "system": platform.system(),
        "python": platform.python_version(),
        "load_at_start": round(os.getloadavg()[0], 1),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
    }


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
    peers = pathlib.Path(__file__).parents[1] / "requirements-peers.txt"
    pinned = re.search(rf"^{name}==(\S+)", peers.read_text(), re.MULTILINE)
    return pinned[1] if pinned else None


def core() -> int:
    """The core that single-core figures are measured on: the last one, as systems start on the first."""
    return max(os.sched_getaffinity(0))


def one_core() -> dict[str, str]:
    """Environment for a child of one core: every library that has threads gets one."""
    return dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
