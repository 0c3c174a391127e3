"""The Lambda function as one archive: what goes in, packed, checked against Lambda's limits, and written."""

import hashlib
import json
import pathlib
import platform
import sys
import tempfile
import typing as t

from handler.files import whole

from . import archive, collect, thin

ROOT = pathlib.Path(__file__).resolve().parent.parent

#: What Lambda runs functions with.
PYTHONS = ("3.12", "3.13", "3.14")
ARCHITECTURES = ("x86_64", "arm64")


def build(engine: str, python: str, architecture: str, same_interpreter: bool, out: pathlib.Path) -> None:
    """Build ``out/<engine>-<architecture>/function.zip`` unless it is up to date, and print its table."""
    if same_interpreter:
        python, architecture = f"{sys.version_info.major}.{sys.version_info.minor}", this_architecture()
    folder = out / f"{engine}-{architecture}"
    inputs = _digest(engine, python, architecture, same_interpreter)
    facts = read_facts(folder)
    if facts and facts["inputs"] == inputs:
        print(f"{folder / 'function.zip'}: up to date")
        return
    folder.mkdir(parents=True, exist_ok=True)
    if same_interpreter:
        files = collect.installed(engine)
    else:
        if engine == "torchscript":
            thin.find_strip(architecture)  # before minutes of downloads
        print(f"fetching wheels for Python {python} on {architecture}", flush=True)
        files = collect.fetched(engine, python, architecture, folder / "wheels")
    files = thin.without_unused(files) | collect.project()
    tmp = 0
    if engine == "torchscript":
        print("packing PyTorch's libraries", flush=True)
        files, tmp = thin.pack_libraries(files, ROOT / "build" / "libraries", architecture)
    with tempfile.TemporaryDirectory(dir=folder) as bytecode:
        compiler = archive.interpreter(python)
        if compiler:
            files = archive.with_bytecode(files, python, compiler, pathlib.Path(bytecode))
        else:
            print(
                f"package: no python{python} here, so no byte-code; a cold start takes one second longer",
                file=sys.stderr,
            )
        sizes = archive.table(files)
        total = sum(size for _, size in sizes)
        show(sizes, total, tmp)
        archive.check(sizes, tmp)
        target = folder / "function.zip"
        archive.write(files, target)
    written = {
        "engine": engine,
        "python": python,
        "architecture": architecture,
        "inputs": inputs,
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
        "zip": target.stat().st_size,
        "unzipped": total,
        "tmp": tmp,
    }
    with whole(folder / "function.json") as file:
        file.write(json.dumps(written, indent=2).encode() + b"\n")
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


def read_facts(folder: pathlib.Path) -> dict[str, t.Any] | None:
    """What ``function.json`` says of the archive beside it; None if either is missing or they don't belong together."""
    try:
        facts = t.cast(dict[str, t.Any], json.loads((folder / "function.json").read_text()))
        same = facts["sha256"] == hashlib.sha256((folder / "function.zip").read_bytes()).hexdigest()
    except (OSError, ValueError, KeyError):
        return None
    return facts if same and "inputs" in facts else None


def this_architecture() -> str:
    """What AWS calls the architecture of this machine."""
    return "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"


def _digest(engine: str, python: str, architecture: str, same_interpreter: bool) -> str:
    """Of all that the archive depends on."""
    made_by = [ROOT / "deploy" / f"{name}.py" for name in ("archive", "collect", "function", "thin")]
    pins = [*collect.requirements(engine, architecture), collect.lock(engine, architecture)]
    interpreter = sys.version if same_interpreter else ""
    digest = hashlib.sha256(json.dumps([engine, python, architecture, interpreter]).encode())
    for path in sorted([*collect.project().values(), *pins, *made_by]):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def show(sizes: list[tuple[str, int]], total: int, tmp: int) -> None:
    """Print what takes the room."""
    rest = sum(size for _, size in sizes[12:])
    rows = [*sizes[:12], ("all others", rest), ("unzipped", total), ("in /tmp", tmp)]
    for name, size in rows:
        print(f"{name:24}{size / 1e6:9.1f} MB")
    print(f"of Lambda's {archive.UNZIPPED_LIMIT / 1e6:.1f} MB unzipped and {archive.TMP_LIMIT / 1e6:.1f} MB of /tmp")
