"""Files among photographs that are not photographs: each is left out and counted; the others are prepared."""

import os
import pathlib
import socket
import struct
import subprocess
import sys
import typing as t
import warnings
import zipfile
import zlib

import pytest
from PIL import EpsImagePlugin, Image

from scripts import prepare_data
from tests import drawings
from tests.reliability import pictures

ROOT = pathlib.Path(__file__).parents[3]


@pytest.fixture
def photographs(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "photographs"
    folder.mkdir()
    for seed in range(3):
        drawings.car(seed).save(folder / f"{seed}.png")
    return folder


@pytest.fixture
def run(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> t.Callable[[pathlib.Path], tuple[int, str, str]]:
    """The command: its status, and what it prints on stdout and stderr."""

    def start(source: pathlib.Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["prepare_data.py", str(source), str(tmp_path / "out"), "--size", "32"])
        status = prepare_data.main()
        said = capsys.readouterr()
        return status, said.out, said.err

    return start


def zipped(photographs: pathlib.Path, method: int = zipfile.ZIP_DEFLATED) -> pathlib.Path:
    path = photographs.parent / "cars.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(photographs.iterdir()):
            archive.write(file, file.name)
    return path


def spoil(path: pathlib.Path, name: str, place: int, value: bytes) -> None:
    """Overwrite bytes of a member's entry in the directory of a zip."""
    content = bytearray(path.read_bytes())
    entry = content.rindex(name.encode()) - 46
    content[entry + place : entry + place + len(value)] = value
    path.write_bytes(content)


@pytest.mark.parametrize("kind", ["fifo", "socket", "device", "folder"])
def test_what_is_no_regular_file_is_left_out(
    kind: str, photographs: pathlib.Path, run: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = photographs / "a.jpg"
    if kind == "fifo":
        os.mkfifo(path)
    if kind == "socket":
        monkeypatch.chdir(photographs)  # a socket's path is short
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    if kind == "device":
        path.symlink_to("/dev/zero")
    if kind == "folder":
        path.mkdir()
    status, said, named = run(photographs)
    assert status == 0
    assert "3 images" in said
    assert "left out: 1 not a regular file" in said
    assert "1 not a regular file: a.jpg" in named


@pytest.mark.parametrize("name", ["cars.zip", "photographs/splits.csv"])
def test_a_fifo_in_place_of_a_source_is_named(name: str, photographs: pathlib.Path, run: t.Any) -> None:
    path = photographs.parent / name
    os.mkfifo(path)
    status, _, said = run(path if path.suffix == ".zip" else photographs)
    assert status == 1
    assert str(path) in said


def test_an_encrypted_member_is_left_out(photographs: pathlib.Path, run: t.Any) -> None:
    path = zipped(photographs)
    spoil(path, "1.png", 8, b"\x01")
    status, said, named = run(path)
    assert status == 0
    assert "2 images" in said
    assert "1 encrypted: 1.png" in named


@pytest.mark.parametrize("kind", ["crc", "stream", "header", "method", "length", "cut off"])
def test_a_damaged_member_is_left_out(kind: str, photographs: pathlib.Path, run: t.Any) -> None:
    path = zipped(photographs)
    if kind == "crc":
        spoil(path, "1.png", 16, b"\0\0\0\0")
    if kind == "length":
        spoil(path, "1.png", 24, struct.pack("<I", 100))
    if kind == "cut off":
        spoil(path, "1.png", 20, struct.pack("<I", 100))
    if kind == "method":
        spoil(path, "1.png", 10, b"\x63")
    if kind in ("stream", "header"):
        content = bytearray(path.read_bytes())
        start = content.index(b"1.png") + 5 if kind == "stream" else content.index(b"1.png") - 30
        content[start : start + 8] = b"\xff" * 8
        path.write_bytes(content)
    status, said, named = run(path)
    assert status == 0
    assert "2 images" in said
    assert ": 1.png" in named


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_without_a_bound_are_left_out(method: int, photographs: pathlib.Path, run: t.Any) -> None:
    path = zipped(photographs)
    with zipfile.ZipFile(path, "a", method) as archive:
        archive.write(photographs / "0.png", "large.png")
    status, said, _ = run(path)
    assert status == 0
    assert "left out: 1 compressed by another method than deflate" in said


def test_a_zip_without_a_readable_directory_is_named(photographs: pathlib.Path, run: t.Any) -> None:
    path = zipped(photographs)
    spoil(path, "1.png", 0, b"....")
    status, _, said = run(path)
    assert status == 1
    assert f"{path}: a damaged zip file" in said


def test_a_name_in_a_zip_that_is_no_utf_8_is_named(photographs: pathlib.Path, run: t.Any) -> None:
    path = zipped(photographs)
    spoil(path, "1.png", 8, b"\x00\x08")
    spoil(path, "1.png", 46, b"\xe9")
    status, _, said = run(path)
    assert status == 1
    assert rf"{path}: the name b'\xe9.png' in it is not UTF-8" in said


@pytest.mark.parametrize("kind", ["folder", "table"])
def test_a_name_that_is_no_utf_8_is_left_out_and_named(kind: str, photographs: pathlib.Path, run: t.Any) -> None:
    try:
        pathlib.Path(os.fsdecode(os.fsencode(photographs) + b"/caf\xe9.png")).write_bytes(
            (photographs / "0.png").read_bytes()
        )
    except OSError:
        pytest.skip("this file system takes names in UTF-8 only")
    (photographs / "0.png").unlink()
    if kind == "table":
        (photographs / "splits.csv").write_bytes(b"file,split\ncaf\xe9.png,test\n1.png,train\n2.png,val\n")
    status, said, named = run(photographs)
    assert status == 0
    assert "2 images" in said
    assert r"1 with a name that is not UTF-8: caf\xe9.png" in named


def test_a_table_that_is_no_csv_is_named(photographs: pathlib.Path, run: t.Any) -> None:
    (photographs / "splits.csv").write_text("file,split\n" + "a" * 200_000 + ".png,train\n")
    status, _, said = run(photographs)
    assert status == 1
    assert f"{photographs / 'splits.csv'}: field larger than" in said


def test_a_name_shows_no_terminal_escapes(photographs: pathlib.Path, run: t.Any) -> None:
    (photographs / "\x1b[31m.png").write_text("no image")
    status, _, named = run(photographs)
    assert status == 0
    assert r"1 unreadable: \x1b[31m.png" in named


def test_whatever_a_reader_raises_leaves_one_image_out(
    photographs: pathlib.Path, run: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photographs / "strange.png").write_bytes(b"strange")
    opened = Image.open

    def strange(file: t.Any, **options: t.Any) -> Image.Image:
        if file.getvalue() == b"strange":
            raise struct.error("unpack requires a buffer of 4 bytes")
        return opened(file, **options)

    monkeypatch.setattr(Image, "open", strange)
    status, said, _ = run(photographs)
    assert status == 0
    assert "left out: 1 unreadable" in said


def test_damage_beside_the_pixels_is_passed_over_in_silence(photographs: pathlib.Path, run: t.Any) -> None:
    path = photographs / "tagged.tif"
    drawings.car(9).save(path, tiffinfo={65_000: "x" * 10})
    tag = struct.pack("<HHI", 65_000, 2, 11)
    assert tag in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(tag, struct.pack("<HHI", 65_000, 2, 2**31)))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        status, said, _ = run(photographs)
    assert status == 0
    assert "left out: none" in said
    assert warned == []


def test_a_tiff_of_more_tags_than_a_photograph_has_is_left_out(photographs: pathlib.Path, run: t.Any) -> None:
    (photographs / "tags.tif").write_bytes(pictures.bomb("tiff of 65,000 tags"))
    status, said, _ = run(photographs)
    assert status == 0
    assert "left out: 1 too many tags" in said


@pytest.mark.parametrize("kind", ["EPS", "PPM", "TGA", "ICNS", "PCX"])
def test_readers_of_other_formats_are_out_of_reach(
    kind: str, photographs: pathlib.Path, run: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Pillow has Ghostscript draw an EPS, whatever its file is called.
    started = photographs.parent / "started"
    program = photographs.parent / "gs"
    program.write_text(f"#!/bin/sh\ntouch {started}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    drawings.car(9).save(photographs / "other.png", kind)
    status, said, named = run(photographs)
    assert status == 0
    assert "3 images" in said
    assert "1 unreadable: other.png" in named
    assert not started.exists()


def grey_png(width: int, height: int) -> bytes:
    """A PNG of zeros: 1 kB for each megabyte of them."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0" * ((width + 1) * height), 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from /proc")
@pytest.mark.slow
def test_memory_is_bounded(photographs: pathlib.Path) -> None:
    (photographs / "pixels.png").write_bytes(grey_png(9_000, 8_500))
    path = zipped(photographs)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("bytes.bmp", "w") as member:
            for _ in range(260):
                member.write(bytes(1_000_000))
        with archive.open("more than it says.bmp", "w") as member:
            for _ in range(260):
                member.write(bytes(1_000_000))
    spoil(path, "more than it says.bmp", 24, struct.pack("<I", 1_000))
    assert path.stat().st_size < 4_000_000
    with (photographs / "sparse.png").open("wb") as file:
        file.truncate(300_000_000)
    code = """
import pathlib, sys
from model.data import preparation
from model.data.sources import find_sources
status = pathlib.Path("/proc/self/status")
memory = lambda name: int(status.read_text().split(name + ":")[1].split()[0])
before = memory("VmRSS")
sources = find_sources([pathlib.Path(each) for each in sys.argv[1:3]])
card = preparation.prepare(sources, pathlib.Path(sys.argv[3]), preparation.Settings(32))
print(card["left_out"].get("too large"), card["left_out"].get("damaged in the zip"), (memory("VmHWM") - before) // 1024)
"""
    command = [sys.executable, "-W", "ignore", "-c", code, path, photographs, photographs.parent / "out"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    large, damaged, megabytes = result.stdout.split()
    assert (large, damaged) == ("4", "1")
    assert int(megabytes) < 150
