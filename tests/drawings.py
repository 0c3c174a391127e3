"""Cars drawn by code: pictures for tests that need no photographs."""

import numpy as np
from PIL import Image, ImageDraw


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
    cabin = [(left + span * 0.2, belt), (left + span * 0.32, roof), (left + span * 0.7, roof), (left + span * 0.85, belt)]
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
