"""scripts/train.py as it is called: trial runs of every recipe, and two processes for one."""

import csv
import os
import pathlib
import subprocess
import sys

import pytest
import torch

from handler.bundle import Bundle
from model.data import drawings

from .test_learning_commands import SCRIPTS, run

RECIPES = sorted((SCRIPTS.parent / "model" / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_trains_and_exports(
    recipe: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--trainer.enable_progress_bar=false", "--report=false"]  # a report takes longer than the training
    assert run("train.py", "--recipe", recipe, "--smoke", *options) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    bundle = Bundle.open(str(folder / "bundle"), tmp_path / "cache")
    assert bundle.manifest.version.startswith(folder.name)


def test_a_trial_run_replaces_the_one_before(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (recipe,) = (path for path in RECIPES if path.stem == "mnist")
    leftover = tmp_path / "runs" / "mnist-smoke" / "checkpoints" / "last.ckpt"
    leftover.parent.mkdir(parents=True)
    leftover.touch()
    assert run("train.py", "--recipe", recipe, "--smoke", "--trainer.enable_progress_bar=false") == 0
    assert leftover.stat().st_size > 0
    assert (leftover.parents[1] / "report" / "report.html").stat().st_size > 100_000


@pytest.mark.parametrize(
    ("argument", "named"),
    [("--trainer.max_epoch=3", "max_epoch"), ("--model.network.lattents=3", "lattents"), ("--data.batch_size=x", "x")],
)
def test_a_typo_is_answered_in_few_lines_that_name_it(
    argument: str,
    named: str,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("train.py", "--recipe", RECIPES[0], argument) == 2
    said = capsys.readouterr().err
    assert named in said
    assert len(said.splitlines()) <= 6
    assert list(tmp_path.iterdir()) == []


def test_two_processes_train_on_the_same_global_batches_as_one(tmp_path: pathlib.Path) -> None:
    drawings.write_digits(tmp_path / "digits", 64, 16)
    arguments = [
        *("--recipe", SCRIPTS.parent / "model" / "recipes" / "mnist.yaml", "--data.folder", tmp_path / "digits"),
        *("--trainer.max_epochs", "2", "--trainer.accelerator", "cpu"),
        *("--trainer.enable_progress_bar", "false", "--report", "false"),
    ]
    assert run("train.py", *arguments, "--data.batch_size", "16", "--out", tmp_path / "one") == 0
    two_processes = ["--data.batch_size", "8", "--trainer.devices", "2", "--trainer.strategy", "ddp"]
    command = [sys.executable, SCRIPTS / "train.py", *arguments, *two_processes, "--out", tmp_path / "two"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [*map(str, command)], env=environment, capture_output=True, text=True, check=False, timeout=200
    )
    assert result.returncode == 0, result.stderr
    one, two = (final(tmp_path / name) for name in ("one", "two"))
    assert one[0] == pytest.approx(two[0], rel=1e-5)
    assert all(torch.allclose(value, two[1][name], atol=1e-5) for name, value in one[1].items())


def final(folder: pathlib.Path) -> tuple[list[float], dict[str, torch.Tensor]]:
    """Each epoch's mean training loss, and the weights at the end."""
    with (folder / "csv_1" / "metrics.csv").open() as file:
        losses = [float(row["loss_epoch"]) for row in csv.DictReader(file) if row["loss_epoch"]]
    return losses, torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
