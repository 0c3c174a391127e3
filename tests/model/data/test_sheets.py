import numpy as np
import pytest
import torch

from model.data import sheets


def numbered(count: int, first: int = 0) -> sheets.Pixels:
    """Pictures of 5 x 4 pixels, each of one grey level of its own."""
    levels = np.arange(first, first + count, dtype=np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (count, 5, 4, 3)).copy()


@pytest.mark.parametrize("gap", [0, 2])
@pytest.mark.parametrize("lengths", [(1,), (3,), (1, 1), (3, 1), (2, 3, 0)])
def test_every_picture_is_in_its_row_and_the_rest_is_white(lengths: tuple[int, ...], gap: int) -> None:
    rows = [numbered(length, 10 * number) for number, length in enumerate(lengths)]
    sheet = sheets.sheet(rows, gap)
    assert sheet.shape == (len(lengths) * (5 + gap) + gap, max(lengths) * (4 + gap) + gap, 3)
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            top, left = gap + y * (5 + gap), gap + x * (4 + gap)
            shown = sheet[top : top + 5, left : left + 4]
            assert np.array_equal(shown, picture)
            shown[:] = 255
    assert (sheet == 255).all()


def test_one_channel_becomes_grey() -> None:
    images = torch.tensor([0.0, 0.5, 1.0]).expand(2, 1, 1, 3)
    assert sheets.pixels(images).tolist() == [[[[0] * 3, [128] * 3, [255] * 3]]] * 2
