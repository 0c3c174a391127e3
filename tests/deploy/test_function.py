"""What building an archive takes; what comes out is tests/packaged's."""

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent.parent

#: Builds an archive of this project's files alone, without pip's wheels, and prints what was imported.
BUILD = """
import json, pathlib, runpy, sys
before = set(sys.modules)
from deploy import collect
collect.fetched = lambda *_: {}
sys.argv = ["package", "--engine", "onnx", "--out", sys.argv[1]]
try:
    runpy.run_path("scripts/package.py", run_name="__main__")
except SystemExit as end:
    assert not end.code
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""


def test_an_archive_for_onnx_is_built_by_what_make_package_installs(tmp_path: Path) -> None:
    command = [sys.executable, "-c", BUILD, str(tmp_path)]
    result = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "onnx-x86_64" / "function.zip").exists()
    modules = set(json.loads(result.stdout.splitlines()[-1])) - sys.stdlib_module_names - {"deploy", "handler"}
    assert modules <= modules_of_the_target(), "see .venv/deploy.stamp in the Makefile"


def modules_of_the_target() -> set[str]:
    """Top-level modules of deploy/requirements.txt and of all that it requires."""
    files = [ROOT / "deploy" / "requirements.txt", ROOT / "handler" / "requirements.txt"]
    queue = [Requirement(line) for file in files for line in file.read_text().splitlines() if re.match(r"\w", line)]
    names: set[str] = set()
    while queue:
        wanted = queue.pop()
        name = canonicalize_name(wanted.name)
        if name not in names and (wanted.marker is None or wanted.marker.evaluate({"extra": ""})):
            names.add(name)
            queue += [Requirement(line) for line in importlib.metadata.requires(wanted.name) or []]
    owners = importlib.metadata.packages_distributions()
    return {module for module, owned in owners.items() if names & {canonicalize_name(each) for each in owned}}
