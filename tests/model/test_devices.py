"""Every part computes on the device that its weights are on; `meta` stands for one, as it computes nothing."""

import contextlib
import typing as t

import pytest
import torch
from torch import Tensor, nn

from model.prior.flow import Flow, FlowConfig
from model.prior.priors import GaussianMixture, StandardNormal
from model.training.module import VAE
from model.training.optimizers import OptimizerConfig
from model.vae.losses import LossConfig
from model.vae.networks import Decoder, Encoder

from .conftest import TINY

PARTS: dict[str, tuple[t.Callable[[], nn.Module], tuple[int, ...]]] = {
    "encoder": (lambda: Encoder(TINY).eval(), (2, 3, 32, 32)),
    "decoder": (lambda: Decoder(TINY).eval(), (2, TINY.latent_dim)),
    "standard normal": (lambda: StandardNormal(5), (2, 5)),
    "mixture": (lambda: GaussianMixture(5, 3, 2), (2, 5)),
    "flow": (lambda: Flow(FlowConfig(5, width=8, depth=1)).eval(), (2, 5)),
}


@pytest.fixture(autouse=True)
def no_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is none on `meta`, and it says nothing of where tensors are."""
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


def test_the_objective_is_computed_where_the_weights_are() -> None:
    module = VAE(TINY, LossConfig(), OptimizerConfig()).to("meta")
    images, noise = torch.empty(2, 3, 32, 32, device="meta"), torch.empty(2, TINY.latent_dim, device="meta")
    assert {tensor.device.type for tensor in module.elbo(images, noise)[1:]} == {"meta"}
