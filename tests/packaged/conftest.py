import os
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from .. import osls

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def clone(function_zip: t.Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> t.Callable[[], Path]:
    """Make clones with what is not committed yet, after ``npm ci`` and with the function for ONNX built."""
    osls.need_node()

    def make() -> Path:
        folder = tmp_path_factory.mktemp("clone")
        git("clone", "--quiet", ROOT, folder)
        for name in git("-C", ROOT, "ls-files", "-z", "--modified", "--others", "--exclude-standard").split("\0")[:-1]:
            if (ROOT / name).exists():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
            else:
                (folder / name).unlink()
        (folder / "node_modules").symlink_to(osls.install())
        # This interpreter's packages, as make would install them there.
        venv = folder / ".venv"
        venv.mkdir()
        for name in ("bin", "lib", "pyvenv.cfg"):
            (venv / name).symlink_to(Path(sys.prefix) / name)
        (venv / "deploy.stamp").touch()
        built = function_zip("onnx").parent
        shutil.copytree(built, folder / "build" / built.name)
        return folder

    return make


class Service:
    """A clone, its parameters, and the bundle."""

    def __init__(self, folder: Path, bundle: Path) -> None:
        self.folder = folder
        self._always = [f"bundle={bundle}", "engine=onnx", "wheels=installed"]
        self._always.append(f"architecture={next(folder.glob('build/onnx-*')).name.removeprefix('onnx-')}")

    def package(self, *params: str) -> "subprocess.CompletedProcess[str]":
        given = [f"--param={value}" for value in [*self._always, *params]]
        command = ["npx", "--no-install", "sls", "package", "--stage", "test", "--region", "eu-central-1", *given]
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        return subprocess.run(
            command, check=False, cwd=self.folder, capture_output=True, text=True, env=os.environ | keys
        )


@pytest.fixture(scope="module")
def service(clone: t.Callable[[], Path], bundle: Path) -> Service:
    return Service(clone(), bundle)


def git(*command: str | Path) -> str:
    return subprocess.run(["git", *map(str, command)], check=True, capture_output=True, text=True).stdout
