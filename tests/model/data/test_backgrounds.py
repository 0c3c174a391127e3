import numpy as np
import pytest

from model.data import backgrounds
from model.data.prepared import Images

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


def picture(background: int, noise: int = 0) -> Pixels:
    """A red car on a background, letterboxed on white."""
    image = np.full((40, 40, 3), 255, np.uint8)
    grain = np.random.default_rng(0).integers(-noise, noise + 1, (20, 40, 3))
    image[10:30] = np.clip(background + grain, 0, 240)
    image[14:28, 5:35] = (200, 20, 20)
    return image


def test_the_plainest_are_kept_in_their_order_with_their_folders() -> None:
    street, studio, grey = picture(120, 90), picture(230), picture(120, 8)
    images = Images(np.stack([street, grey, street, studio]), range(4))
    images.folders = ["street", "grey", "street", "studio"]
    kept = backgrounds.plainest(images, 2)
    assert kept.folders == ["grey", "studio"]
    assert np.array_equal(kept[1].permute(1, 2, 0).numpy(), studio)


def test_all_are_kept_where_there_are_no_more() -> None:
    images = Images(np.stack([picture(10, 9)] * 3), range(3))
    assert len(backgrounds.plainest(images, 505)) == 3


@pytest.mark.parametrize("image", [picture(230), np.full((40, 40, 3), 255, np.uint8)], ids=["studio", "blank"])
def test_one_colour_is_no_difference(image: Pixels) -> None:
    assert backgrounds.difference(image) == 0


def test_sky_and_road_differ() -> None:
    image = picture(200)
    image[26:30] = 60
    assert backgrounds.difference(image) > 30
