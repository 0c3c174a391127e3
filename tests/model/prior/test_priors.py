import numpy as np
import pytest
import torch

from model.prior import priors


def two_clouds() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(-4, 0.5, (300, 6)), rng.normal(4, 0.5, (100, 6))]).astype(np.float32)


@pytest.fixture(scope="module")
def mixture() -> priors.GaussianMixture:
    return priors.fit_gaussian_mixture(two_clouds(), axes=4, components=2)


def test_samples_are_distributed_as_the_codes(mixture: priors.GaussianMixture) -> None:
    noise = torch.randn(4000, mixture.noise_dim, generator=torch.Generator().manual_seed(0))
    samples = mixture(noise)
    assert (samples[:, 0] < 0).float().mean().item() == pytest.approx(0.75, abs=0.03)
    assert torch.allclose(samples.mean(0), torch.full((6,), -2.0), atol=0.3)
    assert samples[samples[:, 0] > 0].mean().item() == pytest.approx(4, abs=0.2)


def test_scaling_the_noise_never_changes_the_component(mixture: priors.GaussianMixture) -> None:
    noise = torch.randn(200, mixture.noise_dim)
    assert torch.equal(mixture(noise)[:, 0] > 0, mixture(noise * 0.01)[:, 0] > 0)


def test_too_few_codes_are_named() -> None:
    with pytest.raises(ValueError, match="3 codes of 6 numbers"):
        priors.fit_gaussian_mixture(two_clouds()[:3], axes=4, components=2)


def test_directions_are_unit_vectors_by_falling_deviation() -> None:
    directions = priors.principal_directions(two_clouds(), 3)
    assert [np.linalg.norm(direction["vector"]) for direction in directions] == pytest.approx([1, 1, 1], abs=1e-3)
    assert directions[0]["sd"] >= directions[1]["sd"] >= directions[2]["sd"]


def test_directions_tell_where_the_middle_of_the_codes_lies() -> None:
    codes = two_clouds()
    for direction in priors.principal_directions(codes, 3):
        along = codes @ np.array(direction["vector"])
        assert along.mean() == pytest.approx(direction["mean"], abs=1e-3)
        assert along.std(ddof=1) == pytest.approx(direction["sd"], rel=1e-3)


def test_directions_along_which_few_codes_do_not_vary_are_left_out() -> None:
    directions = priors.principal_directions(two_clouds()[:4])
    assert len(directions) == 3
    assert all(direction["sd"] > 0 for direction in directions)


def test_only_named_directions_are_kept_and_too_many_names_are_refused() -> None:
    names = [direction["name"] for direction in priors.principal_directions(two_clouds(), 3, ["turn", "colour"])]
    assert names == ["turn", "colour"]
    unnamed = [direction["name"] for direction in priors.principal_directions(two_clouds(), 2)]
    assert unnamed == ["direction 1", "direction 2"]
    with pytest.raises(ValueError, match="3 names for 2 directions: turn, colour, height"):
        priors.principal_directions(two_clouds(), 2, ["turn", "colour", "height"])
