import pathlib

import numpy as np

from model.report import animation


def test_an_animation_without_frames_is_no_file(tmp_path: pathlib.Path) -> None:
    animation.assemble(tmp_path / "frames", tmp_path / "film")
    assert list(tmp_path.iterdir()) == []


def test_long_runs_make_short_films(tmp_path: pathlib.Path) -> None:
    tile = np.zeros((1, 8, 8, 3), np.uint8)
    for epoch in range(animation.MOST + 30):
        tile += 1
        animation.add_frame(tmp_path / "frames", epoch, [tile])
    animation.assemble(tmp_path / "frames", tmp_path / "film")
    with animation.Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == animation.MOST  # type: ignore[attr-defined]
