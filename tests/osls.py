"""The deployment's programs, from npm."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock

from . import BUILT

ROOT = Path(__file__).parent.parent


def need_node() -> None:
    """Skip the test where there is no Node; where CI is set, fail it."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        reason = "no node and npm on the PATH"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


def install(folder: Path = ROOT) -> Path:
    """The ``node_modules`` that the ``package-lock.json`` in `folder` pins, installed if they aren't there."""
    modules = folder / "node_modules"
    lock, done = (folder / "package-lock.json").read_bytes(), modules / "installed-lock"
    # Tests run in several processes, and npm begins by removing what is there.
    with FileLock(BUILT / "npm.lock"):
        if not done.exists() or done.read_bytes() != lock:
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            result = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True)
            assert result.returncode == 0, result.stderr
            done.write_bytes(lock)
    return modules
