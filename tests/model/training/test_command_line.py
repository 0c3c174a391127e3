import csv
import dataclasses
import itertools
import logging
import logging.handlers
import pathlib
import typing as t

import lightning as L
import pytest
import torch
import yaml
from torch.utils.data import DataLoader

from model.data import batches, drawings
from model.data.prepared import Images, open_split
from model.release import released
from model.training import drifting, trainers
from model.training.adversary import AdversaryConfig
from model.training.command_line import RecipeCLI, train
from model.training.module import VAE
from model.training.optimizers import OptimizerConfig
from model.vae.losses import LossConfig, Posterior

from ..conftest import TINY


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


def validation_losses(module: VAE, images: torch.Tensor, batches: int) -> torch.Tensor:
    """What is logged as val_loss for the same images as so many batches."""
    logged: list[torch.Tensor] = []
    module.log_dict = lambda values, **_: logged.append(values["val_loss"])  # type: ignore[method-assign, misc, assignment]
    module.trainer = L.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    module.eval()
    with torch.no_grad():
        for index in range(batches):
            module.validation_step(images, index)
    return torch.stack(logged)


def test_the_validation_loss_is_the_negative_elbo_of_sampled_codes_at_the_variance_of_training() -> None:
    torch.manual_seed(0)
    trainers.quiet()
    network = dataclasses.replace(TINY, aspect=False)
    module = VAE(network, LossConfig("sigma"), OptimizerConfig())
    module.variance.fill_(0.02)
    module.encoder.posterior.bias.data[network.latents :] = 1.0  # wide posteriors, whose means say little of them
    module.decoder.body[0][0].weight.data *= 3
    images = torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        mean, log_variance = module.eval().encoder(images)
        posterior = torch.distributions.Normal(mean, (log_variance / 2).exp())
        pixels = [torch.distributions.Normal(module.decoder(posterior.sample()), 0.02**0.5) for _ in range(100)]
        divergence = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).sum(1)
        likelihoods = torch.stack([each.log_prob(images).sum((1, 2, 3)) for each in pixels])
    expected = (divergence - likelihoods.mean(0)).mean()
    losses = validation_losses(module, images, 60)
    assert float(losses.mean()) == pytest.approx(float(expected), abs=4 * float(losses.std()) / 60**0.5)
    assert len(set(losses.tolist())) == 60
    assert torch.equal(losses, validation_losses(module, images, 60))


def test_the_variance_of_the_pixels_is_that_of_training_and_is_kept(
    recipe: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    cli = train([f"--recipe={recipe}", f"--out={tmp_path}"])
    facts = released.load_checkpoint(tmp_path / "checkpoints" / "last.ckpt")[3]
    images = cli.datamodule.train.__getitems__(range(16)) / 255
    with torch.no_grad():
        error = (cli.model.decoder(cli.model.encoder(images)[0]) - images).square().mean()
    assert facts["variance"] == pytest.approx(float(error), rel=0.7)
    again = VAE(cli.model.network, cli.model.loss, cli.model.optimizer)
    again.trainer = cli.trainer
    again.on_load_checkpoint(torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True))
    assert float(again.variance) == pytest.approx(facts["variance"])


def test_the_importance_weighted_bound_is_trained_and_is_no_worse_than_the_elbo(
    recipe: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    keys = ["--model.loss.importance_samples=8", "--model.loss.reconstruction=bce", "--model.loss.warmup_steps=0"]
    cli = train([f"--recipe={recipe}", f"--out={tmp_path}", *keys, "--model.network.aspect=false"])
    values = cli.trainer.callback_metrics
    assert values["loss_epoch"] < values["reconstruction_epoch"] + values["kl_epoch"]
    assert values["val_loss"] < values["val_reconstruction"] + values["val_kl"]
    with pytest.raises(ValueError, match=r"importance_samples: 8 .* network\.aspect false"):
        train([f"--recipe={recipe}", f"--out={tmp_path / 'other'}", *keys])


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


def test_a_non_finite_step_is_skipped_and_counted() -> None:
    module = VAE(TINY, LossConfig(), OptimizerConfig())
    module.log = lambda *_, **__: None  # type: ignore[method-assign, misc, assignment]
    optimizer = torch.optim.AdamW(module.parameters())
    before = {name: value.clone() for name, value in module.state_dict().items()}
    images = torch.full((4, 3, 32, 32), torch.nan)
    _, reconstruction, kl = module.elbo(module.posterior(images), images, torch.zeros(4, TINY.latent_dim))
    (reconstruction + kl).backward()
    module.on_before_optimizer_step(optimizer)
    optimizer.step()
    assert module.skipped_steps == 1
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_a_skipped_step_leaves_the_mean_of_its_epoch_a_number() -> None:
    trainers.quiet()
    steps = [torch.rand(4, 3, 32, 32), torch.full((4, 3, 32, 32), torch.nan)]
    quick: dict[str, t.Any] = {"accelerator": "cpu", "logger": False, "enable_checkpointing": False}
    quick |= {"enable_progress_bar": False, "enable_model_summary": False, "max_epochs": 1, "num_sanity_val_steps": 0}
    trainer = L.Trainer(**quick)
    loaders = [DataLoader(part, batch_size=None) for part in (steps, steps[:1])]  # type: ignore[arg-type, var-annotated]
    trainer.fit(VAE(TINY, LossConfig(), OptimizerConfig()), *loaders)
    means = {name: value for name, value in trainer.callback_metrics.items() if name.endswith("_epoch")}
    assert all(value.isfinite() for value in means.values())
    assert means["psnr_epoch"] > 1


def test_training_starts_from_released_weights(recipe: pathlib.Path, tmp_path: pathlib.Path) -> None:
    train([f"--recipe={recipe}", f"--out={tmp_path / 'first'}"])
    start = tmp_path / "first" / "checkpoints" / "last.ckpt"
    network, encoder, _, _ = released.load_checkpoint(start)
    module = VAE(network, LossConfig(), OptimizerConfig())
    module.start_from(start)
    assert torch.equal(next(module.encoder.parameters()), next(encoder.parameters()))
    other = VAE(dataclasses.replace(network, slope=0.3), LossConfig(), OptimizerConfig())
    with pytest.raises(ValueError, match="another network"):
        other.start_from(start)


def test_a_decoder_grows_by_a_doubling_whose_layers_learn_first(recipe: pathlib.Path, tmp_path: pathlib.Path) -> None:
    train([f"--recipe={recipe}", f"--out={tmp_path / 'small'}"])
    start = tmp_path / "small" / "checkpoints" / "last.ckpt"
    network, small, _, _ = released.load_checkpoint(start)
    grown = dataclasses.replace(
        network, image_size=64, halved=True, decoder_widths=(*network.outward, 4), decoder_blocks=(1, 0, 1)
    )
    config = AdversaryConfig(weight=1.0, start_step=2)
    module = VAE(grown, LossConfig(), OptimizerConfig(), config)
    module.start_from(start)
    images = torch.rand(2, 3, 64, 64)
    halves = torch.nn.functional.avg_pool2d(images, 2)
    assert torch.allclose(module.encoder.eval()(images)[0], small(halves)[0], atol=1e-5)
    assert module.decoder.eval()(small(halves)[0]).shape == images.shape

    folder = tmp_path / "data"
    drawings.write_cars(folder, 64, 16, 8)
    keys = [f"--recipe={recipe}", f"--data.folder={folder}", f"--start_from={start}", f"--out={tmp_path / 'large'}"]
    keys += ["--model.network.image_size=64", "--model.network.halved=true", "--model.adversary.weight=1"]
    keys += ["--model.network.decoder_widths=[16,8,4]", "--model.network.decoder_blocks=[1,0,1]"]
    train([*keys, "--model.adversary.start_step=99"])
    before, after = (weights(tmp_path / name) for name in ("small", "large"))
    kept = [name for name in before if name.startswith("decoder.") and name in after]
    assert len(kept) > 5
    assert all(torch.equal(before[name], after[name]) for name in kept if before[name].shape == after[name].shape)
    assert all(torch.equal(value, after[name]) for name, value in before.items() if name.startswith("encoder."))
    assert any(after[name] > 0 for name in after if name.endswith("num_batches_tracked") and name not in before)


def test_the_average_forgets_the_untrained_weights() -> None:
    update = trainers.averaging(0.999)
    average = torch.tensor(100.0)
    for step in range(200):
        average = update(average, torch.tensor(1.0), step)
    assert average.item() == pytest.approx(1, abs=0.05)


def test_batches_come_in_an_order_that_depends_on_the_epoch_only(prepared: pathlib.Path) -> None:
    images = open_split(prepared, "train")
    batch = images.__getitems__([2, 0])
    assert batch.shape == (2, 3, 32, 32)
    assert torch.equal(batch[1], images[0])


def test_balance_draws_small_folders_as_often_as_large_ones(prepared: pathlib.Path) -> None:
    images = open_split(prepared, "train")
    few = [row for row, folder in enumerate(images.folders) if folder == "wide"][:3]
    kept = [row for row, folder in enumerate(images.folders) if folder == "tall" or row in few]
    images.rows, images.folders = images.rows[kept], [images.folders[row] for row in kept]
    drawn = [row for epoch in range(60) for row in sampled(images, epoch)]
    share = sum(images.folders[row] == "wide" for row in drawn) / len(drawn)
    assert share == pytest.approx(0.5, abs=0.06)


def sampled(images: Images, epoch: int) -> list[int]:
    sampler = batches.BalancedSampler(images, 1.0, 1, 0, seed=0)
    sampler.set_epoch(epoch)
    assert list(sampler) == list(sampler)
    return list(sampler)


@pytest.mark.parametrize("split", ["nothing"])
def test_a_missing_split_is_named(prepared: pathlib.Path, split: str) -> None:
    with pytest.raises(ValueError, match="nothing"):
        open_split(prepared, split)  # type: ignore[arg-type]


def test_a_folder_without_prepared_data_says_how_to_make_it(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match="prepare_data"):
        open_split(tmp_path, "train")


def test_a_first_step_that_is_skipped_leaves_the_averages_that_it_started_from() -> None:
    module = VAE(TINY, LossConfig(), OptimizerConfig())
    module.log = lambda *_, **__: None  # type: ignore[method-assign, misc, assignment]
    for name, buffer in module.named_buffers():
        if name.endswith("running_mean"):
            buffer.fill_(0.25)  # as --start_from or --resume bring them
    module.on_train_start()
    images = torch.full((4, 3, 32, 32), torch.nan)
    _, reconstruction, kl = module.elbo(module.posterior(images), images, torch.zeros(4, TINY.latent_dim))
    (reconstruction + kl).backward()
    module.on_before_optimizer_step(torch.optim.AdamW(module.parameters()))
    assert all((buffer == 0.25).all() for name, buffer in module.named_buffers() if name.endswith("running_mean"))


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
    assert settings["trainer"]["gradient_clip_val"] == 1.0
    assert yaml.safe_load((tmp_path / "tuned" / "recipe.yaml").read_text())["trainer"] == settings["trainer"]
    assert released.load_checkpoint(tmp_path / "tuned" / "checkpoints" / "last.ckpt")[3]["run"] == settings


def test_a_run_of_the_second_stage_from_an_earlier_version_is_not_resumed() -> None:
    module = VAE(TINY, LossConfig(), OptimizerConfig(), AdversaryConfig(weight=1.0))
    with pytest.raises(ValueError, match="--start_from"):
        module.on_load_checkpoint({"hyper_parameters": {"network": module.hparams["network"]}})
