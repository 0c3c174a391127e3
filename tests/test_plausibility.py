"""Serving measures plausibility exactly as export did: neither side imports the other."""

import typing as t

import numpy as np
import pytest
import torch

from handler import plausibility as served
from handler.bundle import Plausibility
from model.data import prepared
from model.release import plausibility as measured

SIZE, LATENTS = 16, 32

pytestmark = pytest.mark.unit


class Encoder(torch.nn.Module):
    """Pixels of the upper rows as latents; sure where they are bright."""

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        latents = images.flatten(1)[:, :LATENTS]
        return latents, -latents


class Decoder(torch.nn.Module):
    """The latents' mean everywhere."""

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return latents.mean(1)[:, None, None, None].expand(-1, 3, SIZE, SIZE)


@pytest.fixture(scope="module")
def images() -> np.ndarray[t.Any, np.dtype[np.uint8]]:
    """Smooth pictures: each of one brightness, with a little grain."""
    random = np.random.default_rng(0)
    light = random.integers(60, 200, (300, 1, 1, 1))
    return np.clip(light + random.integers(-20, 20, (300, SIZE, SIZE, 3)), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def facts(images: np.ndarray[t.Any, np.dtype[np.uint8]]) -> dict[str, t.Any]:
    train, val = prepared.Images(images, range(200)), prepared.Images(images, range(200, 300))
    found = measured.fit(Encoder(), Decoder(), train, val)
    assert found
    return found


def distance(facts: dict[str, t.Any], image: np.ndarray[t.Any, t.Any]) -> float:
    """As the server measures an upload ``(S, S, 3)``."""
    known = Plausibility(facts["groups"], facts["mean"], facts["precision"], facts["threshold"])
    pixels = torch.from_numpy(image.astype(np.float32) / 255).permute(2, 0, 1)[None]
    mean, log_variance = Encoder()(pixels)
    return served.distance(known, mean.numpy(), log_variance.numpy(), pixels.numpy(), Decoder()(mean).numpy())


def test_two_in_a_hundred_validation_pictures_are_above_the_threshold(
    facts: dict[str, t.Any], images: np.ndarray[t.Any, np.dtype[np.uint8]]
) -> None:
    above = sum(distance(facts, image) > facts["threshold"] for image in images[200:])
    assert above == 2


def test_pictures_of_another_kind_are_above_it(facts: dict[str, t.Any]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (SIZE, SIZE, 3))
    assert distance(facts, noise) > facts["threshold"]
    assert distance(facts, np.zeros((SIZE, SIZE, 3))) > facts["threshold"]


def test_few_photographs_say_nothing(images: np.ndarray[t.Any, np.dtype[np.uint8]]) -> None:
    few = prepared.Images(images, range(measured.FEWEST - 1))
    assert measured.fit(Encoder(), Decoder(), few, few) is None
