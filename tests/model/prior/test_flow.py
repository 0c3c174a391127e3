import pathlib
import typing as t

import numpy as np
import pytest
import torch

from model.data.prepared import open_split
from model.prior import priors
from model.prior.flow import Flow, FlowConfig
from model.release import export, released
from model.training import flow_training
from model.training.optimizers import OptimizerConfig
from model.vae.networks import Encoder
from tests.model.release.test_export import tiny_release

from ..conftest import TINY

SMALL = FlowConfig(6, width=32, depth=2, dropout=0.0)


def two_clouds(count: int) -> priors.Array:
    rng = np.random.default_rng(count)
    clouds = [rng.normal(-3, 0.3, (3 * count, 6)), rng.normal(3, 0.3, (count, 6))]
    return np.concatenate(clouds).astype(np.float32)


class Stopping(flow_training.FlowTraining):
    """Stops after its second epoch."""

    def on_train_epoch_end(self) -> None:
        self.trainer.should_stop = self.current_epoch == 1


def trained(
    out: pathlib.Path,
    epochs: int,
    kind: t.Any = flow_training.FlowTraining,
    resume: bool = False,
    config: FlowConfig = SMALL,
) -> Flow:
    torch.manual_seed(0)
    training = kind(config, OptimizerConfig("adamw", 4e-3, schedule="cosine"))
    training.flow.standardise(torch.from_numpy(two_clouds(400)))
    flow_training.fit(training, two_clouds(400), two_clouds(50), 200, epochs, out, resume)
    return released.load_flow(out / flow_training.LAST)


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Flow:
    return trained(tmp_path_factory.mktemp("run"), 100)


@torch.inference_mode()
def test_samples_are_distributed_as_the_codes(flow: Flow) -> None:
    samples = flow(torch.randn(4000, 6, generator=torch.Generator().manual_seed(0)))
    # No single Gaussian has two clouds with nothing between them.
    assert (samples.mean(1).abs() < 1.5).float().mean().item() < 0.03
    assert (samples[:, 0] < 0).float().mean().item() == pytest.approx(0.75, abs=0.06)
    assert samples[samples[:, 0] > 0].mean().item() == pytest.approx(3, abs=0.3)


@torch.inference_mode()
def test_calm_narrow_axes_leave_the_wide_one(flow: Flow) -> None:
    noise = torch.randn(500, 6, generator=torch.Generator().manual_seed(0))
    full = flow.placed(flow(noise))
    flow.reduce_noise(1, 0.2)
    calm = flow.placed(flow(noise))
    flow.reduce_noise(1, 1.0)
    assert torch.allclose(flow.placed(flow(noise)), full, atol=1e-4)
    assert calm[:, 0].std().item() == pytest.approx(full[:, 0].std().item(), rel=0.1)
    assert calm[:, 1:].std().item() < 0.8 * full[:, 1:].std().item()


@pytest.mark.parametrize(("wide", "texture", "named"), [(7, 0.5, "wide axes: 7"), (3, 1.5, "texture: 1.5")])
def test_calm_names_what_is_out_of_range(wide: int, texture: float, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Flow(SMALL).reduce_noise(wide, texture)


def test_places_are_codes_on_orthonormal_axes_in_units() -> None:
    flow = Flow(SMALL)
    codes = torch.from_numpy(two_clouds(100))
    flow.standardise(codes)
    places = flow.placed(codes)
    assert torch.allclose(flow.axes @ flow.axes.T, torch.eye(6), atol=1e-5)
    assert torch.allclose(flow.origin + places * flow.unit @ flow.axes, codes, atol=1e-4)
    assert places.square().mean().item() == pytest.approx(1, abs=1e-4)
    deviations = places.std(0)
    assert torch.equal(deviations, deviations.sort(descending=True).values)


def test_a_released_flow_comes_back_and_its_bundle_gives_what_it_gives(flow: Flow, tmp_path: pathlib.Path) -> None:
    model = tiny_release()
    torch.manual_seed(1)
    model.prior = Flow(FlowConfig(TINY.latent_dim, width=32, depth=2)).eval()
    with torch.no_grad():
        for parameter in model.prior.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    released.save(model, tmp_path / "tiny.safetensors")
    again = released.load(tmp_path / "tiny.safetensors")
    manifest = export.write_bundle(again, "tiny-1", "", tmp_path / "bundle")  # compares both functions with the flow
    assert manifest["noise_dim"] == TINY.latent_dim
    noise = torch.randn(3, TINY.latent_dim)
    with torch.inference_mode():
        assert torch.allclose(again.prior(noise), model.prior(noise), atol=0.02)  # half precision


def test_a_run_that_stopped_goes_on_bit_for_bit(tmp_path: pathlib.Path) -> None:
    config = FlowConfig(6, width=32, depth=2, dropout=0.2)
    whole = trained(tmp_path / "whole", 4, config=config)
    half = trained(tmp_path / "parts", 4, Stopping, config=config)
    again = trained(tmp_path / "parts", 4, resume=True, config=config)
    assert not torch.equal(half.velocity.outward.weight, whole.velocity.outward.weight)
    for name, value in whole.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name


def test_varied_codes_are_new_and_the_same_again(prepared: pathlib.Path) -> None:
    torch.manual_seed(0)
    encoder, images = Encoder(TINY).eval(), open_split(prepared, "train")
    one, other = (flow_training.varied_codes(encoder, images, seed) for seed in (0, 1))
    assert one.shape == (len(images), TINY.latent_dim)
    assert not np.allclose(one, other)
    assert np.array_equal(one, flow_training.varied_codes(encoder, images, 0))


def test_something_else_than_a_flow_is_refused(tmp_path: pathlib.Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    with pytest.raises(ValueError, match=r"other\.ckpt: not a checkpoint of a flow"):
        released.load_flow(tmp_path / "other.ckpt")
