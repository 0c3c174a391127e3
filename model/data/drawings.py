"""Pictures drawn by code, and data sets of them: a trial run needs no photographs and no download."""

import gzip
import io
import pathlib
import struct

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from . import preparation, sources
from .prepared import MNIST_FILES


def car(seed: int = 0, width: int = 176, height: int = 117) -> Image.Image:
    """Draw a car in RGB: sky, road, body, windows, wheels, lamps; each seed is another one."""
    rng = np.random.default_rng(seed)

    def colour(low: int, high: int) -> tuple[int, ...]:
        return tuple(int(value) for value in rng.integers(low, high, 3))

    image = Image.new("RGB", (width, height), colour(150, 245))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, height * 0.7, width, height), fill=colour(60, 140))
    left, right = width * rng.uniform(0.05, 0.15), width * rng.uniform(0.85, 0.95)
    roof, belt, sill = height * rng.uniform(0.2, 0.3), height * rng.uniform(0.42, 0.5), height * 0.78
    body = colour(0, 255)
    span = right - left
    cabin = [
        (left + span * 0.2, belt),
        (left + span * 0.32, roof),
        (left + span * 0.7, roof),
        (left + span * 0.85, belt),
    ]
    draw.polygon(cabin, fill=body)
    draw.rounded_rectangle((left, belt, right, sill), radius=height * 0.06, fill=body)
    window = [(left + span * 0.26, belt), (left + span * 0.35, roof + 4), (left + span * 0.67, roof + 4)]
    draw.polygon([*window, (left + span * 0.78, belt)], fill=(40, 50, 60))
    radius = height * rng.uniform(0.1, 0.13)
    for share in (0.22, 0.78):
        x = left + span * share
        draw.ellipse((x - radius, sill - radius, x + radius, sill + radius), fill=(20, 20, 20))
        draw.ellipse((x - radius / 2, sill - radius / 2, x + radius / 2, sill + radius / 2), fill=(180, 180, 180))
    draw.rectangle((right - span * 0.05, belt + 6, right, belt + 14), fill=(250, 240, 180))
    return image


def digit(seed: int = 0, size: int = 28) -> Image.Image:
    """Draw the digit ``seed % 10`` in white on black, grey-level; each seed sets it a little differently."""
    rng = np.random.default_rng(seed)
    image = Image.new("L", (size, size))
    place = (size / 2 + rng.uniform(-2, 2), size / 2 + rng.uniform(-2, 2))
    font = ImageFont.load_default(size * rng.uniform(0.65, 0.95))
    ImageDraw.Draw(image).text(place, str(seed % 10), fill=int(rng.integers(180, 256)), font=font, anchor="mm")
    return image.rotate(rng.uniform(-15, 15), Image.Resampling.BILINEAR)


def write_cars(folder: pathlib.Path, size: int, train: int, val: int) -> None:
    """Write a folder of drawn cars such as ``scripts/prepare_data.py`` makes of photographs; it must not exist.

    Some may be left out as near duplicates.
    """

    def source(seed: int) -> sources.Source:
        def read() -> bytes:
            buffer = io.BytesIO()
            car(seed, 176, (99, 117, 132)[seed % 3]).save(buffer, "PNG")
            return buffer.getvalue()

        return sources.Source(f"{seed:04}.png", read, "val" if seed < val else "train")

    preparation.prepare([source(seed) for seed in range(train + val)], folder, preparation.Settings(size))


def write_digits(folder: pathlib.Path, train: int, test: int) -> None:
    """Write drawn digits with their labels as the four files of MNIST."""
    folder.mkdir(parents=True)
    for split, seeds in (("train", range(train)), ("test", range(train, train + test))):
        pixels = np.stack([np.asarray(digit(seed)) for seed in seeds])
        labels = np.array([seed % 10 for seed in seeds], np.uint8)
        for name, values in zip(MNIST_FILES[split], (pixels, labels), strict=True):
            # The idx format: zero, zero, 8 for uint8, number of dimensions, their sizes.
            header = bytes((0, 0, 8, values.ndim)) + struct.pack(f">{values.ndim}I", *values.shape)
            with gzip.open(folder / f"{name}.gz", "wb") as file:
                file.write(header + values.tobytes())
