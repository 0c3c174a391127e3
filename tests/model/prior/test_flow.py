import pathlib

import numpy as np
import pytest
import torch

from model.prior import priors
from model.prior.flow import Flow, FlowConfig
from model.release import export, released
from tests.model.release.test_export import tiny_release

from ..conftest import TINY

SMALL = FlowConfig(6, width=32, depth=2, dropout=0.0)
GRID = FlowConfig(8, side=2, width=16, depth=1, dropout=0.0)


def two_clouds(count: int) -> priors.Array:
    rng = np.random.default_rng(count)
    clouds = [rng.normal(-3, 0.3, (3 * count, 6)), rng.normal(3, 0.3, (count, 6))]
    return np.concatenate(clouds).astype(np.float32)


@pytest.mark.parametrize(("wide", "texture", "named"), [(7, 0.5, "wide axes: 7"), (3, 1.5, "texture: 1.5")])
def test_noise_out_of_range_is_named(wide: int, texture: float, named: str) -> None:
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


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"latent_dim": 8, "side": 3}, "side: 8 latents are no grid of 3 x 3 cells"),
        ({"latent_dim": 8, "side": -1}, "side: 8 latents are no grid of -1 x -1 cells"),
        ({"latent_dim": 8, "side": 2, "width": 12}, "width: 12 is no multiple of 8"),
        ({"latent_dim": 8, "width": 0}, "width: 0 is not at least 1"),
    ],
)
def test_a_size_that_cannot_be_is_named(config: dict[str, int], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        FlowConfig(**config)


@torch.inference_mode()
def test_a_flow_on_a_grid_that_has_learnt_nothing_draws_gaussian_codes() -> None:
    generator = torch.Generator().manual_seed(0)
    mixed = torch.randn(8, 8, generator=generator)
    codes = 2 + torch.randn(4000, 8, generator=generator) @ mixed
    flow = Flow(GRID).eval()
    flow.standardise(codes)
    drawn = flow(torch.randn(4000, 8, generator=generator))
    assert torch.allclose(drawn.mean(0), codes.mean(0), atol=0.3)
    covariances = codes.T.cov(), drawn.T.cov()
    assert (covariances[1] - covariances[0]).norm() < 0.1 * covariances[0].norm()


@pytest.mark.parametrize("side", [0, 8])
def test_a_released_flow_comes_back_and_its_bundle_gives_what_it_gives(tmp_path: pathlib.Path, side: int) -> None:
    model = tiny_release()
    torch.manual_seed(1)
    model.prior = Flow(FlowConfig(TINY.latent_dim, side=side, width=32, depth=2)).eval()
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


def test_something_else_than_a_flow_is_refused(tmp_path: pathlib.Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    with pytest.raises(ValueError, match=r"other\.ckpt: not a checkpoint of a flow"):
        released.load_flow(tmp_path / "other.ckpt")


@torch.inference_mode()
def test_codes_keep_their_precision_in_training_with_half_of_it() -> None:
    """The narrowest axes are thousands of times narrower than the widest."""
    flow = Flow(SMALL).eval()
    codes = torch.from_numpy(two_clouds(100))
    flow.standardise(codes)
    places, drawn = flow.placed(codes), flow(torch.ones(2, 6))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(flow.placed(codes), places)
        assert torch.equal(flow(torch.ones(2, 6)), drawn)  # untrained, its velocity is zero
