"""PNG: every reader gets the pixels back, and no file is larger than Pillow's would be."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from handler import png

from .. import drawings


@given(st.sampled_from(["L", "RGB"]), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
@settings(max_examples=50)
def test_a_reader_gets_the_pixels_back(mode: str, width: int, height: int, seed: int) -> None:
    shape = (height, width, 3)[: len(mode) if mode == "RGB" else 2]
    # Few levels, so that neighbours are often equal and the order among them matters.
    levels = 256 if seed % 2 else 3
    image = Image.fromarray(np.random.default_rng(seed).integers(0, levels, shape).astype(np.uint8))
    with Image.open(io.BytesIO(png.encode(image))) as back:
        assert (back.format, back.mode, back.size) == ("PNG", mode, (width, height))
        np.testing.assert_array_equal(np.asarray(back), np.asarray(image))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_every_byte_is_predicted_as_the_specification_says(mode: str) -> None:
    """Of left, upper and corner, in this order, the nearest to left + upper - corner: written out byte by byte."""
    image = drawings.car(3, 24, 16).convert(mode)
    channels = len(image.getbands())
    rows = np.asarray(image).reshape(16, 24 * channels)
    result = png.filtered(rows, channels)
    assert set(result[:, 0]) == {4}
    for y in range(16):
        for x in range(24 * channels):
            left = int(rows[y, x - channels]) if x >= channels else 0
            upper = int(rows[y - 1, x]) if y else 0
            corner = int(rows[y - 1, x - channels]) if y and x >= channels else 0
            nearest = min((left, upper, corner), key=lambda each: abs(left + upper - corner - each))
            assert (int(rows[y, x]) - nearest) % 256 == result[y, 1 + x]


def test_a_picture_takes_no_more_bytes_than_by_pillow() -> None:
    soft = drawings.car(5, 256, 160)
    noise = np.random.default_rng(0).normal(0, 3, (160, 256, 3))
    image = Image.fromarray((np.asarray(soft) * 0.8 + 20 + noise).clip(0, 255).astype(np.uint8))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    assert len(png.encode(image)) < 1.05 * len(buffer.getvalue())


def test_a_mode_that_no_answer_has_is_refused() -> None:
    with pytest.raises(KeyError, match="RGBA"):
        png.encode(Image.new("RGBA", (4, 4)))
