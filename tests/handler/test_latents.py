import typing as t

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from handler.latents import MAX_SEED, METHODS, Array, lerp, noise, slerp

seeds = st.integers(0, MAX_SEED)
indices = st.integers(0, 63)
latents = arrays(np.float32, (1, 5), elements=st.floats(-1e6, 1e6, width=32))
methods = st.sampled_from(list(METHODS.values()))


def test_noise_of_a_seed_is_the_same_on_every_machine_and_release() -> None:
    # If this fails, a new numpy draws other numbers, and every shared link shows other cars.
    expected = [-1.0157623, -0.9118677, -0.1237804, 0.1431629]
    np.testing.assert_allclose(noise(7, 3, 4)[0], expected, rtol=0, atol=1e-7)


@given(seeds, indices)
def test_noise_depends_on_seed_and_index_only(seed: int, index: int) -> None:
    np.testing.assert_array_equal(noise(seed, index, 8), noise(seed, index, 8))
    np.testing.assert_array_equal(noise(seed, index, 8)[:, :5], noise(seed, index, 5))


@given(st.sets(st.tuples(seeds, indices), min_size=2, max_size=5))
def test_no_two_cars_share_their_noise(names: set[tuple[int, int]]) -> None:
    assert len({noise(*name, 4).tobytes() for name in names}) == len(names)


def test_seeds_beyond_32_bits_do_not_collide_with_indices() -> None:
    assert not np.array_equal(noise(5, 1, 4), noise(5 + 2**32, 0, 4))


def test_noise_is_standard_normal() -> None:
    drawn = np.concatenate([noise(1, index, 4096) for index in range(16)])
    assert drawn.dtype == np.float32
    assert abs(drawn.mean()) < 0.02
    assert abs(drawn.std() - 1) < 0.02


@given(methods, latents, latents)
def test_ends_are_exact(method: t.Callable[[Array, Array, float], Array], start: Array, end: Array) -> None:
    np.testing.assert_array_equal(method(start, end, 0.0), start)
    np.testing.assert_array_equal(method(start, end, 1.0), end)


@given(methods, latents, latents, st.floats(0, 1))
def test_the_way_is_finite_and_no_longer_than_its_ends(
    method: t.Callable[[Array, Array, float], Array], start: Array, end: Array, share: float
) -> None:
    between = method(start, end, share)
    assert between.dtype == np.float32
    longest = max(np.linalg.norm(start.astype(float)), np.linalg.norm(end.astype(float)))
    assert np.linalg.norm(between.astype(float)) <= longest * (1 + 1e-6)


@given(methods, latents, latents, st.floats(0, 1))
def test_the_way_back_is_the_same(
    method: t.Callable[[Array, Array, float], Array], start: Array, end: Array, share: float
) -> None:
    scale = float(np.abs([start, end]).max()) or 1.0
    np.testing.assert_allclose(method(start, end, share), method(end, start, 1 - share), atol=1e-4 * scale)


def test_slerp_keeps_the_length_where_lerp_does_not() -> None:
    start, end = np.array([[3, 0]], np.float32), np.array([[0, 3]], np.float32)
    assert np.linalg.norm(slerp(start, end, 0.5)) == pytest.approx(3)
    assert np.linalg.norm(lerp(start, end, 0.5)) == pytest.approx(3 / 2**0.5)


@pytest.mark.parametrize("end", [[2, 2], [-1, -1], [0, 0]], ids=["parallel", "opposite", "zero"])
def test_slerp_is_straight_where_there_is_no_one_arc(end: list[float]) -> None:
    start, goal = np.array([[1, 1]], np.float32), np.array([end], np.float32)
    np.testing.assert_allclose(slerp(start, goal, 0.25), lerp(start, goal, 0.25))
