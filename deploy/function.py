"""The Lambda function as one archive: what goes in, packed, checked against Lambda's limits, and written."""

import hashlib
import json
import pathlib
import sys
import tempfile

from handler.files import whole

from . import archive, collect, thin

ROOT = pathlib.Path(__file__).resolve().parent.parent


def build(engine: str, python: str, same_interpreter: bool, out: pathlib.Path) -> None:
    """Build ``out/<engine>/function.zip`` and print its table."""
    folder = out / engine
    folder.mkdir(parents=True, exist_ok=True)
    if same_interpreter:
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        files = collect.installed(engine)
    else:
        if engine == "torchscript":
            thin.find_strip()  # before minutes of downloads
        print(f"fetching wheels for Python {python}", flush=True)
        files = collect.fetched(engine, python, folder / "wheels")
    files = thin.without_unused(files) | collect.project()
    tmp = 0
    if engine == "torchscript":
        print("packing PyTorch's libraries", flush=True)
        files, tmp = thin.pack_libraries(files, ROOT / "build" / "libraries")
    with tempfile.TemporaryDirectory(dir=folder) as bytecode:
        compiler = archive.interpreter(python)
        if compiler:
            files = archive.with_bytecode(files, python, compiler, pathlib.Path(bytecode))
        else:
            print(
                f"package: no python{python} here, so no byte-code: a cold start takes a second more", file=sys.stderr
            )
        sizes = archive.table(files)
        total = sum(size for _, size in sizes)
        show(sizes, total, tmp)
        archive.check(sizes, tmp)
        target = folder / "function.zip"
        archive.write(files, target)
    facts = {
        "engine": engine,
        "python": python,
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
        "zip": target.stat().st_size,
        "unzipped": total,
        "tmp": tmp,
    }
    with whole(folder / "function.json") as file:
        file.write(json.dumps(facts, indent=2).encode() + b"\n")
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


def show(sizes: list[tuple[str, int]], total: int, tmp: int) -> None:
    """Print what takes the room."""
    rest = sum(size for _, size in sizes[12:])
    rows = [*sizes[:12], ("all others", rest), ("unzipped", total), ("in /tmp", tmp)]
    for name, size in rows:
        print(f"{name:24}{size / 1e6:9.1f} MB")
    print(f"of Lambda's {archive.UNZIPPED_LIMIT / 1e6:.1f} MB unzipped and {archive.TMP_LIMIT / 1e6:.1f} MB of /tmp")
