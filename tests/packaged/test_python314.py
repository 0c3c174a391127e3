"""The ONNX function in Lambda's newest Python, where there is one: wheels for it, its byte-code, and the same picture.

It runs wherever ``python3.14`` is on the PATH and pip has an index; the environment of the tests is an earlier one.
"""

import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import collect, function
from deploy.emulated import lambda_runtime

from .. import BUILT
from . import elsewhere

PYTHON = "3.14"


@pytest.fixture
def client(tmp_path: Path) -> Path:
    """AWS's runtime client for that Python."""
    folder = tmp_path / "client"
    wanted = [f"{name}=={importlib.metadata.version(name)}" for name in lambda_runtime.CLIENT]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", folder, "--no-deps"]
    command += ["--only-binary=:all:", "--python-version", PYTHON, "--implementation", "cp"]
    command += [f"--platform={glibc}_{os.uname().machine}" for glibc in collect.GLIBC]
    subprocess.run([*command, *wanted], check=True, capture_output=True)
    return folder


@pytest.fixture
def interpreter() -> str:
    found = shutil.which(f"python{PYTHON}")
    if not found or subprocess.run([found, "-c", ""], check=False, capture_output=True).returncode:
        pytest.skip(f"no python{PYTHON} on the PATH")
    return found


def test_it_rebuilds_a_car_as_this_python_does(interpreter: str, client: Path, bundle: Path, tmp_path: Path) -> None:
    script = elsewhere.ROOT / "scripts" / "package.py"
    architecture = function.this_architecture()
    command = [sys.executable, script, "--engine", "onnx", "--python", PYTHON, "--out", BUILT / PYTHON]
    command += ["--architecture", architecture]
    built = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (built.returncode, built.stderr) == (0, "")  # byte-code, too
    found = elsewhere.compare(BUILT / PYTHON / f"onnx-{architecture}", client, [interpreter], bundle, tmp_path)
    assert found.mean_pixel <= 1e-3
    assert found.largest_latent <= 1e-3
