"""Imports run one way: from the commands to the sides, and within `model` in the order of its learning."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

#: Which of the project's packages each may import.
MAY_IMPORT = {
    "handler": set(),
    "model": set(),
    "carvae_client": set(),
    "deploy": {"handler"},
    "server": {"handler"},
    "scripts": {"carvae_client", "deploy", "handler", "model", "server"},
    "benchmarks": {"deploy", "handler", "model"},
}

#: Packages of `model`; each may import those before it. What lies beside them is for all.
ORDER = ("data", "vae", "prior", "evaluation", "report", "release", "training")

pytestmark = pytest.mark.unit


def imported(path: Path) -> Iterator[str]:
    """Full names of what a file imports, anywhere in it."""
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_those_that_it_may(package: str) -> None:
    others = {*MAY_IMPORT, "tests"} - {package} - MAY_IMPORT[package]
    found = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files(package)
        for name in imported(path)
        if name.partition(".")[0] in others
    ]
    assert not found


@pytest.mark.parametrize("package", ORDER)
def test_a_package_of_model_imports_only_those_before_it(package: str) -> None:
    later = ORDER[ORDER.index(package) + 1 :]
    found = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files(f"model/{package}")
        for name in imported(path)
        if name.startswith("model.") and name.split(".")[1] in later
    ]
    assert not found


def test_every_package_has_its_place_in_the_order() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert packages == set(MAY_IMPORT)
    assert {path.parent.name for path in (ROOT / "model").glob("*/__init__.py")} == set(ORDER)


def test_no_command_hides_a_package() -> None:
    """Python looks beside a script first: one called `deploy` would be found in place of the package."""
    names = {path.stem for folder in ("scripts", "benchmarks") for path in (ROOT / folder).glob("*.py")}
    assert not names & set(MAY_IMPORT)
