import numpy as np
import torch

from model.evaluation import functions
from model.evaluation.functions import Array


class Doubling:
    """Codes are the first three pixels; pictures and random codes twice what comes in."""

    def encode(self, images: Array) -> tuple[Array, Array]:
        flat = images.reshape(len(images), -1)[:, :3]
        return flat, np.zeros_like(flat)

    def decode(self, latents: Array) -> Array:
        assert latents.flags.c_contiguous
        return 2 * latents[:, :, None, None]

    def prior(self, noise: Array) -> Array:
        return 2 * noise


MODEL = functions.model(
    Doubling(),
    lambda seed, index: np.array([[seed, index, 0]], np.float32),
    {"lerp": lambda one, other, share: (1 - share) * one + share * other},
)


def test_a_code_is_the_mean() -> None:
    images = torch.rand(4, 3, 2, 2)
    assert torch.equal(MODEL.encode(images), images.flatten(1)[:, :3])


def test_codes_in_any_layout_are_decoded() -> None:
    codes = torch.rand(3, 2).T
    assert torch.equal(MODEL.decode(codes), 2 * codes[:, :, None, None])


def test_random_cars_are_those_of_the_seed_in_their_order() -> None:
    assert MODEL.random(7, 3).tolist() == [[14, 0, 0], [14, 2, 0], [14, 4, 0]]


def test_ways_between_codes_keep_their_names() -> None:
    assert MODEL.between["lerp"](torch.zeros(1, 3), torch.ones(1, 3), 0.25).tolist() == [[0.25] * 3]
