"""Uploads to start from: a drawn car in every format and mode that is taken, and files made to cost much."""

import functools
import io
import struct
import typing as t
import warnings
import zlib

import numpy as np
from PIL import Image

from ..drawings import car

#: Where a bomb stays below the largest body that is taken.
ROOM = 4_400_000

#: The most pixels: of a JPEG, and of any other format.
JPEG_SIDE, OTHER_SIDE = 7_000, 4_880

Maker: t.TypeAlias = t.Callable[[], bytes]


def encoded(image: Image.Image, form: str, **options: t.Any) -> bytes:
    """`image` as a file of format `form`."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def _sixteen_bit() -> Image.Image:
    return Image.fromarray(np.asarray(car(1).convert("L"), np.uint16) * 257)


def _see_through(mode: str) -> Image.Image:
    image = car(1).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image.convert(mode) if mode != "RGBA" else image


def _frames() -> list[Image.Image]:
    return [car(number) for number in range(1, 5)]


def _exif(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


#: Well-formed pictures that must be answered with 200.
GOOD: dict[str, Maker] = {
    "jpeg": lambda: encoded(car(1), "JPEG"),
    "jpeg grey": lambda: encoded(car(2).convert("L"), "JPEG"),
    "jpeg cmyk": lambda: encoded(car(3).convert("CMYK"), "JPEG"),
    "jpeg progressive": lambda: encoded(car(4), "JPEG", progressive=True),
    "jpeg turned": lambda: encoded(car(5), "JPEG", exif=_exif(6)),
    "png": lambda: encoded(car(1), "PNG"),
    "png 16-bit": lambda: encoded(_sixteen_bit(), "PNG"),
    "png alpha": lambda: encoded(_see_through("RGBA"), "PNG"),
    "png grey alpha": lambda: encoded(_see_through("LA"), "PNG"),
    "png palette": lambda: encoded(car(2).quantize(16), "PNG"),
    "png palette alpha": lambda: encoded(car(2).quantize(16), "PNG", transparency=bytes(range(0, 256, 16))),
    "png one bit": lambda: encoded(car(3).convert("1"), "PNG"),
    "png turned": lambda: encoded(car(3), "PNG", exif=_exif(8)),
    "apng": lambda: encoded(_frames()[0], "PNG", save_all=True, append_images=_frames()[1:]),
    "webp": lambda: encoded(car(1), "WEBP"),
    "webp lossless": lambda: encoded(car(1), "WEBP", lossless=True),
    "webp alpha": lambda: encoded(_see_through("RGBA"), "WEBP"),
    "webp animated": lambda: encoded(_frames()[0], "WEBP", save_all=True, append_images=_frames()[1:]),
    "gif": lambda: encoded(car(1).quantize(64), "GIF"),
    "gif animated": lambda: encoded(_frames()[0], "GIF", save_all=True, append_images=_frames()[1:]),
    "gif see-through": lambda: encoded(car(1).quantize(64), "GIF", transparency=3),
    "bmp": lambda: encoded(car(1), "BMP"),
    "bmp palette": lambda: encoded(car(1).quantize(64), "BMP"),
    "bmp one bit": lambda: encoded(car(1).convert("1"), "BMP"),
    "tiff": lambda: encoded(car(1), "TIFF"),
    "tiff lzw": lambda: encoded(car(1), "TIFF", compression="tiff_lzw"),
    "tiff deflate": lambda: encoded(_see_through("RGBA"), "TIFF", compression="tiff_adobe_deflate"),
    "tiff fax": lambda: encoded(car(1).convert("1"), "TIFF", compression="group4"),
    "tiff 16-bit": lambda: encoded(_sixteen_bit(), "TIFF"),
    "tiff cmyk": lambda: encoded(car(1).convert("CMYK"), "TIFF"),
    "tiff pages": lambda: encoded(_frames()[0], "TIFF", save_all=True, append_images=_frames()[1:]),
    "avif": lambda: encoded(car(1), "AVIF", speed=10),
    "avif alpha": lambda: encoded(_see_through("RGBA"), "AVIF", speed=10),
    "avif animated": lambda: encoded(_frames()[0], "AVIF", speed=10, save_all=True, append_images=_frames()[1:]),
    "jpeg and zip": lambda: encoded(car(1), "JPEG") + b"PK\x03\x04" + bytes(100) + b"PK\x05\x06" + bytes(18),
    "png and html": lambda: encoded(car(1), "PNG") + b"<script>alert(1)</script>",
    "gif and javascript": lambda: encoded(car(1).quantize(8), "GIF", comment=b"*/=1;alert(1)//"),
}


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png_with(extra: bytes) -> bytes:
    plain = encoded(car(1), "PNG")
    return plain[:33] + extra + plain[33:]


def _png_of_size(width: int, height: int) -> bytes:
    """A header of that size and a few pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def _exif_bomb(tags: int, size: int) -> bytes:
    """Tags that all claim the same `size` bytes."""
    at = 8 + 2 + 12 * tags + 4
    entries = b"".join(struct.pack("<HHII", 0x8000 + index, 7, size, at) for index in range(tags))
    return b"II*\0" + struct.pack("<IH", 8, tags) + entries + bytes(4) + bytes(size)


def _jpeg_with(segments: bytes) -> bytes:
    plain = encoded(car(1), "JPEG")
    return plain[:2] + segments + plain[2:]


def _jpeg_exif() -> bytes:
    exif = _exif_bomb(600, 4_000_000)
    parts = (b"Exif\0\0" + exif[at : at + 65_000] for at in range(0, len(exif), 65_000))
    return _jpeg_with(b"".join(b"\xff\xe1" + struct.pack(">H", len(part) + 2) + part for part in parts))


def _jpeg_of_scans(side: int, scans: int) -> bytes:
    """A progressive JPEG that refines the same coefficients again and again."""
    plain = encoded(Image.new("L", (side, side), 128), "JPEG", progressive=True)
    last = plain.rfind(b"\xff\xda")
    scan = plain[max(last - 200, plain.rfind(b"\xff\xc4", 0, last)) : -2]
    return plain[:-2] + scan * min(scans, (ROOM - len(plain)) // len(scan)) + plain[-2:]


def _gif_with(extension: bytes) -> bytes:
    plain = encoded(car(1).quantize(256), "GIF")
    at = 13 + 3 * 2 ** (1 + (plain[10] & 7))
    return plain[:at] + extension + plain[at:]


def _tiff_of(extra: t.Iterable[tuple[int, int, int, int]], tail: bytes = b"") -> bytes:
    """An uncompressed TIFF with `extra` tags (tag, type, count, value), `tail` at offset 100,000."""
    image = car(1).convert("RGB")
    tags = {256: (3, 1, image.width), 257: (3, 1, image.height), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 2)}
    tags |= {277: (3, 1, 3), 278: (3, 1, image.height), 273: (4, 1, 200), 279: (4, 1, image.width * image.height * 3)}
    tags |= {tag: tuple(rest) for tag, *rest in extra}  # type: ignore[misc]
    entries = b"".join(struct.pack("<HHII", tag, *values) for tag, values in sorted(tags.items()))
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    return (head.ljust(200, b"\0") + image.tobytes()).ljust(100_000, b"\0") + tail


def _lossless_webp(side: int) -> bytes:
    """A picture of one colour takes no bits per pixel, so the header of a small one may say anything."""
    plain = bytearray(encoded(Image.new("RGB", (64, 64)), "WEBP", lossless=True))
    plain[21:25] = struct.pack("<I", (side - 1) | (side - 1) << 14)
    return bytes(plain)


def _noise(side: int) -> Image.Image:
    return Image.effect_noise((side // 8, side // 8), 60).resize((side, side)).convert("RGB")


def _tiff_strips_as_bytes() -> bytes:
    """A million strips, their places said to be bytes."""
    return _tiff_of([(273, 1, 1_000_000, 100_000), (279, 1, 1_000_000, 100_000), (278, 3, 1, 1)], b"\xc8" * 1_000_000)


def _arithmetic(kind: int, scans: int) -> bytes:
    """A JPEG of 49 megapixels, said to be arithmetically coded, whose scans hold nothing."""
    frame = struct.pack(">BHHBBBB", 8, JPEG_SIDE, JPEG_SIDE, 1, 1, 0x11, 0)
    table = b"\xff\xdb\0\x43\0" + b"\1" * 64
    scan = b"\xff\xda\0\x08\1\1\0\0\0\0"
    return b"\xff\xd8" + table + b"\xff" + bytes([kind]) + b"\0\x0b" + frame + scan * scans + b"\xff\xd9"


def _run_length_bmp(bits: int) -> bytes:
    """A bitmap of 23 megapixels whose rows are ended again and again."""
    head = struct.pack("<IiiHHIIiiII", 40, 4800, 4800, 1, bits, 2 if bits == 4 else 1, 0, 0, 0, 1 << bits, 0)
    start = 14 + len(head) + 4 * (1 << bits)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, start) + head + bytes(4 << bits) + b"\1\1\0\0" * 5_000 + b"\0\1"


#: Codings that no camera writes, and that take far longer than those which do.
ODD: dict[str, Maker] = {
    "tiff with jpeg inside": lambda: encoded(Image.new("RGB", (OTHER_SIDE, OTHER_SIDE)), "TIFF", compression="jpeg"),
    "tiff with zstd inside": lambda: encoded(car(1), "TIFF", compression="zstd"),
    "jpeg, arithmetic": lambda: _arithmetic(0xC9, 1),
    "jpeg, arithmetic and progressive": lambda: _arithmetic(0xCA, 20),
    "jpeg, lossless": lambda: _arithmetic(0xC3, 1),
    "bmp of runs": lambda: _run_length_bmp(8),
    "bmp of runs of 4 bits": lambda: _run_length_bmp(4),
}

#: Files that would cost much if they were believed.
BOMBS: dict[str, Maker] = {
    **ODD,
    "tiff of a million strips in bytes": _tiff_strips_as_bytes,
    "png as large as it may be": lambda: encoded(Image.new("RGBA", (OTHER_SIDE, OTHER_SIDE)), "PNG"),
    "png of 16 bits as large as it may be": lambda: encoded(Image.new("I;16", (OTHER_SIDE, OTHER_SIDE)), "PNG"),
    "png of 400 megapixels": lambda: encoded(Image.new("1", (20_000, 20_000)), "PNG"),
    "png that says 2^31": lambda: _png_of_size(2**31 - 1, 2**31 - 1),
    "png of 360,000 chunks": lambda: _png_with(chunk(b"abCd", b"") * 360_000),
    "png with a text bomb": lambda: _png_with(chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10_000_000))) * 8),
    "png with a profile bomb": lambda: _png_with(chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(40_000_000)))),
    "png with an exif bomb": lambda: _png_with(chunk(b"eXIf", _exif_bomb(600, 4_000_000))),
    "webp of 49 megapixels": lambda: _lossless_webp(7_000),
    "webp as large as it may be": lambda: encoded(
        Image.new("RGB", (OTHER_SIDE, OTHER_SIDE)), "WEBP", lossless=True, method=0, quality=0
    ),
    "webp with an exif bomb": lambda: encoded(car(1), "WEBP", exif=_exif_bomb(600, 4_000_000)),
    "gif as large as it may be": lambda: encoded(Image.new("P", (OTHER_SIDE, OTHER_SIDE)), "GIF"),
    "gif with a long comment": lambda: _gif_with(b"\x21\xfe" + (b"\xff" + b"a" * 255) * (ROOM // 256) + b"\0"),
    "gif with a comment in bits": lambda: _gif_with(b"\x21\xfe" + b"\x01a" * (ROOM // 2) + b"\0"),
    "gif of many comments": lambda: _gif_with(b"\x21\xfe\x01a\0" * (ROOM // 5)),
    "tiff as large as it may be": lambda: encoded(
        Image.new("RGBA", (OTHER_SIDE, OTHER_SIDE)), "TIFF", compression="tiff_adobe_deflate"
    ),
    "tiff of 65,000 tags": lambda: _tiff_of((1000 + index, 2, 2**31, 8) for index in range(64_000)),
    "tiff of a million strips": lambda: _tiff_of(
        [(273, 4, 1_000_000, 100_000), (279, 4, 1_000_000, 100_000), (278, 3, 1, 1)],
        struct.pack("<I", 200) * 1_000_000,
    ),
    "tiff with an exif bomb": lambda: _tiff_of(
        ((40_000 + index, 7, 4_000_000, 100_000) for index in range(600)), bytes(4_000_000)
    ),
    "avif as large as it may be": lambda: encoded(_noise(OTHER_SIDE), "AVIF", speed=10, quality=30),
    "avif with an exif bomb": lambda: encoded(car(1), "AVIF", speed=10, exif=_exif_bomb(600, 4_000_000)),
    "jpeg as large as it may be": lambda: encoded(_noise(JPEG_SIDE), "JPEG", quality=20),
    "jpeg, progressive and cmyk": lambda: encoded(
        Image.new("CMYK", (JPEG_SIDE, JPEG_SIDE)), "JPEG", quality=20, progressive=True
    ),
    "jpeg of 2,000 scans": lambda: _jpeg_of_scans(JPEG_SIDE, 2_000),
    "small jpeg of 5,000 scans": lambda: _jpeg_of_scans(1_000, 5_000),
    "jpeg of a million segments": lambda: _jpeg_with(b"\xff\xfe\0\2" * (ROOM // 4)),
    "jpeg of fill bytes": lambda: _jpeg_with(b"\xff" * ROOM),
    "jpeg with an exif bomb": _jpeg_exif,
    "bmp that says 2^31": lambda: encoded(car(1), "BMP")[:18] + struct.pack("<ii", 2**31 - 1, 2**31 - 1) + bytes(900),
}


@functools.cache
def bomb(name: str) -> bytes:
    """The file `name` of `BOMBS`, made once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns about what it is asked to write
        return BOMBS[name]()


@functools.cache
def good(name: str) -> bytes:
    """The picture `name` of `GOOD`, made once."""
    return GOOD[name]()
