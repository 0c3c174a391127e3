"""The commands that `make run`, `make package` and `make deploy` call need nothing beyond requirements.txt."""

import importlib.metadata
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WEIGHTS = ROOT / "model" / "pretrained" / "carvae.safetensors"

#: Run a script as if some packages were not installed.
WITHOUT = """
import runpy, sys
missing, script, *sys.argv[1:] = sys.argv[1:]
sys.modules.update(dict.fromkeys(missing.split(",")))
sys.argv[0] = script
runpy.run_path(script, run_name="__main__")
"""


def required(file: pathlib.Path) -> Iterator[Requirement]:
    for line in file.read_text().splitlines():
        if line.startswith("-r "):
            yield from required(file.parent / line[3:].strip())
        elif line and not line.startswith(("#", "-")):
            yield Requirement(line.partition(" #")[0])


def with_dependencies(requirements: Iterator[Requirement]) -> set[str]:
    found: set[str] = set()
    waiting = list(requirements)
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        waiting += map(Requirement, importlib.metadata.requires(name) or [])
    return found


@pytest.fixture(scope="module")
def missing() -> list[str]:
    """Importable names that only model/requirements.txt and tests/requirements.txt bring."""
    installed = with_dependencies(required(ROOT / "requirements.txt")) | {"carvae"}
    return [
        name
        for name, owners in importlib.metadata.packages_distributions().items()
        if not installed & {canonicalize_name(owner) for owner in owners} and name not in ("pip", "setuptools")
    ]


def test_the_project_is_installed_with_what_requirements_txt_names() -> None:
    requirements = [Requirement(line) for line in importlib.metadata.requires("carvae") or []]
    always = {str(each) for each in requirements if "extra" not in str(each.marker)}
    assert always == set(map(str, required(ROOT / "requirements.txt")))


def run(missing: list[str], script: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    line = [sys.executable, "-c", WITHOUT, ",".join(missing), str(ROOT / "scripts" / script), *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def test_training_packages_are_told_from_the_servers(missing: list[str]) -> None:
    assert {"lightning", "torchvision", "matplotlib", "pytest"} <= set(missing)
    assert not {"torch", "flask", "numpy", "onnx", "waitress"} & set(missing)


def test_released_weights_become_a_bundle(missing: list[str], tmp_path: pathlib.Path) -> None:
    result = run(missing, "export.py", WEIGHTS, tmp_path / "bundle")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "bundle" / "manifest.json").is_file()


@pytest.mark.parametrize("script", ["serve.py", "package.py", "publish.py", "stack.py", "deploy_site.py"])
def test_the_command_starts(missing: list[str], script: str) -> None:
    result = run(missing, script, "--help")
    assert result.returncode == 0, result.stderr
