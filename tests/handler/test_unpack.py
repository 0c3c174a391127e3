"""Packed libraries, with a few real bytes in place of PyTorch's."""

import errno
import json
import os
import tempfile
from pathlib import Path

import pytest

from handler import unpack, zstd

CONTENT = os.urandom(300_000) + bytes(200_000)
PIECES = [CONTENT[:200_000], CONTENT[200_000:450_000], CONTENT[450_000:]]


@pytest.fixture(autouse=True)
def tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary folder."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """A folder as the function has it, with nothing to load after unpacking."""
    folder = tmp_path / "libraries"
    folder.mkdir()
    pieces = [zstd.compress(piece, options={zstd.CompressionParameter.checksum_flag: 1}) for piece in PIECES]
    (folder / "thing.so.zst").write_bytes(b"".join(pieces))
    sizes = [(len(small), len(large)) for small, large in zip(pieces, PIECES, strict=True)]
    (folder / "index.json").write_text(json.dumps({"key": "k1", "packed": {"thing.so": sizes}, "load": []}))
    return folder


def test_without_packed_libraries_nothing_happens(tmp: Path, tmp_path: Path) -> None:
    unpack.load_libraries(tmp_path / "none")
    assert not list(tmp.iterdir())


def test_a_library_is_unpacked_to_the_byte(packed: Path, tmp: Path) -> None:
    unpack.load_libraries(packed)
    assert (tmp / "carvae-k1" / "thing.so").read_bytes() == CONTENT


def test_what_is_there_is_not_unpacked_again(packed: Path, tmp: Path) -> None:
    unpack.load_libraries(packed)
    (packed / "thing.so.zst").unlink()
    unpack.load_libraries(packed)


def test_what_a_killed_start_left_is_replaced(packed: Path, tmp: Path) -> None:
    (tmp / "carvae-k1").mkdir(mode=0o700)
    left = tmp / "carvae-k1" / ".thing.so.0123abcd.part"
    left.write_bytes(os.urandom(600_000))
    unpack.load_libraries(packed)
    assert (tmp / "carvae-k1" / "thing.so").read_bytes() == CONTENT
    assert not left.exists()


def test_a_damaged_piece_is_refused_and_leaves_no_library(packed: Path, tmp: Path) -> None:
    data = bytearray((packed / "thing.so.zst").read_bytes())
    data[100_000] ^= 1
    (packed / "thing.so.zst").write_bytes(data)
    with pytest.raises(zstd.ZstdError):
        unpack.load_libraries(packed)
    assert not (tmp / "carvae-k1" / "thing.so").exists()


def test_a_piece_cut_short_is_refused(packed: Path, tmp: Path) -> None:
    data = (packed / "thing.so.zst").read_bytes()
    (packed / "thing.so.zst").write_bytes(data[:-20])
    with pytest.raises((OSError, zstd.ZstdError)):
        unpack.load_libraries(packed)
    assert not (tmp / "carvae-k1" / "thing.so").exists()


def test_a_full_disk_is_said_to_be_full(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "pwrite", lambda descriptor, data, offset: len(data) // 2)
    with pytest.raises(OSError, match=r"thing\.so") as caught:
        unpack.load_libraries(packed)
    assert caught.value.errno == errno.ENOSPC


def test_a_folder_of_another_user_is_refused(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(PermissionError, match="another user"):
        unpack.load_libraries(packed)


def test_a_library_that_does_not_load_is_named(packed: Path) -> None:
    index = json.loads((packed / "index.json").read_text())
    (packed / "index.json").write_text(json.dumps(index | {"load": ["thing.so"]}))
    with pytest.raises(OSError, match=r"thing\.so"):
        unpack.load_libraries(packed)
