import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch

from model.data import preparation
from model.vae import canvas
from tests import drawings


def letterboxed(width: int, height: int, size: int = 128) -> torch.Tensor:
    square = preparation.to_square(drawings.car(3, width, height), size)
    return torch.from_numpy(np.asarray(square, np.float32).transpose(2, 0, 1)[None] / 255)


@pytest.mark.parametrize(("width", "height"), [(176, 117), (117, 176), (150, 150), (176, 60)])
def test_measured_aspect_ratio_is_the_photographs(width: int, height: int) -> None:
    measured = canvas.log_aspect(letterboxed(width, height)).exp().item()
    assert measured == pytest.approx(width / height, rel=0.04)


def test_a_cut_out_car_loses_nothing_to_its_white_margins() -> None:
    image = torch.ones(1, 3, 64, 64)
    image[:, :, 16:48, 16:48] = 0.2
    aspect = canvas.log_aspect(image)
    returned = canvas.letterbox(canvas.stretch(image, aspect), aspect)
    assert (returned - image).abs().mean() < 0.01


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_blank_images_have_a_finite_aspect_ratio(level: float) -> None:
    measured = canvas.log_aspect(torch.full((2, 3, 32, 32), level))
    assert measured.isfinite().all()
    assert measured.abs().max() <= canvas.MAX_LOG_ASPECT


@hypothesis.given(st.floats(-3, 3), st.integers(0, 99))
@hypothesis.settings(max_examples=25, deadline=None)
def test_letterbox_leaves_bars_white_and_undoes_to_the_same_aspect_ratio(aspect: float, seed: int) -> None:
    content = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(seed)) * 0.9
    square = canvas.letterbox(content, torch.tensor([aspect]))
    clamped = float(np.clip(aspect, -canvas.MAX_LOG_ASPECT, canvas.MAX_LOG_ASPECT))
    # A bar is a whole number of pixels: two of them in 64 shift the ratio by up to a sixteenth at 4:1.
    assert canvas.log_aspect(square).item() == pytest.approx(clamped, abs=0.15)
    assert square.min() >= 0
    assert square.max() <= 1


def test_stretch_then_letterbox_returns_the_photograph() -> None:
    image = letterboxed(176, 117)
    aspect = canvas.log_aspect(image)
    returned = canvas.letterbox(canvas.stretch(image, aspect), aspect)
    assert (returned - image).abs().mean() < 0.02
    assert torch.equal(returned[:, :, :20], torch.ones_like(returned[:, :, :20]))


@hypothesis.given(st.floats(-1.3, 1.3), st.integers(0, 99))
@hypothesis.settings(max_examples=25, deadline=None)
def test_samples_are_those_of_grid_sample(aspect: float, seed: int) -> None:
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(seed))
    log_aspect = torch.tensor([aspect])
    centres = (torch.arange(32) * 2 + 1) / 32 - 1
    height, width = canvas.shares(log_aspect)
    grid = torch.stack(((centres * width).expand(1, 32, 32), (centres[:, None] * height).expand(1, 32, 32)), 3)
    expected = torch.nn.functional.grid_sample(image, grid, padding_mode="border", align_corners=False)
    assert torch.allclose(canvas.stretch(image, log_aspect), expected, atol=1e-5)
