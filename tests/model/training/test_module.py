import dataclasses
import pathlib
import typing as t

import lightning as L
import pytest
import torch
from torch.utils.data import DataLoader

from model.data import drawings
from model.release import released
from model.training import trainers
from model.training.adversary import AdversaryConfig
from model.training.command_line import train
from model.training.module import VAE
from model.training.optimizers import OptimizerConfig
from model.vae.losses import LossConfig

from ..conftest import TINY


def weights(run: pathlib.Path) -> dict[str, torch.Tensor]:
    checkpoint = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    return checkpoint["state_dict"]  # type: ignore[no-any-return]


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


def test_a_run_of_the_second_stage_from_an_earlier_version_is_not_resumed() -> None:
    module = VAE(TINY, LossConfig(), OptimizerConfig(), AdversaryConfig(weight=1.0))
    with pytest.raises(ValueError, match="--start_from"):
        module.on_load_checkpoint({"hyper_parameters": {"network": module.hparams["network"]}})
