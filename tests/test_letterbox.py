"""What training and scores see of a photograph is what the server sees of it: neither side imports the other."""

import io
import typing as t

import numpy as np
import pytest
from PIL import ExifTags, Image

from handler import images
from model.data import preparation

from . import drawings
from .reliability import pictures

SIZE = 128

pytestmark = pytest.mark.unit


def encoded(image: Image.Image, form: str, **options: t.Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def photograph(width: int, height: int) -> Image.Image:
    """A drawn car with a grain in every pixel, which shows any other way of scaling."""
    grain = np.random.default_rng(width).integers(-40, 40, (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(drawings.car(3, width, height)) + grain, 0, 255).astype(np.uint8))


def same(data: bytes) -> bool:
    served = images.read(data, SIZE, 3, "image").pixels[0]
    return bool((np.rint(served * 255).transpose(1, 2, 0) == np.asarray(preparation.letterbox(data, SIZE))).all())


@pytest.mark.parametrize("sides", [(128, 128), (640, 480), (300, 1400), (2000, 1333), (60, 40)])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_photograph_is_the_same_square(sides: tuple[int, int], form: str) -> None:
    assert same(encoded(photograph(*sides), form))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_taken_upright_is_the_same_square(orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    assert same(encoded(photograph(640, 427), "JPEG", exif=exif))


def test_what_is_transparent_is_the_same_white() -> None:
    image = photograph(400, 300).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    assert same(encoded(image, "PNG"))
    assert same(encoded(image.quantize(64), "PNG"))


def test_greys_of_16_bits_are_the_same() -> None:
    assert same(encoded(Image.fromarray(np.linspace(0, 65535, 200 * 150).astype(np.uint16).reshape(150, 200)), "PNG"))


@pytest.mark.parametrize("name", pictures.GOOD)
def test_every_ordinary_file_is_the_same_square(name: str) -> None:
    assert same(pictures.good(name))
