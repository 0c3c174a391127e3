import base64
import json
import pathlib
import re

import lightning as L
import pytest

from model.report import report
from model.report.history import History
from model.training.command_line import train
from model.training.module import VAE

pytestmark = pytest.mark.slow  # they train


@pytest.fixture(scope="module")
def run(recipe: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A finished run of the tiny recipe."""
    folder = tmp_path_factory.mktemp("run")
    train([f"--recipe={recipe}", f"--out={folder}", "--report=true"])
    return folder


def test_a_run_leaves_a_report(run: pathlib.Path) -> None:
    names = {path.name for path in (run / "report").iterdir()}
    animations = {f"{name}.{kind}" for name in ("reconstructions", "random") for kind in ("gif", "mp4")}
    pictures = {"curves", "learning_rate", "reconstructions", "random", "random_fitted", "interpolations", "latents"}
    assert names == {f"{name}.png" for name in pictures} | animations | {"metrics.json", "report.html", "frames"}


def test_a_run_without_a_report_has_none(recipe: pathlib.Path, tmp_path: pathlib.Path) -> None:
    train([f"--recipe={recipe}", f"--out={tmp_path}", "--report=false", "--trainer.max_epochs=1"])
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoints", "csv_1", "recipe.yaml", "tensorboard"}


def test_frames_start_with_the_untrained_network(run: pathlib.Path) -> None:
    frames = sorted(path.stem for path in (run / "report" / "frames" / "random").iterdir())
    assert frames == ["epoch_000000", "epoch_000001", "epoch_000002"]


def test_the_numbers_are_those_of_the_log(run: pathlib.Path) -> None:
    summary = json.loads((run / "report" / "metrics.json").read_text())
    _, losses = History(run).series("val_loss")
    assert summary["epochs"] == 2
    assert summary["history"]["val_loss"] == pytest.approx(losses, abs=1e-4)
    assert summary["last"]["loss"] == summary["history"]["loss"][-1]
    assert summary["recipe"]["network"]["latents"] == 2


def test_the_page_needs_no_other_file(run: pathlib.Path) -> None:
    page = (run / "report" / "report.html").read_text()
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(sources) == 9
    for source in sources:
        kind, _, content = source.partition(";base64,")
        assert kind in {"data:image/png", "data:video/mp4"}
        assert base64.b64decode(content, validate=True)


def test_a_run_stopped_by_ctrl_c_leaves_a_report_and_resuming_goes_on_with_it(
    recipe: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ctrl_c(self: VAE) -> None:
        if self.current_epoch == 1:
            raise KeyboardInterrupt

    arguments = [f"--recipe={recipe}", f"--out={tmp_path}", "--report=true", "--report_every=1"]
    with monkeypatch.context() as patch:
        patch.setattr(VAE, "on_train_epoch_start", ctrl_c)
        with pytest.raises(SystemExit):
            train(arguments)
    summary = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert summary["epochs"] == 1
    assert (tmp_path / "report" / "report.html").exists()
    train([*arguments, "--resume"])
    summary = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert len(summary["history"]["val_loss"]) == len(summary["history"]["loss"]) == 2
    assert len(list((tmp_path / "report" / "frames" / "random").iterdir())) == 3


def test_a_negative_interval_is_refused(recipe: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match="report_every: -1"):
        train([f"--recipe={recipe}", f"--out={tmp_path / 'run'}", "--report=true", "--report_every=-1"])


def test_reports_leave_the_random_numbers_of_training_alone(recipe: pathlib.Path, tmp_path: pathlib.Path) -> None:
    L.seed_everything(0)
    losses = []
    for wanted in ("true", "false"):
        train([f"--recipe={recipe}", f"--out={tmp_path / wanted}", f"--report={wanted}", "--report_every=1"])
        losses.append(History(tmp_path / wanted).series("loss_step")[1].tolist())
    assert losses[0] == losses[1]


@pytest.mark.parametrize(("epochs", "most"), [(7, 7), (20, 10), (900, 10), (2000, 10)])
def test_reports_are_few(epochs: int, most: int) -> None:
    assert epochs // report.interval(epochs, report.REPORTS) <= most
