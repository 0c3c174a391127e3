import dataclasses
import pathlib
import typing as t

import pytest

from model.training import stages
from tests.scripts.test_learning_commands import run

ROOT = pathlib.Path(__file__).resolve().parents[3]

SCRIPT = """
import pathlib, sys
checkpoint = pathlib.Path(sys.argv[1])
print("resumed" if "--resume" in sys.argv else "begun", checkpoint.name, flush=True)
if not checkpoint.exists():
    checkpoint.touch()
    sys.exit(3)
"""


@pytest.fixture
def recipe(tmp_path: pathlib.Path) -> pathlib.Path:
    """Two stages of which the second fails at its first attempt and leaves a checkpoint."""
    (tmp_path / "fine.py").write_text("print('fine')", encoding="utf-8")
    (tmp_path / "stops.py").write_text(SCRIPT, encoding="utf-8")
    path = tmp_path / "stages.yaml"
    path.write_text(
        f"- {{name: first, command: '{tmp_path}/fine.py {{data}}'}}\n"
        f"- {{name: second, command: '{tmp_path}/stops.py {{out}}/last.ckpt', checkpoint: '{{out}}/last.ckpt'}}\n",
        encoding="utf-8",
    )
    return path


@dataclasses.dataclass
class Ended:
    """How a call of the command ended, and what it and its stages wrote."""

    status: int
    stdout: str
    stderr: str


@pytest.fixture
def reproduce(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., Ended]:
    """Run the command in this process: importing PyTorch takes longer than all the rest."""
    monkeypatch.chdir(ROOT)

    def call(*arguments: str | pathlib.Path) -> Ended:
        return Ended(run("reproduce.py", *arguments), *capfd.readouterr())

    return call


def test_a_stage_that_stopped_goes_on_and_those_that_ended_are_left_out(
    reproduce: t.Callable[..., Ended], recipe: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    out = tmp_path / "out"
    first = reproduce(tmp_path, out, "--stages", recipe)
    assert first.status == 3
    assert "second stopped with exit status 3" in first.stderr
    again = reproduce(tmp_path, out, "--stages", recipe)
    assert again.status == 0
    assert "fine" not in again.stdout
    assert "resumed last.ckpt" in again.stdout
    assert set(stages.ended(out)) == {"first", "second"}
    assert reproduce(tmp_path, out, "--stages", recipe).stdout.count("ended before") == 2


def test_a_dry_run_prints_every_command_of_the_release_and_runs_none(
    reproduce: t.Callable[..., Ended], tmp_path: pathlib.Path
) -> None:
    out = tmp_path / "out"
    shown = reproduce(tmp_path, out, "--dry-run")
    assert shown.status == 0
    assert not out.exists()
    commands = [line.split()[1] for line in shown.stdout.splitlines() if line.startswith("    python ")]
    assert commands[0] == "scripts/prepare_data.py"
    assert commands[-2:] == ["scripts/export.py", "scripts/evaluate.py"]
    assert all((ROOT / command).is_file() for command in commands)


def test_wrong_input_is_named(reproduce: t.Callable[..., Ended], tmp_path: pathlib.Path) -> None:
    missing = reproduce(tmp_path / "nowhere", tmp_path / "out")
    assert missing.status == 1
    assert "nowhere: no such folder" in missing.stderr
    (tmp_path / "bad.yaml").write_text("- name: only\n", encoding="utf-8")
    bad = reproduce(tmp_path, tmp_path / "out", "--stages", tmp_path / "bad.yaml")
    assert bad.status == 1
    assert "bad.yaml: no list of stages" in bad.stderr
