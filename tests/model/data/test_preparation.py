import csv
import json
import pathlib
import zipfile

import numpy as np
import pytest
from PIL import Image

from model.data import preparation
from model.data.preparation import Settings
from model.data.sources import find_sources
from tests import drawings


def prepare(folder: pathlib.Path, out: pathlib.Path, **settings: object) -> dict[str, object]:
    return preparation.prepare(find_sources([folder]), out, Settings(size=32, **settings))  # type: ignore[arg-type]


def rows(folder: pathlib.Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "splits.csv").read_text().splitlines()))


def test_the_same_input_gives_the_same_bytes(photographs: pathlib.Path, tmp_path: pathlib.Path) -> None:
    for name in ("one", "two"):
        prepare(photographs, tmp_path / name)
    for file in (preparation.IMAGES, preparation.SPLITS, preparation.CARD, preparation.CONTACT_SHEET):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_given_splits_are_kept(photographs: pathlib.Path, prepared: pathlib.Path) -> None:
    given = {row["file"]: row["split"] for row in rows(photographs)}
    kept = {row["file"]: row["split"] for row in rows(prepared)}
    assert kept.items() <= given.items()
    assert set(kept.values()) == {"train", "val", "test"}


def test_what_is_left_out_is_counted_by_reason(tmp_path: pathlib.Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for seed in range(6):
        drawings.car(seed).save(source / f"{seed}.png")
    drawings.car(0).save(source / "same-again.png")
    drawings.car(1).save(source / "once-more.jpg", quality=60)
    drawings.car(2, 20, 12).save(source / "tiny.png")
    (source / "text.jpg").write_text("no image")
    (source / "broken.png").write_bytes((source / "3.png").read_bytes()[:300])
    card = prepare(source, tmp_path / "out")
    assert card["left_out"] == {"exact duplicate": 1, "near duplicate": 1, "too small": 1, "unreadable": 2}
    assert card["images"] == 6


def test_near_duplicates_of_a_test_image_never_reach_training(tmp_path: pathlib.Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for seed in range(3):
        drawings.car(seed).save(source / f"{seed}.png")
    drawings.car(0).save(source / "again.jpg", quality=70)
    (source / "splits.csv").write_text("file,split\nagain.jpg,train\n0.png,test\n1.png,train\n2.png,val\n")
    prepare(source, tmp_path / "out")
    assert {row["file"]: row["split"] for row in rows(tmp_path / "out")} == {
        "0.png": "test",
        "1.png": "train",
        "2.png": "val",
    }


@pytest.mark.parametrize("mode", ["RGBA", "LA", "L", "CMYK", "P", "I;16", "1"])
def test_every_colour_mode_becomes_rgb(mode: str, tmp_path: pathlib.Path) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.full((40, 60), 40_000, np.uint16))
    else:
        image = Image.new("RGB", (60, 40), (156, 156, 156))
        image = image.quantize(4) if mode == "P" else image.convert(mode)
    path = tmp_path / ("image.tif" if mode == "CMYK" else "image.png")
    image.save(path)
    decoded = preparation.decode(path.read_bytes())
    assert decoded.mode == "RGB"
    if mode != "1":
        assert np.abs(np.asarray(decoded, int) - 156).max() <= 2


def test_transparency_lies_on_white_and_exif_is_upright(tmp_path: pathlib.Path) -> None:
    image = Image.new("RGBA", (60, 40), (0, 0, 0, 0))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "image.png", exif=exif)
    decoded = preparation.decode((tmp_path / "image.png").read_bytes())
    assert decoded.size == (40, 60)
    assert decoded.getpixel((5, 5)) == (255, 255, 255)


def test_fits_differ_where_the_shape_does() -> None:
    image = Image.new("RGB", (100, 50), (0, 0, 0))
    letterboxed = np.asarray(preparation.to_square(image, 32, "letterbox"))
    assert (letterboxed[:8] == 255).all()
    assert (letterboxed[8:24] == 0).all()
    assert (np.asarray(preparation.to_square(image, 32, "crop")) == 0).all()
    assert (np.asarray(preparation.to_square(image, 32, "squash")) == 0).all()


def test_zips_and_several_sources_are_read(tmp_path: pathlib.Path) -> None:
    with zipfile.ZipFile(tmp_path / "cars.zip", "w") as archive:
        drawings.car(1).save(tmp_path / "a.png")
        archive.write(tmp_path / "a.png", "deep/a.png")
    folder = tmp_path / "more"
    folder.mkdir()
    drawings.car(2).save(folder / "a.png")
    names = [source.name for source in find_sources([tmp_path / "cars.zip", folder])]
    assert names == ["cars/deep/a.png", "more/a.png"]


@pytest.mark.parametrize("kind", ["missing", "empty", "text"])
def test_a_wrong_source_is_named(kind: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / kind
    if kind == "empty":
        path.mkdir()
    if kind == "text":
        path.write_text("hello")
    with pytest.raises(ValueError, match=kind):
        find_sources([path])


def test_splits_outside_the_folder_are_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "splits.csv").write_text("file,split\n../secret.png,train\n")
    with pytest.raises(ValueError, match=r"\.\./secret\.png"):
        find_sources([tmp_path])


def test_a_full_disk_leaves_nothing_behind(
    photographs: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)  # of the contact sheet, which comes last
    with pytest.raises(OSError, match="No space left"):
        prepare(photographs, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_output_is_kept(photographs: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(ValueError, match="exists already"):
        prepare(photographs, tmp_path / "out")


def test_the_data_card_describes_the_array(prepared: pathlib.Path) -> None:
    card = json.loads((prepared / preparation.CARD).read_text())
    images = np.load(prepared / preparation.IMAGES)
    assert images.shape == (card["images"], 32, 32, 3)
    assert sum(card["splits"].values()) == card["images"]
