import numpy as np

from model.report import figures


def test_a_mosaic_shows_every_pixel() -> None:
    tile = np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8)
    drawn = figures.mosaic("One", [tile[None]])
    drawn.canvas.draw()  # type: ignore[no-untyped-call]
    shown = np.asarray(drawn.canvas.buffer_rgba())[..., :3]  # type: ignore[attr-defined]
    assert any(
        np.array_equal(shown[y : y + 100, x : x + 100], tile) for y in range(shown.shape[0] - 99) for x in (11, 12, 13)
    )
