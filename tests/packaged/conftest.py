import shutil
import sys
import typing as t
from pathlib import Path

import pytest

from .. import osls

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def clone(function_zip: t.Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> t.Callable[[], Path]:
    """Make copies of what a clone has to deploy with, after ``npm ci`` and with the function for ONNX built."""
    osls.need_node()

    def make() -> Path:
        folder = tmp_path_factory.mktemp("clone")
        for name in ("scripts", "handler", "static", "deploy"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("Makefile", "serverless.yml", "package.json", "package-lock.json"):
            shutil.copy2(ROOT / name, folder / name)
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
