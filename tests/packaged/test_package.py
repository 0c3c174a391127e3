"""Building the function's archive; what comes out is run by ``tests/packaged/test_lambda_runtime.py``."""

import json
import os
import re
import subprocess
import sys
import typing as t
import zipfile
import zlib
from pathlib import Path

import pytest

from deploy import archive, collect, function, thin

ROOT = Path(__file__).parent.parent.parent
SCRIPT = ROOT / "scripts" / "package.py"
MB = 1_000_000


def run(*arguments: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ | environment)


@pytest.fixture(scope="module")
def names(function_zip: t.Callable[[str], Path]) -> list[str]:
    with zipfile.ZipFile(function_zip("torchscript")) as built:
        return built.namelist()


@pytest.mark.parametrize(
    ("engine", "packed", "unzipped", "tmp"),
    [("torchscript", 140, 230, 450), ("onnx", 35, 110, 0), ("onnx-int8", 35, 110, 0)],
)
def test_the_function_is_within_its_sizes(
    function_zip: t.Callable[[str], Path], engine: str, packed: int, unzipped: int, tmp: int
) -> None:
    facts = json.loads(function_zip(engine).with_name("function.json").read_text())
    assert facts["zip"] <= packed * MB
    assert facts["unzipped"] <= unzipped * MB
    assert facts["tmp"] <= tmp * MB


def test_the_function_has_the_serving_side_only(names: list[str]) -> None:
    assert {"handler/lambda_entry.py", "static/openapi.json"} <= set(names)
    assert not [name for name in names if name.startswith(("model/", "scripts/", "tests/", "sympy/", "pip/"))]


def test_boto3_is_left_to_lambdas_runtime(names: list[str]) -> None:
    assert not [name for name in names if name.startswith(("boto", "s3transfer", "urllib3", "jmespath"))]


def test_every_module_has_its_bytecode_for_any_path_and_time(function_zip: t.Callable[[str], Path]) -> None:
    tag = sys.implementation.cache_tag
    with zipfile.ZipFile(function_zip("torchscript")) as built:
        names = set(built.namelist())
        for name in names:
            if name.endswith(".py"):
                folder, _, stem = name[:-3].rpartition("/")
                assert f"{folder}/__pycache__/{stem}.{tag}.pyc".lstrip("/") in names
        code = built.read(f"handler/__pycache__/app.{tag}.pyc")
    assert code[4:8] == b"\x01\x00\x00\x00"  # by hash, unchecked
    assert b"/var/task/handler/app.py" in code


def test_the_onnx_function_has_no_torch(function_zip: t.Callable[[str], Path]) -> None:
    with zipfile.ZipFile(function_zip("onnx")) as built:
        tops = {name.partition("/")[0] for name in built.namelist()}
    assert "onnxruntime" in tops
    assert not tops & {"torch", "libraries"}


def test_the_same_content_makes_the_same_bytes(function_zip: t.Callable[[str], Path], tmp_path: Path) -> None:
    result = run("--engine", "onnx", "--same-interpreter", "--out", tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / function_zip("onnx").parent.name / "function.zip").read_bytes() == function_zip(
        "onnx"
    ).read_bytes()
    assert re.search(r"onnxruntime +[0-9.]+ MB\n", result.stdout)
    assert re.search(r"unzipped +[0-9.]+ MB\n", result.stdout)


def test_torch_is_made_of_the_same_bytes_again(function_zip: t.Callable[[str], Path], tmp_path: Path) -> None:
    # Covers what the ONNX function, above, lacks. Only the smaller library is packed again: the other takes half a
    # minute and is packed in the same way.
    installed = thin.without_unused(collect.installed("torchscript"))
    files = {path: file for path, file in installed.items() if path.startswith("torch/")}
    again, _ = thin.pack(
        files["torch/lib/libtorch_python.so"], thin.find_strip(function.this_architecture()), tmp_path / "libraries"
    )
    files, _ = thin.pack_libraries(files, SCRIPT.parent.parent / "build" / "libraries", function.this_architecture())
    files["libraries/libtorch_python.so.zst"] = again
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    files = archive.with_bytecode(files, python, sys.executable, tmp_path / "bytecode")
    with zipfile.ZipFile(function_zip("torchscript")) as built:
        stored = {entry.filename: entry.CRC for entry in built.infolist()}
    assert {path: stored.get(path) for path in files} == {
        path: zlib.crc32(file.read_bytes()) for path, file in files.items()
    }


@pytest.mark.parametrize("engine", ["torchscript", "onnx"])
def test_without_wheels_for_lambda_it_says_what_to_do(tmp_path: Path, engine: str) -> None:
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}
    result = run("--engine", engine, "--python", "3.13", "--out", tmp_path / "out", **offline)
    assert result.returncode == 1
    assert "pip found no wheels for Python 3.13" in result.stderr
    assert "PIP_FIND_LINKS" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_package_that_is_not_the_locked_one_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "blinker-1.9.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("blinker/__init__.py", "")
        wheel.writestr("blinker-1.9.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: blinker\nVersion: 1.9.0\n")
        wheel.writestr(
            "blinker-1.9.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}
    result = run("--engine", "onnx", "--python", "3.13", "--out", tmp_path / "out", **offline)
    assert result.returncode == 1
    assert "other than the one in the lock file" in result.stderr
    assert "blinker" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(("python", "said"), [("3.9", "'3.9'"), ("3.14", "--python 3.14: expected 3.12 or 3.13")])
def test_a_runtime_that_there_is_no_function_for_is_refused(python: str, said: str) -> None:
    result = run("--engine", "torchscript", "--python", python)
    assert result.returncode == 2
    assert said in result.stderr
