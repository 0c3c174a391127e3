import pathlib

import numpy as np
import pytest
import torch
from torch import Tensor

from model.prior.flow import FlowConfig
from model.prior.priors import Array
from model.release import released
from model.training import flow_training, refinement
from model.training.optimizers import OptimizerConfig
from model.training.refinement import Refinement
from model.vae.networks import Decoder, NetworkConfig

FLOW = FlowConfig(4, width=8, depth=1)


def decoder(channels: int = 1, aspect: bool = False) -> Decoder:
    torch.manual_seed(0)
    network = NetworkConfig(16, channels, linear=True, widths=(8,), latents=4, aspect=aspect)
    return Decoder(network).eval()


def codes(count: int) -> Array:
    """Codes far from where an untrained flow, which gives its noise back, draws."""
    places = torch.randn(count, 4, generator=torch.Generator().manual_seed(1))
    return (0.3 * places + 3).numpy()


def fit(out: pathlib.Path, epochs: int, resume: bool = False) -> Refinement:
    torch.manual_seed(3)
    training = Refinement(FLOW, OptimizerConfig("adam", 1e-3), decoder())
    flow_training.fit(training, codes(640), codes(32), 32, epochs, out, resume, decay=0.9)
    return training


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refinement, "WARM_UP", 10)
    monkeypatch.setattr(refinement, "RISE", 10)


def drawn(training: Refinement) -> Tensor:
    noise = torch.randn(200, 4, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        return training.pictures(training.flow(noise))


def test_the_flow_learns_from_what_the_critic_sees(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Its own loss on codes would teach it, too.
    monkeypatch.setattr(Refinement, "velocity_error", lambda *_: torch.zeros((), requires_grad=True))
    before = Refinement(FLOW, OptimizerConfig(), decoder())
    after = fit(tmp_path, 10)
    with torch.inference_mode():
        real = after.pictures(torch.from_numpy(codes(200))).mean(0)
        far, near = ((drawn(each).mean(0) - real).abs().mean() for each in (before, after))
    assert near < 0.5 * far


def test_the_decoder_stays_as_it_is_and_out_of_checkpoints(tmp_path: pathlib.Path) -> None:
    fresh, training = Refinement(FLOW, OptimizerConfig(), decoder()), fit(tmp_path, 1)
    with torch.inference_mode():
        before, after = (each.pictures(torch.from_numpy(codes(8))) for each in (fresh, training))
    assert torch.equal(before, after)
    kept = torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"]
    assert {name.partition(".")[0] for name in kept} == {"flow", "critic"}
    assert released.load_flow(tmp_path / "last.ckpt").noise_dim == 4


def test_a_resumed_refinement_is_the_one_that_never_stopped(tmp_path: pathlib.Path) -> None:
    fit(tmp_path / "whole", 2)
    fit(tmp_path / "parts", 1)
    fit(tmp_path / "parts", 2, resume=True)
    whole, parts = (
        torch.load(tmp_path / run / "last.ckpt", weights_only=True)["state_dict"] for run in ("whole", "parts")
    )
    assert all(torch.equal(value, parts[name]) for name, value in whole.items())


@pytest.mark.parametrize(("channels", "aspect"), [(1, False), (3, False), (1, True), (3, True)])
def test_variations_keep_shape_and_aspect_ratio(channels: int, aspect: bool) -> None:
    training = Refinement(FLOW, OptimizerConfig(), decoder(channels, aspect))
    pictures = training.pictures(torch.from_numpy(codes(6)))
    assert pictures.shape == (6, channels + aspect, 16, 16)
    varied = training.varied(pictures, torch.Generator().manual_seed(4))
    assert varied.shape == pictures.shape
    assert not torch.equal(varied[:, :channels], pictures[:, :channels])
    assert torch.equal(varied[:, channels:], pictures[:, channels:])
    assert training.critic(varied).shape == (6, 2)


def test_no_variation_is_the_same_for_every_picture() -> None:
    training = Refinement(FLOW, OptimizerConfig(), decoder())
    one = training.pictures(torch.from_numpy(codes(1))).expand(40, -1, -1, -1)
    varied = training.varied(one, torch.Generator().manual_seed(4))
    assert len(np.unique(varied.mean((1, 2, 3)).detach().numpy().round(4))) > 30
