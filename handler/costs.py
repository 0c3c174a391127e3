"""Limits on what an upload costs apart from its pixels: a small file can keep a decoder busy for minutes."""

import itertools
import re
import struct
from collections.abc import Callable, Iterator

#: Parts of a file (segments, chunks, blocks, strips), each a turn of a loop in Python; honest files have hundreds.
MAX_PARTS = 20_000

#: Pixels times scans of a JPEG, because every scan visits all pixels; most JPEGs have at most 12 scans.
MAX_SCANNED = 600_000_000

#: A JPEG marker, except a stuffed FF 00, a restart or a fill byte.
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
_SOS, _EOI, _ALONE = 0xDA, 0xD9, (0x01, 0xD8)

#: How a JPEG may be coded: Huffman, in one go or progressively. Arithmetic coding takes ten times as long, and a scan
#: without any data as long as one with it.
_CODED, _HUFFMAN = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)), (0xC0, 0xC1, 0xC2)

#: Accepted TIFF compressions: none, fax, LZW, PackBits and deflate. Others embed a file of another format.
_COMPRESSION, _COMPRESSIONS = 259, (1, 2, 3, 4, 5, 8, 32773, 32946)

#: Tags of a TIFF that list its strips or tiles, of whatever type their numbers are.
_STRIPS = (273, 279, 324, 325)

#: Accepted BMP compressions: none. Pillow decodes the others byte by byte, in Python.
_PLAIN_BMP = (0, 3)


def check(kind: str, data: bytes) -> None:
    """Refuse a file of Pillow's format `kind` with a coding that no photograph has, or with over `MAX_PARTS` parts.

    Raises
    ------
    ValueError
        If the file is refused.
    """
    if kind == "BMP" and int.from_bytes(data[14:18], "little") >= 40:
        _check_coding("a BMP", int.from_bytes(data[30:34], "little"), _PLAIN_BMP)
    walk = _WALKS.get(kind)
    if walk and next(itertools.islice(walk(data), MAX_PARTS, None), None) is not None:
        raise ValueError(f"it has more than {MAX_PARTS} parts")


def check_scans(data: bytes, pixels: int) -> None:
    """Refuse a JPEG whose scans go over its `pixels` too often.

    Raises
    ------
    ValueError
        If they do.
    """
    scans = sum(code == _SOS for code in _jpeg(data))
    if scans * pixels > MAX_SCANNED:
        raise ValueError(f"{scans} scans; at most {MAX_SCANNED // pixels} are accepted for {pixels} pixels")


def _check_coding(what: str, coding: int, known: tuple[int, ...]) -> None:
    if coding not in known:
        raise ValueError(f"{what} with an unsupported coding ({coding}), which no camera writes; save it as PNG")


def _jpeg(data: bytes) -> Iterator[int]:
    """The markers up to the end of the image, and each byte of junk before the first scan, which Pillow steps over."""
    at, code = 2, 0
    scanning = False
    while marker := _MARKER.search(data, at):
        if not scanning:
            yield from itertools.repeat(0, marker.start() - at)
        code = marker[1][0]
        if code in _CODED:
            _check_coding("a JPEG", code, _HUFFMAN)
        yield code
        if code == _EOI and scanning:
            return
        scanning = scanning or code == _SOS
        at = marker.end()
        if code not in _ALONE:
            at += int.from_bytes(data[at : at + 2])
    if not scanning:
        yield from itertools.repeat(0, len(data) - at)


def _png(data: bytes) -> Iterator[int]:
    """The lengths of the chunks."""
    at = 8
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4])
        yield length
        at += 12 + length


def _gif(data: bytes) -> Iterator[int]:
    """The blocks before the first picture, and the pieces that each is made of."""
    at = 13
    if len(data) > at and data[10] & 0x80:
        at += 3 * 2 ** (1 + (data[10] & 7))
    while at < len(data) and data[at] != 0x2C:
        yield data[at]
        if data[at] == 0x21:
            at += 2
            while at < len(data) and data[at]:
                yield data[at]
                at += 1 + data[at]
        at += 1


def _tiff(data: bytes) -> Iterator[int]:
    """The tags of the first page, and the numbers that each holds."""
    order = "<" if data[:1] == b"I" else ">"
    try:
        (at,) = struct.unpack_from(order + "I", data, 4)
        (tags,) = struct.unpack_from(order + "H", data, at)
        for index in range(tags):
            tag, kind, count = struct.unpack_from(order + "HHI", data, at + 2 + 12 * index)
            if tag == _COMPRESSION:
                _check_coding("a TIFF", struct.unpack_from(order + "H", data, at + 10 + 12 * index)[0], _COMPRESSIONS)
            # A field of bytes or text counts as one value, except in the tags that list strips or tiles.
            one = kind in (1, 2, 6, 7) and tag not in _STRIPS
            yield from itertools.repeat(tag, 1 if one else max(1, count))
    except struct.error:
        return  # it ends here; the decoder says so


_WALKS: dict[str, Callable[[bytes], Iterator[int]]] = {"JPEG": _jpeg, "PNG": _png, "GIF": _gif, "TIFF": _tiff}
