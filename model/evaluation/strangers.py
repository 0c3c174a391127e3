"""Pictures without a car: noise, colours, drawings; the model should not take any of them for a car."""

import typing as t

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Pixels: t.TypeAlias = NDArray[np.uint8]
Draw = t.Callable[[np.random.Generator], Image.Image]

#: Width and height that pictures are drawn at.
SIDES = (400, 300)


def noise(random: np.random.Generator) -> Image.Image:
    """Every pixel and channel by chance."""
    return Image.fromarray(random.integers(0, 256, (*SIDES[::-1], 3), dtype=np.uint8))


def grey_noise(random: np.random.Generator) -> Image.Image:
    """Every pixel by chance, in grey."""
    return Image.fromarray(random.integers(0, 256, SIDES[::-1], dtype=np.uint8)).convert("RGB")


def coarse_noise(random: np.random.Generator) -> Image.Image:
    """Squares of 20 pixels, each in a colour by chance."""
    small = random.integers(0, 256, (SIDES[1] // 20, SIDES[0] // 20, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(SIDES, Image.Resampling.NEAREST)


def plain(random: np.random.Generator) -> Image.Image:
    """One colour."""
    return Image.new("RGB", SIDES, _colour(random))


def gradient(random: np.random.Generator) -> Image.Image:
    """One colour becoming another from left to right."""
    return Image.fromarray(np.array([[_colour(random), _colour(random)]], np.uint8)).resize(
        SIDES, Image.Resampling.BILINEAR
    )


def face(random: np.random.Generator) -> Image.Image:
    """A smiling face on a plain ground."""
    image = Image.new("RGB", SIDES, _colour(random))
    pen = ImageDraw.Draw(image)
    x, y, radius = random.uniform(150, 250), random.uniform(130, 170), random.uniform(70, 115)
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), _colour(random), "black", int(random.integers(1, 6)))
    for side in (-1, 1):
        eye = x + side * 0.4 * radius
        pen.ellipse((eye - 0.12 * radius, y - 0.45 * radius, eye + 0.12 * radius, y - 0.15 * radius), "black")
    pen.arc((x - 0.55 * radius, y - 0.3 * radius, x + 0.55 * radius, y + 0.6 * radius), 10, 170, "black", 6)
    return image


def scribble(random: np.random.Generator) -> Image.Image:
    """A line of 30 turns on white."""
    image = Image.new("RGB", SIDES, "white")
    turns = [(float(x), float(y)) for x, y in random.uniform(0, 1, (30, 2)) * SIDES]
    ImageDraw.Draw(image).line(turns, _colour(random), width=4)
    return image


STRANGERS: dict[str, Draw] = {
    "coloured noise": noise,
    "grey noise": grey_noise,
    "coarse noise": coarse_noise,
    "one colour": plain,
    "two colours": gradient,
    "drawn faces": face,
    "scribbles": scribble,
}


def draw(kind: str, count: int) -> list[Image.Image]:
    """So many pictures of a kind of `STRANGERS`, always the same."""
    random = np.random.default_rng(list(STRANGERS).index(kind))
    return [STRANGERS[kind](random) for _ in range(count)]


def _colour(random: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = random.integers(0, 256, 3)
    return int(red), int(green), int(blue)
