"""What may lie among photographs: drawn as a zip, and judged by what ``prepare_data.py`` makes of it."""

import io
import os
import pathlib
import random
import struct
import tempfile
import zipfile

from model.data import preparation
from model.data.sources import find_sources

from ..drawings import car
from . import mutations, pictures
from .case import Case

#: Photographs that must be kept whatever lies beside them.
KEPT = 2

NAMES = ("a.png", "z.jpg", "m.tif", "a/b.webp", "c\x1b[31m.gif", "caf\xe9.png", "x" * 200 + ".bmp", "..png", "B.JPEG")

#: Files that would cost much if they were believed. Pixels and scans may take their time: nobody waits.
BOMBS = (
    "bmp that says 2^31",
    "gif with a comment in bits",
    "jpeg with an exif bomb",
    "png that says 2^31",
    "png with a text bomb",
    "tiff of 65,000 tags",
    "tiff with zstd inside",
)

#: Places in a member's entry of a zip's directory: version, flags, method, checksum, sizes, lengths, offset.
PLACES = (6, 8, 9, 10, 16, 20, 24, 28, 30, 32, 42)


def draw(dice: random.Random) -> Case:
    """A zip, or a folder that holds what a zip holds; its `path` says which."""
    where = dice.choice(("zip", "folder"))
    if dice.random() < 0.25:
        name, content = "bomb", pictures.bomb(dice.choice(BOMBS))
    else:
        name = dice.choice(list(pictures.GOOD))
        change = dice.choice(mutations.ALL)
        content = bytes(change(dice, bytearray(pictures.good(name))))
        name = f"{name}, {change.__name__}"
    files = {f"{number}.png": pictures.encoded(car(number, 80, 60), "PNG") for number in range(KEPT)}
    files[dice.choice(NAMES)] = content
    if dice.random() < 0.15:
        rows = bytearray(b"file,split\n0.png,train\n1.png,test\n")
        files["splits.csv"] = bytes(dice.choice(mutations.ALL)(dice, rows))
        where, name = "folder", "a table of splits"
    data = bytearray(_zipped(files))
    if where == "zip" and dice.random() < 0.6:
        name = "a changed zip"
        if dice.random() < 0.5:
            entry = data.rindex(b"PK\x01\x02", 0, len(data) - dice.choice((0, 100)))
            place = entry + dice.choice(PLACES)
            data[place : place + 2] = dice.choice((b"\0\0", b"\1\0", b"\xff\xff", b"\x0c\0", struct.pack("<H", 2048)))
        else:
            data = dice.choice(mutations.ALL)(dice, data)
    elif where == "folder" and dice.random() < 0.1:
        where = "folder with a FIFO"
    return Case(f"photographs, {name}", "", where, bytes(data), target="preparation")


def judge(case: Case) -> str | None:
    """Prepare the case's photographs; returns what is wrong with what comes of it, if anything is."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        source = folder / "cars.zip"
        source.write_bytes(case.data)
        if case.path != "zip":
            source = _unpacked(source)
        if "FIFO" in case.path:
            os.mkfifo(source / "fifo.jpg")
        out = folder / "out" / "cars"
        try:
            card = preparation.prepare(find_sources([source]), out, preparation.Settings(32))
        except ValueError as error:
            if list(out.parent.glob("*")):
                return "it left something behind"
            foreseen = "changed zip" in case.name or "table" in case.name
            return None if foreseen else f"it gave up: {error}"
        except Exception as error:
            return f"{error!r:.300}"
        spared = "changed zip" not in case.name and "table" not in case.name
        if spared and card["images"] < KEPT:
            return f"only {card['images']} images are left: {card['left_out_files']}"
        return None


def _zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _unpacked(path: pathlib.Path) -> pathlib.Path:
    folder = path.with_suffix("")
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            target = folder / os.fsdecode(name.encode("latin-1"))  # so that one name is no UTF-8
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(name))
    return folder
