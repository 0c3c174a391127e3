"""Which files a function is made of: this project's, and those of the packages that it requires."""

import pathlib
import re
import shutil
import subprocess
import sys
import typing as t

from . import Failure

ROOT = pathlib.Path(__file__).resolve().parent.parent
#: Wheel platforms that Lambda can load: its Python 3.12 and later run on glibc 2.34.
GLIBC = ("manylinux_2_34", "manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")
#: Lambda's architectures by the names that wheels have for them.
MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
#: What torch requires for its compiler, and ONNX Runtime for its tools; loaded nowhere else.
UNUSED = frozenset({"filelock", "flatbuffers", "fsspec", "mpmath", "networkx", "protobuf", "setuptools", "sympy"})

Files: t.TypeAlias = dict[str, pathlib.Path]


def requirements(engine: str, architecture: str) -> list[pathlib.Path]:
    """The requirement files of a function with `engine` for Lambda's `architecture`."""
    return [ROOT / "handler" / "requirements.txt", ROOT / "handler" / f"requirements-{_kind(engine, architecture)}.txt"]


def lock(engine: str, architecture: str) -> pathlib.Path:
    """The lock file of such a function: every package with its hashes, but for PyTorch's x86 build."""
    return ROOT / "deploy" / f"requirements-{_kind(engine, architecture)}.lock"


def _kind(engine: str, architecture: str) -> str:
    """What the files of a function are named by: engines of the same packages share them."""
    engine = engine.removesuffix("-int8")
    # One release of ONNX Runtime has wheels for both. No CPU build of PyTorch on the default index has.
    return f"{engine}-arm64" if (engine, architecture) == ("torchscript", "arm64") else engine


def project() -> Files:
    """The serving side, by its path in the function."""
    paths = [*sorted((ROOT / "handler").glob("*.py")), ROOT / "static" / "openapi.json"]
    return {path.relative_to(ROOT).as_posix(): path for path in paths}


def installed(engine: str) -> Files:
    """The packages as they are installed for the running interpreter.

    Raises
    ------
    Failure
        If one is not installed, or in another version than the requirements pin.
    """
    import importlib.metadata

    from packaging.requirements import Requirement

    files: Files = {}
    seen: set[str] = set()
    # The x86 list on any machine, because the tests install that PyTorch everywhere.
    lines = [line for path in requirements(engine, "x86_64") for line in path.read_text().splitlines()]
    queue = [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]
    while queue:
        wanted = queue.pop()
        name = _plain(wanted.name)
        if name in seen or name in UNUSED or not (wanted.marker is None or wanted.marker.evaluate({"extra": ""})):
            continue
        seen.add(name)
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            raise Failure(f"{wanted}: not installed for {sys.executable}; run make .venv/dev.stamp") from None
        if not wanted.specifier.contains(found.version.partition("+")[0]):
            raise Failure(f"{wanted}: {found.version} is installed for {sys.executable}; run make .venv/dev.stamp")
        for file in found.files or []:
            path = file.as_posix()
            if not path.startswith("../") and "__pycache__" not in path:
                files[path] = pathlib.Path(str(found.locate_file(file)))
        queue += [Requirement(line) for line in found.requires or []]
    return files


def fetched(engine: str, python: str, architecture: str, folder: pathlib.Path) -> Files:
    """The packages as pip gets them for Python `python` on Lambda; `folder` is emptied and used for them.

    Raises
    ------
    Failure
        If pip is offered no such wheel, or one that is not what the lock file says.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    target = (engine, python, architecture)
    _pip(target, folder, "--require-hashes", "-r", str(lock(engine, architecture)))
    if (engine, architecture) == ("torchscript", "x86_64"):
        # The default index offers CUDA builds of several GB under the same number; only a CPU build has this label.
        lines = requirements(engine, architecture)[1].read_text().splitlines()
        _pip(target, folder, next(line for line in lines if line.startswith("torch==")) + "+cpu")
    paths = sorted(path for path in (folder / "site").rglob("*") if path.is_file())
    files = {path.relative_to(folder / "site").as_posix(): path for path in paths}
    # Without the console scripts that --target puts there; packages keep their own bin folders.
    return {path: file for path, file in files.items() if not path.startswith("bin/")}


def _pip(target: tuple[str, str, str], folder: pathlib.Path, *what: str) -> None:
    """Install wheels for Lambda, without dependencies: the lock file names every wheel that is needed."""
    _, python, architecture = target
    platforms = [f"--platform={glibc}_{MACHINES[architecture]}" for glibc in GLIBC]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--target", str(folder / "site"), "--no-deps", "--only-binary=:all:", "--python-version", python]
    command += ["--implementation", "cp", *platforms, *what]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    if result.returncode:
        errors = [line for line in result.stderr.splitlines() if line.startswith("ERROR: ")]
        reason = "\n".join(line.removeprefix("ERROR: ")[:300] for line in errors) or result.stderr.strip()[-600:]
        if "DO NOT MATCH THE HASHES" in result.stderr:
            raise Failure(
                f"pip was offered a package other than the one in the lock file:\n{result.stderr.strip()[-600:]}"
            )
        raise Failure(f"pip found no wheels for Python {python} on {architecture} Linux:\n{reason}\n{_advice(*target)}")


def _advice(engine: str, python: str, architecture: str) -> str:
    if (engine, architecture) != ("torchscript", "x86_64"):
        return "Choose another --python, or give pip an index that has them (PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS)."
    return (
        f"TorchScript needs PyTorch's CPU build for Python {python} on {architecture}. Give pip the index that "
        "pytorch.org\nnames for CPU builds (PIP_EXTRA_INDEX_URL) or a folder with the wheel (PIP_FIND_LINKS), or "
        "choose --engine onnx."
    )


def _plain(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()
