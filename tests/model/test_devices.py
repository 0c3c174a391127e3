"""Every part computes on the device that its weights are on; `meta` stands for one, as it computes nothing."""

import contextlib
import typing as t

import pytest
import torch
from torch import Tensor, nn

from model.evaluation.judge import Judge
from model.prior.flow import Flow, FlowConfig
from model.prior.priors import GaussianMixture, StandardNormal
from model.training import drifting
from model.training.adversary import Adversary, AdversaryConfig
from model.training.flow_training import FlowTraining
from model.training.module import VAE
from model.training.optimizers import OptimizerConfig
from model.vae.losses import LossConfig, Reconstruction
from model.vae.networks import Decoder, Encoder
from model.vae.perception import Perception

from .conftest import TINY

PARTS: dict[str, tuple[t.Callable[[], nn.Module], tuple[int, ...]]] = {
    "encoder": (lambda: Encoder(TINY).eval(), (2, 3, 32, 32)),
    "decoder": (lambda: Decoder(TINY).eval(), (2, TINY.latent_dim)),
    "standard normal": (lambda: StandardNormal(5), (2, 5)),
    "mixture": (lambda: GaussianMixture(5, 3, 2), (2, 5)),
    "flow": (lambda: Flow(FlowConfig(5, width=8, depth=1)).eval(), (2, 5)),
    "flow on a grid": (lambda: Flow(FlowConfig(8, side=2, width=8, depth=1)).eval(), (2, 8)),
    "perception": (lambda: Perception().eval(), (2, 3, 64, 64)),
    "judge": (lambda: Judge().eval(), (2, 3, 32, 32)),
}


@pytest.fixture(autouse=True)
def no_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turn off autocast: `meta` has none, and it has no effect on where tensors are."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())


def tensors(outputs: t.Any) -> list[Tensor]:
    if isinstance(outputs, Tensor):
        return [outputs]
    return [tensor for output in outputs for tensor in tensors(output)]


@pytest.mark.parametrize("part", PARTS)
def test_a_part_computes_where_its_weights_are(part: str) -> None:
    make, shape = PARTS[part]
    outputs = tensors(make().to("meta")(torch.empty(shape, device="meta")))
    assert outputs
    assert {output.device.type for output in outputs} == {"meta"}


@pytest.mark.parametrize("kind", t.get_args(Reconstruction))
def test_the_objective_is_computed_where_the_weights_are(kind: Reconstruction) -> None:
    module = VAE(TINY, LossConfig(kind), OptimizerConfig()).to("meta")
    images, noise = torch.empty(2, 3, 32, 32, device="meta"), torch.empty(2, TINY.latent_dim, device="meta")
    assert {tensor.device.type for tensor in module.elbo(module.posterior(images), images, noise)[1:]} == {"meta"}


def test_the_flows_loss_is_computed_where_its_weights_are() -> None:
    training = FlowTraining(FlowConfig(5, width=8, depth=1), OptimizerConfig()).to("meta")
    assert training.velocity_error(torch.empty(4, 5, device="meta"), torch.Generator()).device.type == "meta"


def test_the_discriminators_terms_are_computed_where_their_weights_are() -> None:
    adversary = Adversary(AdversaryConfig(weight=1.0, drawn=2, midpoints=2), 160)
    adversary.prepare(torch.rand(2, 3, 160, 160), StandardNormal(5))
    adversary.to("meta")
    generator = torch.Generator().manual_seed(0)
    assert adversary.beside(torch.empty(3, 5, device="meta"), generator).device.type == "meta"
    photographs, decoded = torch.empty(2, 3, 160, 160, device="meta"), torch.empty(4, 3, 160, 160, device="meta")
    for view in adversary.views(photographs, decoded, generator):
        assert {tensor.device.type for tensor in view} == {"meta"}
        maps = adversary.perception(view.decoded)
        assert {scores.device.type for each in adversary.discriminators for scores in each(maps)} == {"meta"}


def test_drift_is_computed_where_the_features_are() -> None:
    photographs = torch.empty(6, 4, device="meta")
    assert drifting.unit(photographs).device.type == "meta"
    drift = drifting.drift(photographs[:3], photographs, torch.empty(5, 4, device="meta"))
    assert drift.device.type == "meta"
