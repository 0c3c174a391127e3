"""The release's own stages one after the other, in a small form: each must take what those before it made."""

import json
import pathlib

import pytest

from handler.bundle import Bundle
from model.release import released
from model.training import stages

from .test_learning_commands import SCRIPTS, TINY_FLOW, draw_photographs, run

ROOT = SCRIPTS.parent
NETWORK = ["--model.network.widths=[8, 16]", "--model.network.blocks=[]", "--model.network.latents=2"]
TRAINING = ["--trainer.max_epochs=1", "--trainer.limit_train_batches=2", "--trainer.accelerator=cpu", "--report=false"]
ADVERSARY = ["--model.adversary.drawn=2", "--model.adversary.midpoints=2", "--model.adversary.compared=96"]


def small(stage: stages.Stage) -> list[str]:
    """A stage's command and arguments with what makes it short."""
    arguments = ["32" if part == "128" else "64" if part == "256" else part for part in stage.command]
    script, recipe = pathlib.Path(arguments[0]).name, arguments[2]
    if script == "train.py":
        side, widths = (64, "[16, 8, 8]") if recipe.endswith("carvae-256.yaml") else (32, "[16, 8]")
        arguments += [f"--model.network.image_size={side}", f"--model.network.decoder_widths={widths}"]
        arguments += ["--model.network.decoder_blocks=[]", "--data.batch_size=8", *NETWORK, *TRAINING]
        return arguments if recipe.endswith("/carvae.yaml") else arguments + ADVERSARY
    return arguments + (TINY_FLOW if script == "train_prior.py" else [])


def test_each_stage_of_the_release_takes_what_those_before_it_made(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    photographs, out = tmp_path / "photographs", tmp_path / "out"
    draw_photographs(photographs, ["val", *["train"] * 4] * 32)
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("model.prior.flow.ON_GRID", (8, 0.6))  # of so few latents half are wide
    for stage in stages.read(ROOT / "model" / "training" / "stages.yaml", photographs, out):
        script, *arguments = small(stage)
        assert run(pathlib.Path(script).name, *arguments) == 0, f"{stage.name}: {capsys.readouterr().err[-2000:]}"
        assert stage.checkpoint is None or stage.checkpoint.is_file()
    bundle = Bundle.open(str(out / "bundle"), tmp_path / "cache")
    assert bundle.manifest.image_size == released.load(out / "carvae.safetensors").network.image_size == 64
    assert json.loads((out / "scores.json").read_text())["bundle"] == bundle.manifest.version
