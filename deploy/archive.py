"""A function's archive: byte-code, limits, a table of what takes the room, and bytes that depend on content only."""

import collections
import json
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

from handler.files import whole

from . import Failure
from .collect import Files

UNZIPPED_LIMIT = 250 * 1024**2
TMP_LIMIT = 512 * 1024**2
#: Of /tmp, for the model's cached files.
TMP_FOR_MODEL = 100 * 1024**2

_COMPILE = """
import json, os, py_compile, sys
for source, target, shown in json.load(sys.stdin):
    os.makedirs(os.path.dirname(target), exist_ok=True)
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(source, target, shown, doraise=True, invalidation_mode=mode)
"""


def interpreter(python: str) -> str | None:
    """An interpreter of version `python` ("3.13"), for its byte-code; None if this machine has none."""
    code = f"import sys; sys.exit(sys.version_info[:2] != {tuple(map(int, python.split('.')))})"
    for candidate in (sys.executable, shutil.which(f"python{python}")):
        if candidate and subprocess.run([candidate, "-c", code], check=False, capture_output=True).returncode == 0:
            return candidate
    return None


def with_bytecode(files: Files, python: str, compiler: str, folder: pathlib.Path) -> Files:
    """Add byte-code for every Python file, without which a cold start compiles them; `folder` is used for it.

    Raises
    ------
    Failure
        If a file doesn't compile.
    """
    tag = f"cpython-{python.replace('.', '')}"
    compiled: Files = {}
    jobs = []
    for path, file in sorted(files.items()):
        if path.endswith(".py"):
            target = pathlib.PurePosixPath(path)
            target = target.parent / "__pycache__" / f"{target.stem}.{tag}.pyc"
            compiled[target.as_posix()] = folder / target
            jobs.append((str(file), str(folder / target), f"/var/task/{path}"))
    # Hash randomization would order the sets inside the byte-code anew each time.
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONHASHSEED": "0"}
    workers = os.cpu_count() or 1
    shares = [jobs[start::workers] for start in range(workers)]
    running = []
    for share in shares:
        process = subprocess.Popen(
            [compiler, "-I", "-c", _COMPILE],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert process.stdin  # noqa: S101 - for the type checker
        process.stdin.write(json.dumps(share))
        process.stdin.close()
        running.append(process)
    for process in running:
        assert process.stderr  # noqa: S101
        complaint = process.stderr.read()
        process.stderr.close()
        if process.wait():
            raise Failure(f"{compiler} can't compile a file: {complaint.strip().splitlines()[-1]}")
    return files | compiled


def write(files: Files, target: pathlib.Path) -> None:
    """Zip `files`; the same content makes the same bytes, whenever and in whatever order it was put together."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole(target) as written, zipfile.ZipFile(written, "w") as archive:
        for path, file in sorted(files.items()):
            entry = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            runs = path.startswith("torch/bin/")
            entry.external_attr = (0o100755 if runs else 0o100644) << 16
            # Compressing them again would make them no smaller, and slower to extract.
            entry.compress_type = zipfile.ZIP_STORED if path.endswith(".zst") else zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())


def table(files: Files) -> list[tuple[str, int]]:
    """Bytes per top-level package, with its libraries, largest first."""
    sizes: collections.Counter[str] = collections.Counter()
    for path, file in files.items():
        top = path.partition("/")[0]
        sizes["licences and metadata" if top.endswith(".dist-info") else top.removesuffix(".libs")] += (
            file.stat().st_size
        )
    return sizes.most_common()


def check(sizes: list[tuple[str, int]], tmp: int) -> None:
    """Refuse what Lambda would refuse.

    Raises
    ------
    Failure
        If the function is too large unzipped, or its libraries in /tmp; what is largest is named.
    """
    total = sum(size for _, size in sizes)
    if total > UNZIPPED_LIMIT:
        largest = ", ".join(f"{name} ({size / 1e6:.1f} MB)" for name, size in sizes[:4])
        raise Failure(
            f"{total / 1e6:.1f} MB unzipped; Lambda's limit is {UNZIPPED_LIMIT / 1e6:.1f} MB. Drop part of {largest} "
            "(deploy/thin.py), or choose --engine onnx"
        )
    if tmp > TMP_LIMIT - TMP_FOR_MODEL:
        raise Failure(
            f"the libraries take {tmp / 1e6:.1f} MB of /tmp; {(TMP_LIMIT - TMP_FOR_MODEL) / 1e6:.1f} MB are there for "
            "them. Raise ephemeralStorageSize in serverless.yml and TMP_LIMIT with it, or choose --engine onnx"
        )
