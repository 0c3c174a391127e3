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


def git(*command: str | Path) -> str:
    return subprocess.run(["git", *map(str, command)], check=True, capture_output=True, text=True).stdout
