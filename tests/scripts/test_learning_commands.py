"""The learner's commands, one after the other, on drawn cars: prepare, train, export, evaluate."""

import json
import pathlib
import runpy
import shutil
import sys
import typing as t

import pytest
from PIL import Image

from model.evaluation import protocol
from model.evaluation.photographs import Photographs
from tests import bundles, drawings

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"
RECIPE = str(SCRIPTS.parent / "model" / "recipes" / "carvae.yaml")
RELEASED = str(SCRIPTS.parent / "model" / "pretrained" / "carvae.safetensors")

# What the fixture `folder` makes.
WEIGHTS, CHECKPOINT = "released.safetensors", "run/checkpoints/last.ckpt"
FLOW = "prior/last.ckpt"
TINY_FLOW = ["--epochs", "1", "--width", "16", "--depth", "1", "--variations", "1", "--batch", "8"]


def run(script: str, *arguments: object) -> int:
    """Run a command in this process; returns its exit status."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [script, *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            runpy.run_path(str(SCRIPTS / script), run_name="__main__")
    return int(stopped.value.code or 0)


def draw_photographs(folder: pathlib.Path, splits: t.Sequence[str]) -> None:
    """Make a folder of drawn photographs, one for each of `splits`, with their ``splits.csv``."""
    folder.mkdir()
    lines = ["file,split"]
    for seed, split in enumerate(splits):
        drawings.car(seed, 120, 80).save(folder / f"{seed:03}.png")
        lines.append(f"{seed:03}.png,{split}")
    (folder / "splits.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """What the commands make of 40 drawn cars: data, a run, its weights as released, and a flow."""
    folder = tmp_path_factory.mktemp("learner")
    draw_photographs(folder / "photographs", ["test", "val", *["train"] * 6] * 5)
    network = [
        "--model.network.image_size=32",
        "--model.network.widths=[8, 16]",
        "--model.network.blocks=[]",
        "--model.network.decoder_blocks=[]",
        "--model.network.decoder_widths=[]",
        "--model.network.latents=2",
    ]
    trainer = ["--trainer.max_epochs=1", "--trainer.log_every_n_steps=1", "--trainer.accelerator=cpu"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        # Of so few latents all are wide; of two axes the others hold texture.
        patch.setattr("model.prior.flow.ON_GRID", (2, 0.6))
        for script, *arguments in [
            ["prepare_data.py", "photographs", "data", "--size", "32"],
            [
                "train.py",
                "--recipe",
                RECIPE,
                "--out=run",
                "--report=false",
                "--data.folder=data",
                "--data.batch_size=8",
                *network,
                *trainer,
            ],
            ["export.py", CHECKPOINT, "one", "--release", WEIGHTS, "--mixture-axes", "8", "--components", "2"],
            ["train_prior.py", WEIGHTS, "--data", "data", "--out", "prior", *TINY_FLOW],
        ]:
            assert run(script, *arguments) == 0
    return folder


@pytest.fixture
def there(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The same, as the folder that commands start in."""
    monkeypatch.chdir(folder)
    return folder


def manifest(bundle: pathlib.Path) -> dict[str, t.Any]:
    return t.cast(dict[str, t.Any], json.loads((bundle / "manifest.json").read_text()))


def test_released_weights_make_a_bundle_that_is_scored(
    there: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("export.py", WEIGHTS, tmp_path / "two") == 0
    one, two = manifest(there / "one"), manifest(tmp_path / "two")
    assert one["recipe"] == two["recipe"]
    assert one["data_card"]["splits"]["train"] >= 20
    assert one["recipe"]["run"]["trainer"]["max_epochs"] == 1
    assert {"ema_decay", "start_from", "early_stopping"} <= set(one["recipe"]["run"])

    report = tmp_path / "evaluation.json"
    assert run("evaluate.py", "--bundle", tmp_path / "two", "--data", "photographs", "--out", report) == 0
    scores = json.loads(report.read_text())
    assert scores["bundle"] == two["version"]
    assert scores["reconstructions"]["all"]["images"] == 5
    printed = capsys.readouterr().out
    assert "PSNR" in printed
    assert "need 20 photographs of split 'test'" in printed
    assert report.with_suffix(".png").is_file()


@pytest.mark.parametrize(
    "data", [["data"], ["bare", "--splits", "data/splits.csv"]], ids=["prepared", "their table named"]
)
def test_your_own_photographs_are_scored(there: pathlib.Path, tmp_path: pathlib.Path, data: list[str]) -> None:
    if not (there / "bare").exists():
        shutil.copytree("photographs", "bare", ignore=shutil.ignore_patterns("splits.csv"))
    reports = tmp_path / "first.json", tmp_path / "again.json"
    for report in reports:
        assert run("evaluate.py", "--bundle", "one", "--data", *data, "--split", "val", "--out", report) == 0
    first, again = (json.loads(report.read_text()) for report in reports)
    assert first == again
    assert first["reconstructions"]["all"]["images"] >= 3


def test_another_network_may_judge(there: pathlib.Path, tmp_path: pathlib.Path) -> None:
    found = {}
    for name in ("lite1", "lite2"):
        report = tmp_path / f"{name}.json"
        data = ["--data", "data", "--split", "val", "--limit", "2"]
        assert run("evaluate.py", "--bundle", "one", *data, "--features", name, "--out", report) == 0
        scores = json.loads(report.read_text())
        assert scores["features"] == name
        found[name] = scores["reconstructions"]["all"]
    assert found["lite1"]["psnr"] == found["lite2"]["psnr"]
    assert found["lite1"]["perceptual"] != found["lite2"]["perceptual"]


def test_random_cars_are_shown_above_their_nearest_training_photographs(
    there: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "nearest.png"
    assert run("nearest.py", "--bundle", "one", "--data", "data", "--count", "18", "--out", page) == 0
    assert "random cars: nearest training photograph at" in capsys.readouterr().out
    size = manifest(there / "one")["image_size"]
    with Image.open(page) as picture:
        assert picture.size == (16 * size, 4 * size)


@pytest.mark.parametrize("options", [[], ["--wide-axes", "8", "--texture", "0.5"]], ids=["as usual", "chosen"])
def test_a_flow_becomes_the_prior_of_a_bundle(there: pathlib.Path, tmp_path: pathlib.Path, options: list[str]) -> None:
    assert run("export.py", WEIGHTS, tmp_path / "bundle", "--flow", FLOW, *options) == 0
    made = manifest(tmp_path / "bundle")
    assert made["noise_dim"] == made["latent_dim"]


@pytest.mark.parametrize(
    ("script", "arguments", "named"),
    [
        ("train_prior.py", [WEIGHTS, "--data", "data", "--out", "prior", *TINY_FLOW], "add --resume"),
    ],
)
def test_a_run_that_is_there_is_left_alone(
    there: pathlib.Path, capsys: pytest.CaptureFixture[str], script: str, arguments: list[str], named: str
) -> None:
    checkpoints = {path: path.read_bytes() for path in (there / "prior").rglob("*.ckpt")}
    assert run(script, *arguments) == 1
    assert named in capsys.readouterr().err
    assert {path: path.read_bytes() for path in (there / "prior").rglob("*.ckpt")} == checkpoints


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("train_prior.py {weights} --data data --out {new} --epochs 0", "epochs: 0 is not at least 1"),
        ("train_prior.py {weights} --data data --out {new} --batch -1", "batch: -1 is not at least 1"),
        ("train_prior.py {weights} --data data --out {new} --variations -1", "variations: -1 is not at least 0"),
        ("train_prior.py {weights} --data data --out {new} --width 0", "width: 0 is not at least 1"),
        ("train_prior.py {weights} --data data --out {new} --depth 0", "depth: 0 is not at least 1"),
        ("train_prior.py {weights} --data data --out {new} --learning-rate nan", "learning_rate: nan"),
        ("train_prior.py photographs/splits.csv --data data --out {new}", "splits.csv: no released weights"),
        ("export.py {checkpoint} {new} --mixture-axes -1", "axes: -1 is not at least 1"),
        ("export.py {checkpoint} {new} --mixture-axes 9999", "are too few for"),
        ("export.py {checkpoint} {new} --texture 1", "--texture: 1.0 needs --flow"),
        ("export.py {weights} {new} --mixture-axes 8", "--mixture-axes: 8 needs --prior mixture"),
        ("export.py {weights} {new} --flow {flow} --components 8", "--components: 8 says nothing about the flow"),
        ("export.py {weights} {new} --prior mixture", "--prior mixture"),
        ("export.py {weights} {new} --directions colour", "--directions: for a training checkpoint only"),
        ("export.py {weights} {new} --flow {flow} --wide-axes 9999", "wide axes: 9999"),
        ("export.py {weights} {new} --flow {flow} --texture 2", "texture: 2.0"),
        ("export.py {weights} {new} --flow {recipe}", "carvae.yaml: not a checkpoint of a flow"),
        ("evaluate.py --bundle one --data data --limit -1", "--limit: -1 is negative"),
        ("evaluate.py --bundle one --data nowhere", "nowhere: no such folder"),
        ("evaluate.py --bundle one --data photographs --splits nowhere.csv", "nowhere.csv: no table of splits"),
        ("evaluate.py --bundle one --data photographs --controls", "at least 20"),
        ("evaluate.py --bundle one --data photographs --size 512", "--size: 512"),
        ("nearest.py --bundle one --data photographs --count 0", "--count: 0"),
        ("nearest.py --bundle one --data nowhere", "nowhere: no such folder"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_it(
    there: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], command: str, named: str
) -> None:
    script, *words = command.split()
    paths = {"weights": WEIGHTS, "checkpoint": CHECKPOINT, "flow": FLOW, "new": tmp_path / "new"}
    arguments = [word.format(**paths, released=RELEASED, recipe=RECIPE) for word in words]
    assert run(script, *arguments) == 1
    error = capsys.readouterr().err
    assert named in error.splitlines()[-1]
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("script", "arguments", "named"),
    [
        ("prepare_data.py", ["nowhere", "out"], "nowhere: no such folder"),
        ("prepare_data.py", ["nowhere", "out", "--size", "3"], "size: 3"),
        ("export.py", ["nowhere.ckpt", "out"], "nowhere.ckpt"),
        ("export.py", ["nowhere.safetensors", "out"], "nowhere.safetensors"),
        ("export.py", ["nowhere.safetensors", "out", "--flow", "nowhere.ckpt"], "nowhere.safetensors"),
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


def test_photographs_are_spoilt_at_the_size_that_is_asked_for(
    there: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def control(photographs: Photographs, *_: object) -> t.NoReturn:
        raise ValueError(f"asked to spoil {tuple(photographs.tensor([0]).shape)}")

    monkeypatch.setattr(protocol, "control", control)
    bundle = bundles.make(tmp_path / "bundle", size=64)
    arguments = ["--bundle", bundle, "--data", "photographs", "--controls"]
    for more, side in ([], 64), (["--size", "48"], 48):
        run("evaluate.py", *arguments, *more)
        assert f"(1, 3, {side}, {side})" in capsys.readouterr().err
