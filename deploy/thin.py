"""What is left out of a function, and how PyTorch's libraries get under Lambda's limit."""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import typing as t

from handler import zstd
from handler.files import whole

from . import Failure
from .collect import Files

#: Paths that serving does not need, as `import torch` and the tests of the packaged function show.
LEFT_OUT = re.compile(
    r"""
    torch/(include|share|test|_inductor|onnx)/ | torch/bin/(?!torch_shm_manager$)
    | torch/_dynamo/(?!__init__) | torch/_export/(?!__init__|utils|wrappers|verifier|pass_infra|non_strict|passes)/
    | torch/testing/_internal/(?!__init__\.py|common_dtype\.py|logging_tensor\.py)
    | torch/distributed/(fsdp|tensor|checkpoint|elastic|pipelining|_shard|optim|benchmarks|launcher|_tools)/
    | torch/utils/(benchmark|tensorboard|bottleneck|hipify|model_dump|viz)/
    | torch/lib/lib(torchbind_test|jitbackend_test|backend_with_compiler|aoti_custom_ops)\.so
    | torch/lib/libshm(_windows)?/
    | numpy/f2py/ | numpy/_core/(include|lib)/ | numpy/random/lib/ | numpy/(.*/)?tests/
    | numpy/(distutils|_pyinstaller|doc|typing/mypy_plugin)[/.] | numpy/_core/_simd\.
    | onnxruntime/(backend|datasets|quantization|tools|transformers)/ | google/(_upb|protobuf)/
    | onnxruntime/capi/libonnxruntime\.so[^/]*$  # for C programs; Python's module has all of it in itself
    | PIL/_(imagingft|imagingtk|imagingcms)\. | pillow\.libs/lib(harfbuzz|freetype|lcms2|brotli)
    # Lambda's runtime brings boto3; the function asks it only where Lambda gives it no keys, see handler/sources.py.
    | (boto3|botocore|s3transfer|jmespath|urllib3|dateutil|six)[/.]
    | (boto3|botocore|s3transfer|jmespath|urllib3|python_dateutil|six)-[^/]*\.dist-info/
    | numpy/(fft|ma|polynomial|testing|ctypeslib)/ | packaging[/-]
    | .*\.(pyi|pxd|pyx|h|hpp|cuh|cpp|c|a|cmake)$ | .*/py\.typed$
    | [^/]*\.dist-info/(RECORD|INSTALLER|REQUESTED|direct_url\.json|top_level\.txt|WHEEL|entry_points\.txt)$
    | [^/]*\.dist-info/sboms/
    """,
    re.VERBOSE,
)

#: Libraries that only torch's arm64 wheels bring and need, in the order of their dependencies.
ARM64_ONLY = (
    r"torch\.libs/libgfortran-.*",
    r"torch\.libs/libopenblasp-.*",
    r"torch\.libs/libarm_compute-.*",
    r"torch\.libs/libarm_compute_graph-.*",
)
#: Libraries in the order of their dependencies, torch's own last. Where wheels for x86 have one in torch/lib, those for
#: arm64 may have it in torch.libs, with a hash in its name.
LOAD = (
    r"torch/lib/libgomp\.so\.1|torch\.libs/libgomp-.*",
    *ARM64_ONLY,
    *(rf"torch/lib/lib{name}\.so" for name in ("c10", "torch_cpu", "torch", "shm", "torch_python")),
)
PACKED = ("libtorch_cpu.so", "libtorch_python.so")
PIECE = 2 << 20  # stays in the CPU's cache while it is unpacked: half the time that 64 MB take, for 4 % more bytes
LEVEL = 9  # level 12 takes twice as long for 1 % less, 15 ten times


def without_unused(files: Files) -> Files:
    """Leave out what serving doesn't use."""
    return {path: file for path, file in files.items() if not LEFT_OUT.match(path)}


def find_strip(architecture: str) -> str | None:
    """A `strip` for the libraries of wheels for an architecture, or none where it would break them.

    Raises
    ------
    Failure
        If there is none for x86. macOS' own can't do it; GNU's knows one architecture only, usually this machine's.
    """
    if architecture == "arm64":
        # patchelf has moved their segments, and `strip` would put some where no loader accepts them. Symbols add 7 MB.
        return None
    own = ["strip"] if platform.machine() == "x86_64" else []
    for name in ("x86_64-linux-gnu-strip", *own, "llvm-strip"):
        path = shutil.which(name)
        if path and re.search("GNU|LLVM", _version(path)):
            return path
    raise Failure("no strip for x86_64 found; it comes with the package llvm, or binutils-x86-64-linux-gnu on Debian")


def pack_libraries(files: Files, cache: pathlib.Path, architecture: str) -> tuple[Files, int]:
    """Replace PyTorch's large libraries by packed ones, see `handler.unpack`.

    Parameters
    ----------
    files : Files
        Of the function.
    cache : Path
        Folder where packed libraries are kept by content, as they take half a minute to make.
    architecture : str
        ``x86_64`` or ``arm64``.

    Returns
    -------
    Files
        Of the function.
    int
        Bytes they take in /tmp.

    Raises
    ------
    Failure
        If a library isn't there, or torch is a CUDA build.
    """
    cuda = next((path for path in files if re.match(r"torch/lib/libtorch_cuda|nvidia/", path)), None)
    if cuda:
        raise Failure(f"{cuda}: this torch is a CUDA build; the function needs the CPU build")
    load = in_order(files)
    strip = find_strip(architecture)
    files = dict(files)
    index: dict[str, t.Any] = {"packed": {}, "load": load}
    room = 0
    for name in PACKED:
        packed, pieces = pack(files.pop(f"torch/lib/{name}"), strip, cache)
        files[f"libraries/{name}.zst"] = packed
        index["packed"][name] = pieces
        room += sum(unpacked for _, unpacked in pieces)
    digest = hashlib.sha256(json.dumps(index).encode())
    for name in PACKED:
        digest.update(files[f"libraries/{name}.zst"].read_bytes())
    index = {"key": digest.hexdigest()[:16]} | index
    path = cache / f"index-{index['key']}.json"
    with whole(path) as file:
        file.write(json.dumps(index).encode())
    return files | {"libraries/index.json": path}, room


def in_order(files: Files) -> list[str]:
    """Paths of the libraries to load, each after those that it needs.

    Raises
    ------
    Failure
        If one isn't there.
    """
    found = {pattern: [path for path in files if re.fullmatch(pattern, path)] for pattern in LOAD}
    missing = [pattern for pattern, paths in found.items() if not paths and pattern not in ARM64_ONLY]
    if missing:
        names = ", ".join(pattern.replace("\\", "") for pattern in missing)
        raise Failure(f"torch has no {names}: its build differs from the required CPU wheels")
    return [path for paths in found.values() for path in sorted(paths)]


def pack(library: pathlib.Path, strip: str | None, cache: pathlib.Path) -> tuple[pathlib.Path, list[tuple[int, int]]]:
    """Strip and compress one library, unless `cache` has it; returns the file and its pieces' sizes, packed and not.

    Without `strip` it is only compressed.

    Raises
    ------
    Failure
        If `strip` can't read it.
    """
    made_by = f"{_version(strip) if strip else ''} {PIECE} {LEVEL}"
    key = hashlib.sha256(made_by.encode() + library.read_bytes()).hexdigest()[:16]
    packed, sizes = cache / f"{library.name}-{key}.zst", cache / f"{library.name}-{key}.json"
    if not sizes.exists():
        cache.mkdir(parents=True, exist_ok=True)
        data = _stripped(library, strip, cache) if strip else library.read_bytes()
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            raw = [data[start : start + PIECE] for start in range(0, len(data), PIECE)]
            done = list(pool.map(_compress, raw))
        with whole(packed) as file:
            file.writelines(done)
        with whole(sizes) as file:
            lengths = [(len(small), len(large)) for small, large in zip(done, raw, strict=True)]
            file.write(json.dumps(lengths).encode())
    return packed, [(small, large) for small, large in json.loads(sizes.read_text())]


def _stripped(library: pathlib.Path, strip: str, folder: pathlib.Path) -> bytes:
    stripped = folder / f"{library.name}.{os.getpid()}"
    try:
        command = [strip, "--strip-unneeded", "-o", str(stripped), str(library)]
        result = subprocess.run(command, check=False, capture_output=True, text=True)
        if result.returncode:
            raise Failure(f"{strip} failed on {library.name}: {result.stderr.strip()[:300]}")
        return stripped.read_bytes()
    finally:
        stripped.unlink(missing_ok=True)


def _version(program: str) -> str:
    return subprocess.run([program, "--version"], check=False, capture_output=True, text=True).stdout.partition("\n")[0]


def _compress(data: bytes) -> bytes:
    parameter = zstd.CompressionParameter
    return zstd.compress(data, options={parameter.compression_level: LEVEL, parameter.checksum_flag: 1})
