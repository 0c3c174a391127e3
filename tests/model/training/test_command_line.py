import csv
import itertools
import logging
import logging.handlers
import pathlib
import typing as t

import pytest
import torch
import yaml

from model.data import batches
from model.release import released
from model.training import drifting
from model.training.command_line import RecipeCLI, train
from model.training.module import VAE
from model.vae.losses import Posterior


def weights(run: pathlib.Path) -> dict[str, torch.Tensor]:
    checkpoint = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    return checkpoint["state_dict"]  # type: ignore[no-any-return]


def test_a_run_leaves_logs_and_checkpoints(recipe: pathlib.Path, tmp_path: pathlib.Path) -> None:
    train([f"--recipe={recipe}", f"--out={tmp_path}"])
    assert {path.name for path in (tmp_path / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    with (tmp_path / "csv_1" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    last = [row for row in rows if row["val_psnr"]][-1]
    assert float(last["val_psnr"]) > 5
    assert float(last["val_kl"]) >= 0
    assert any((tmp_path / "tensorboard").iterdir())


def test_a_resumed_run_ends_bit_for_bit_where_the_unbroken_one_does(
    recipe: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All that carries a state from step to step: averages, the discriminator and its optimizer, the pictures that drift
    # from each other, the order of images.
    monkeypatch.setattr(drifting, "LEAST", 4)
    keys = [
        f"--recipe={recipe}",
        "--model.adversary.weight=0.5",
        "--model.adversary.drifting=1",
        "--data.balance=0.5",
        "--ema_decay=0.9",
    ]
    train([*keys, f"--out={tmp_path / 'whole'}"])

    def power_cut(self: VAE) -> None:
        if self.current_epoch == 1:
            raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(VAE, "on_train_epoch_start", power_cut)
        with pytest.raises(RuntimeError, match="power cut"):
            train([*keys, f"--out={tmp_path / 'parts'}"])
    train([*keys, f"--out={tmp_path / 'parts'}", "--resume"])
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert all(torch.equal(value, parts[name]) for name, value in whole.items())
    assert len(list((tmp_path / "parts").glob("csv_*/metrics.csv"))) == 2


def test_the_last_checkpoint_is_of_the_last_epoch_even_where_that_was_worse(
    recipe: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    validate = VAE.validation_step

    def worse_each_epoch(self: VAE, batch: torch.Tensor, batch_index: int) -> None:
        self.log("val_loss", float(self.current_epoch))
        with monkeypatch.context() as patch:
            patch.setattr(self, "log_dict", lambda *_, **__: None)
            validate(self, batch, batch_index)

    monkeypatch.setattr(VAE, "validation_step", worse_each_epoch)
    train([f"--recipe={recipe}", f"--out={tmp_path}"])
    epochs = {
        name: torch.load(tmp_path / "checkpoints" / f"{name}.ckpt", weights_only=True)["epoch"]
        for name in ("best", "last")
    }
    assert epochs == {"best": 0, "last": 1}


def test_a_finished_run_is_not_overwritten(recipe: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.ckpt").touch()
    with pytest.raises(ValueError, match="--resume"):
        train([f"--recipe={recipe}", f"--out={tmp_path}"])


def test_resuming_nothing_is_an_error(recipe: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match=r"there is no .*last\.ckpt"):
        train([f"--recipe={recipe}", f"--out={tmp_path}", "--resume"])


def test_a_run_is_not_resumed_with_another_network(recipe: pathlib.Path, tmp_path: pathlib.Path) -> None:
    train([f"--recipe={recipe}", f"--out={tmp_path}", "--trainer.max_epochs=1"])
    before = (tmp_path / "checkpoints" / "last.ckpt").read_bytes()
    with pytest.raises(ValueError, match=r"model\.network\.latents: 3, but the run to resume has 2"):
        train([f"--recipe={recipe}", f"--out={tmp_path}", "--resume", "--model.network.latents=3"])
    assert (tmp_path / "checkpoints" / "last.ckpt").read_bytes() == before


def test_a_run_is_resumed_for_more_epochs_at_another_weight_of_the_divergence(
    recipe: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    train([f"--recipe={recipe}", f"--out={tmp_path}", "--trainer.max_epochs=1"])
    train([f"--recipe={recipe}", f"--out={tmp_path}", "--trainer.max_epochs=2", "--resume", "--model.loss.beta=0.5"])
    checkpoint = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert checkpoint["epoch"] == 1
    assert checkpoint["hyper_parameters"]["loss"]["beta"] == 0.5


@pytest.mark.parametrize(
    ("argument", "named"),
    [
        ("--model.network.depth=3", "depth"),
        ("--model.loss.reconstruction=l1", "reconstruction"),
        ("--model.loss.beta=-1", "beta"),
        ("--model.loss.importance_samples=0", "importance_samples"),
        ("--model.loss.importance_samples=5", "importance_samples"),
        ("--data.batch_size=none", "batch_size"),
        ("--trainer.max_epoch=3", "max_epoch"),
        ("--trainer.logger=false", "trainer.logger"),
        ("--logger=comet", "logger"),
        ("--optimizer=SGD", "--optimizer"),
        ("--lr_scheduler=StepLR", "--lr_scheduler"),
    ],
)
def test_a_wrong_recipe_value_names_its_key(
    argument: str, named: str, recipe: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises((SystemExit, ValueError)) as caught:
        train([f"--recipe={recipe}", f"--out={tmp_path / 'run'}", argument])
    assert named in capsys.readouterr().err + str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["lightning.pytorch", "lightning.fabric"])
def test_no_advertisement_is_logged(name: str, recipe: pathlib.Path, tmp_path: pathlib.Path) -> None:
    log, said = logging.getLogger(name), logging.handlers.BufferingHandler(100)
    log.setLevel(logging.INFO)
    log.addHandler(said)
    try:
        RecipeCLI([f"--recipe={recipe}", f"--out={tmp_path}"])
    finally:
        log.removeHandler(said)
    assert [record.getMessage() for record in said.buffer] == []


def test_batches_of_one_step_have_their_own_noise_and_flips(
    recipe: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noises: list[torch.Tensor] = []
    elbo = VAE.elbo

    def watched(self: VAE, posterior: Posterior, images: torch.Tensor, noise: torch.Tensor) -> t.Any:
        if self.training:
            noises.append(noise)
        return elbo(self, posterior, images, noise)

    monkeypatch.setattr(VAE, "elbo", watched)
    draws: list[tuple[int, ...]] = []
    generator = batches.step_generator

    def drawn(seed: int, *place: int) -> torch.Generator:
        draws.append(place)
        return generator(seed, *place)

    monkeypatch.setattr(batches, "step_generator", drawn)
    keys = [f"--recipe={recipe}", f"--out={tmp_path}", "--data.batch_size=4"]
    train([*keys, "--trainer.max_epochs=1", "--trainer.accumulate_grad_batches=2"])
    assert len(noises) >= 4
    assert not any(torch.equal(one, other) for one, other in itertools.combinations(noises, 2))
    assert len(set(draws)) == len(draws) == len(noises)


def test_a_cycle_of_one_length_is_not_resumed_with_another(recipe: pathlib.Path, tmp_path: pathlib.Path) -> None:
    keys = [f"--recipe={recipe}", f"--out={tmp_path}", "--model.optimizer.schedule=one-cycle"]
    train([*keys, "--trainer.max_epochs=1"])
    with pytest.raises(ValueError, match=r"trainer\.max_epochs: .* the run to resume"):
        train([*keys, "--trainer.max_epochs=2", "--resume"])


def test_a_plateau_is_looked_for_whenever_the_run_is_validated(recipe: pathlib.Path, tmp_path: pathlib.Path) -> None:
    keys = ["--model.optimizer.schedule=plateau", "--trainer.check_val_every_n_epoch=2", "--trainer.max_epochs=3"]
    train([f"--recipe={recipe}", f"--out={tmp_path}", *keys])
    assert torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] == 2


def test_a_run_that_starts_from_weights_has_the_whole_divergence_from_its_first_step(
    recipe: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    train([f"--recipe={recipe}", f"--out={tmp_path / 'first'}", "--trainer.max_epochs=1"])
    start = tmp_path / "first" / "checkpoints" / "last.ckpt"
    keys = [f"--recipe={recipe}", "--model.loss.warmup_steps=1000", "--trainer.max_epochs=1"]
    cli = train([*keys, f"--out={tmp_path / 'tuned'}", f"--start_from={start}"])
    values = cli.trainer.callback_metrics
    whole = values["reconstruction_epoch"] + values["kl_epoch"]
    assert float(values["loss_epoch"]) == pytest.approx(float(whole), rel=1e-4)

    settings = torch.load(tmp_path / "tuned" / "checkpoints" / "last.ckpt", weights_only=True)["run"]
    assert settings["start_from"] == str(start)
    assert settings["trainer"]["max_epochs"] == 1
    assert settings["precision"] == "32-true"
    assert settings["trainer"]["gradient_clip_val"] == 1.0
    assert yaml.safe_load((tmp_path / "tuned" / "recipe.yaml").read_text())["trainer"] == settings["trainer"]
    assert released.load_checkpoint(tmp_path / "tuned" / "checkpoints" / "last.ckpt")[3]["run"] == settings
