import pathlib
import runpy
import sys

import pytest
import torch
from PIL import Image

from model import minimal

COMMAND = str(pathlib.Path(minimal.__file__))


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", [COMMAND, *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(COMMAND, run_name="__main__")
    return int(stopped.value.code or 0)


@pytest.mark.slow
def test_it_learns_drawn_cars_and_rebuilds_them(photographs: pathlib.Path) -> None:
    torch.manual_seed(0)
    images = minimal.load(photographs, 32)
    assert images.shape == (48, 3, 32, 32)
    model = minimal.VAE(32, 8, widths=(16, 32, 64))
    history = minimal.train(model, images, epochs=10, batch=8, rate=3e-3)
    assert history[-1] < history[0] - 500

    model.eval()
    pictures = images.float() / 255
    with torch.no_grad():
        rebuilt = model.decoder(model.encode(pictures)[0])
    error, spread = (rebuilt - pictures).square().mean(), (pictures.mean(0) - pictures).square().mean()
    assert error < 0.8 * spread


@pytest.mark.slow
def test_a_folder_of_pictures_becomes_a_sheet_of_random_cars(
    photographs: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ["--size", 32, "--latents", 4, "--epochs", 2, "--batch", 16]
    assert run(monkeypatch, photographs, tmp_path / "cars.png", *options) == 0
    assert "epoch 2 of 2" in capsys.readouterr().out
    with Image.open(tmp_path / "cars.png") as picture:
        assert picture.size == (8 * 32, 8 * 32)
        tiles = [picture.crop((32 * column, 0, 32 * column + 32, 32)).tobytes() for column in range(8)]
    assert len(set(tiles)) == 8


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--size", 60], "size: 60 is not a multiple of 16"),
        (["--epochs", 0], "--epochs: 0 is not at least 1"),
        (["--batch", 1], "--batch: 1 is not at least 2"),
    ],
)
def test_a_wrong_value_is_named(
    options: list[object],
    named: str,
    photographs: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, photographs, tmp_path / "cars.png", *options) != 0
    assert named in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_name_of_the_sheet_is_refused_before_training(
    photographs: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, photographs, tmp_path / "nowhere" / "cars.png") != 0
    said = capsys.readouterr()
    assert "nowhere" in said.err
    assert "epoch" not in said.out


def test_a_folder_without_pictures_and_a_broken_picture_are_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match="0 pictures found; at least 2"):
        minimal.load(tmp_path, 32)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"broken\.png: not a readable picture"):
        minimal.load(tmp_path, 32)


def test_it_fits_on_a_page() -> None:
    assert len(pathlib.Path(COMMAND).read_text(encoding="utf-8").splitlines()) <= 200
