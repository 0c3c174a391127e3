"""The learner's commands, one after the other, on drawn cars: prepare, train, export, evaluate."""

import json
import pathlib
import runpy
import sys

import pytest

from tests import drawings

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"


def run(script: str, *arguments: object) -> int:
    """Run a command in this process; returns its exit status."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [script, *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            runpy.run_path(str(SCRIPTS / script), run_name="__main__")
    return int(stopped.value.code or 0)


def network(size: int = 32) -> list[str]:
    return [
        f"--model.network.image_size={size}",
        "--model.network.widths=[8, 16]",
        "--model.network.blocks=[]",
        "--model.network.decoder_blocks=[]",
        "--model.network.decoder_widths=[]",
        "--model.network.latents=2",
    ]


def test_photographs_become_a_scored_bundle(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    photographs, run_folder = tmp_path / "photographs", tmp_path / "run"
    photographs.mkdir()
    lines = ["file,split"]
    for seed in range(40):
        drawings.car(seed, 120, 80).save(photographs / f"{seed:02}.png")
        lines.append(f"{seed:02}.png,{'test' if seed % 8 == 0 else 'val' if seed % 8 == 1 else 'train'}")
    (photographs / "splits.csv").write_text("\n".join(lines) + "\n")

    assert run("prepare_data.py", photographs, tmp_path / "data", "--size", "32") == 0
    recipe = SCRIPTS.parent / "model" / "recipes" / "carvae.yaml"
    overrides = [f"--data.folder={tmp_path / 'data'}", "--data.batch_size=8", "--trainer.max_epochs=1", *network()]
    quiet = ["--trainer.enable_progress_bar=false", "--trainer.accelerator=cpu", "--trainer.log_every_n_steps=1"]
    assert run("train.py", "--recipe", recipe, "--out", run_folder, *overrides, *quiet) == 0

    released = SCRIPTS.parent / "model" / "pretrained" / "carvae.safetensors"
    checkpoint, weights = run_folder / "checkpoints" / "last.ckpt", tmp_path / "released.safetensors"
    prior = ["--axes", "8", "--components", "2"]
    assert run("export.py", checkpoint, tmp_path / "one", "--release", weights, *prior) == 0
    assert run("export.py", weights, tmp_path / "two") == 0
    one, two = (json.loads((tmp_path / name / "manifest.json").read_text()) for name in ("one", "two"))
    assert one["recipe"] == two["recipe"]
    assert one["data_card"]["splits"]["train"] >= 20

    tiny = ["--epochs", "1", "--width", "16", "--depth", "1", "--variations", "1", "--batch", "8"]
    flow = ["--data", tmp_path / "data", "--out", tmp_path / "prior"]
    assert run("train_prior.py", weights, *flow, *tiny) == 0
    assert run("train_prior.py", weights, *flow, *tiny) == 1  # not over a run that is there
    assert "add --resume" in capsys.readouterr().err
    # Of so few latents all are wide; of two axes the others hold texture.
    monkeypatch.setattr("model.flow.WIDE", 2)
    assert run("refine_prior.py", tmp_path / "prior", weights, "--epochs", "1") == 0
    assert run("refine_prior.py", tmp_path / "prior", weights) == 1
    assert "refined: holds a run already" in capsys.readouterr().err
    last, refined = (tmp_path / "prior" / each / "last.ckpt" for each in (".", "refined"))
    assert run("export.py", weights, tmp_path / "two", "--prior", last, "--axes", "8") == 0
    assert run("export.py", weights, tmp_path / "two", "--prior", refined) == 0
    two = json.loads((tmp_path / "two" / "manifest.json").read_text())
    assert two["noise_dim"] == two["latent_dim"]

    other = ["--data", tmp_path / "data", "--out", tmp_path / "other"]
    for script, arguments, named in [
        ("train_prior.py", [weights, *other, "--epochs", "0"], "--epochs: 0 is not at least 1"),
        ("train_prior.py", [weights, *other, "--batch", "-1"], "--batch: -1 is not at least 1"),
        ("train_prior.py", [weights, *other, "--variations", "-1"], "--variations: -1 is not at least 0"),
        ("train_prior.py", [weights, *other, "--width", "0"], "width: 0 is not at least 1"),
        ("train_prior.py", [weights, *other, "--depth", "0"], "depth: 0 is not at least 1"),
        ("train_prior.py", [weights, *other, "--learning-rate", "nan"], "learning_rate: nan"),
        ("train_prior.py", [photographs / "splits.csv", *other], "splits.csv: no released weights"),
        (
            "refine_prior.py",
            [tmp_path / "prior", weights, *other[2:], "--epochs", "0"],
            "--epochs: 0 is not at least 1",
        ),
        ("refine_prior.py", [tmp_path / "prior", last, *other[2:]], "last.ckpt: not a training checkpoint"),
        ("refine_prior.py", [tmp_path / "prior", released, *other[2:]], "has 512"),
        ("refine_prior.py", [run_folder, weights, *other[2:]], "last.ckpt: not a checkpoint of a flow"),
        (
            "export.py",
            [weights, tmp_path / "three", "--prior", refined, "--texture", "1"],
            "--texture: 1.0 comes too late",
        ),
        ("export.py", [checkpoint, tmp_path / "three", "--axes", "-1"], "axes: -1 is not at least 1"),
        ("export.py", [checkpoint, tmp_path / "three", "--axes", "9999"], "are too few for"),
        ("export.py", [checkpoint, tmp_path / "three", "--texture", "1"], "--texture: 1.0 says nothing"),
        ("export.py", [weights, tmp_path / "three", "--axes", "8"], "--axes: 8 says nothing"),
        ("export.py", [weights, tmp_path / "three", "--prior", "mixture"], "--prior mixture"),
        ("export.py", [weights, tmp_path / "three", "--sharpen", "0.3"], "--sharpen: for a training checkpoint only"),
        ("export.py", [weights, tmp_path / "three", "--prior", last, "--axes", "9999"], "axes: 9999"),
        ("export.py", [weights, tmp_path / "three", "--prior", last, "--texture", "2"], "texture: 2.0"),
        ("export.py", [weights, tmp_path / "three", "--prior", recipe], "carvae.yaml: not a checkpoint of a flow"),
    ]:
        assert run(script, *arguments) == 1
        assert named in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
    assert not (tmp_path / "three").exists()

    report = tmp_path / "evaluation.json"
    arguments = ["--bundle", tmp_path / "two", "--data", photographs, "--out", report, "--samples", "0"]
    assert run("evaluate.py", *arguments) == 0
    scores = json.loads(report.read_text())
    assert scores["bundle"] == two["version"]
    assert scores["reconstruction"]["."]["images"] == 5
    assert "PSNR" in capsys.readouterr().out
    assert report.with_suffix(".png").is_file()


@pytest.mark.parametrize(
    ("script", "arguments", "named"),
    [
        ("prepare_data.py", ["nowhere", "out"], "nowhere: no such folder"),
        ("prepare_data.py", ["nowhere", "out", "--size", "3"], "size: 3"),
        ("export.py", ["nowhere.ckpt", "out"], "nowhere.ckpt"),
        ("export.py", ["nowhere.safetensors", "out"], "nowhere.safetensors"),
        ("export.py", ["nowhere.safetensors", "out", "--prior", "nowhere.ckpt"], "nowhere.safetensors"),
        ("train_prior.py", ["nowhere.safetensors", "--data", "nowhere", "--out", "out"], "nowhere.safetensors"),
        ("evaluate.py", ["--bundle", "nowhere", "--data", "nowhere"], "nowhere"),
        ("train.py", ["--recipe", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_a_wrong_path_is_one_line_that_names_it(
    script: str,
    arguments: list[str],
    named: str,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(script, *arguments) != 0
    error = capsys.readouterr().err
    assert named in error
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []
