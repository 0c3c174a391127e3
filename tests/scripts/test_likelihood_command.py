"""scripts/likelihood.py on an untrained network and drawn digits."""

import csv
import pathlib

import pytest
import torch

from model.data import drawings
from model.training.module import VAE
from model.training.optimizers import OptimizerConfig
from model.vae.losses import LossConfig
from model.vae.networks import NetworkConfig

from .test_learning_commands import RELEASED, run

NETWORK = NetworkConfig(image_size=28, channels=1, linear=True, widths=(16,), latents=4, centred=False)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("digits")
    drawings.write_digits(folder / "data", 12, 8)
    return save(folder, VAE(NETWORK, LossConfig("bce"), OptimizerConfig()))


def save(folder: pathlib.Path, module: VAE) -> pathlib.Path:
    values = {
        "hyper_parameters": dict(module.hparams),
        "state_dict": module.state_dict(),
        "epoch": 4,
        "global_step": 10,
        "datamodule_hyper_parameters": {"folder": str(folder / "data"), "binarise": True, "seed": 0},
        "run": {"name": "digits"},
    }
    path = folder / f"{module.loss.reconstruction}.ckpt"
    torch.save(values, path)
    return path


def test_the_likelihood_of_the_test_split_is_printed_and_kept(
    checkpoint: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "likelihood.csv"
    for samples in (5, 40):
        assert run("likelihood.py", checkpoint, "--images", 6, "--samples", samples, "--out", out) == 0
    said = capsys.readouterr().out
    assert "after epoch 5, 6 images of test" in said
    assert "negative log-likelihood, 40 codes" in said
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["samples"] for row in rows] == ["5", "40"]
    # An untrained network leaves each of 784 pixels to chance.
    assert all(0.8 * 543 < float(row["nll"]) < float(row["elbo"]) < 1.5 * 543 for row in rows)
    assert all(len(row["checkpoint"]) == 64 for row in rows)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--images", 0], "--images: 0 is not at least 1"),
        (["--samples", 0], "--samples: 0 is not at least 1"),
        (["--data", "nowhere"], "nowhere"),
    ],
)
def test_a_wrong_option_is_one_line_that_names_it(
    checkpoint: pathlib.Path, arguments: list[object], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("likelihood.py", checkpoint, *arguments) == 1
    said = capsys.readouterr().err
    assert named in said
    assert len(said.splitlines()) == 1


def test_weights_without_a_likelihood_are_refused(checkpoint: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    older = save(checkpoint.parent, VAE(NETWORK, LossConfig("sigma"), OptimizerConfig()))
    assert run("likelihood.py", older) == 1
    assert "does not say what variance its pixels have" in capsys.readouterr().err
    assert run("likelihood.py", RELEASED) == 1
    assert "carvae.safetensors: not a training checkpoint" in capsys.readouterr().err
