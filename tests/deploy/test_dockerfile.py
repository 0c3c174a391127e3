"""The image's recipe; building it wants a container engine, which tests lack."""

import fnmatch
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def test_hadolint_finds_nothing() -> None:
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if program is None:
        reason = "hadolint's package is for Linux on x86-64"
        # It is in tests/requirements.txt there.
        required = bool(os.environ.get("CI")) and sys.platform == "linux" and os.uname().machine == "x86_64"
        pytest.fail(reason) if required else pytest.skip(reason)
    result = subprocess.run([program, ROOT / "Dockerfile"], check=False, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "")


def test_what_the_image_copies_is_there_and_reaches_docker() -> None:
    copied = [
        source
        for line in re.findall(r"^COPY (.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
        for source in line.split()[:-1]
    ]
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for source in copied:
        assert list(ROOT.glob(source)), source
        kept = [pattern for pattern in allowed if fnmatch.fnmatch(source, pattern) or source.startswith(f"{pattern}/")]
        assert kept, f"{source} is ignored"
