import base64
import json
import pathlib
import re

import lightning as L
import numpy as np
import pytest

from model.report import animation, figures, report
from model.report.history import History, smooth
from model.training.command_line import train
from model.training.module import VAE


@pytest.fixture(scope="module")
def run(recipe: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A finished run of the tiny recipe."""
    folder = tmp_path_factory.mktemp("run")
    train([f"--recipe={recipe}", f"--out={folder}"])
    return folder


def test_a_run_leaves_a_report(run: pathlib.Path) -> None:
    names = {path.name for path in (run / "report").iterdir()}
    animations = {f"{name}.{kind}" for name in ("reconstructions", "random") for kind in ("gif", "mp4")}
    pictures = {"curves", "learning_rate", "reconstructions", "random", "random_fitted", "interpolations", "latents"}
    assert names == {f"{name}.png" for name in pictures} | animations | {"metrics.json", "report.html", "frames"}


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

    arguments = [f"--recipe={recipe}", f"--out={tmp_path}", "--report_every=1"]
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
        train([f"--recipe={recipe}", f"--out={tmp_path / 'run'}", "--report_every=-1"])


@pytest.mark.parametrize(("epochs", "most"), [(7, 7), (20, 10), (900, 10), (2000, 10)])
def test_reports_are_few(epochs: int, most: int) -> None:
    assert epochs // report.interval(epochs, report.REPORTS) <= most


def test_later_attempts_replace_the_steps_they_repeat(tmp_path: pathlib.Path) -> None:
    for attempt, lines in ((1, "0,0,5.0\n0,1,4.0\n1,2,9.0\n1,3,9.0\n"), (2, "1,2,3.0\n1,3,2.0\n")):
        folder = tmp_path / f"csv_{attempt}"
        folder.mkdir()
        (folder / "metrics.csv").write_text("epoch,step,loss_step\n" + lines)
    assert History(tmp_path).series("loss_step")[1].tolist() == [5, 4, 3, 2]


def test_a_run_without_logs_has_an_empty_history(tmp_path: pathlib.Path) -> None:
    assert len(History(tmp_path).series("loss")[1]) == 0


@pytest.mark.parametrize("length", [1, 2, 7, 500])
def test_smoothing_keeps_a_constant_and_the_length(length: int) -> None:
    assert smooth(np.full(length, 3.0)) == pytest.approx(np.full(length, 3.0))


def test_smoothing_leaves_less_noise_than_it_finds() -> None:
    noise = np.random.default_rng(0).normal(size=1000)
    assert smooth(noise).std() < 0.3 * noise.std()


def test_a_mosaic_shows_every_pixel(tmp_path: pathlib.Path) -> None:
    tile = np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8)
    drawn = figures.mosaic("One", [tile[None]])
    drawn.canvas.draw()  # type: ignore[no-untyped-call]
    shown = np.asarray(drawn.canvas.buffer_rgba())[..., :3]  # type: ignore[attr-defined]
    assert any(
        np.array_equal(shown[y : y + 100, x : x + 100], tile) for y in range(shown.shape[0] - 99) for x in (11, 12, 13)
    )


def test_an_animation_without_frames_is_no_file(tmp_path: pathlib.Path) -> None:
    animation.assemble(tmp_path / "frames", tmp_path / "film")
    assert list(tmp_path.iterdir()) == []


def test_long_runs_make_short_films(tmp_path: pathlib.Path) -> None:
    tile = np.zeros((1, 8, 8, 3), np.uint8)
    for epoch in range(animation.MOST + 30):
        tile += 1
        animation.add_frame(tmp_path / "frames", epoch, [tile])
    animation.assemble(tmp_path / "frames", tmp_path / "film")
    with animation.Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == animation.MOST  # type: ignore[attr-defined]


def test_reports_leave_the_random_numbers_of_training_alone(recipe: pathlib.Path, tmp_path: pathlib.Path) -> None:
    L.seed_everything(0)
    losses = []
    for every in (1, 5):
        train([f"--recipe={recipe}", f"--out={tmp_path / str(every)}", f"--report_every={every}"])
        losses.append(History(tmp_path / str(every)).series("loss_step")[1].tolist())
    assert losses[0] == losses[1]
