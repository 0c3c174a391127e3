"""Bytes to arrays and back: what an upload may be, how it becomes the model's square, and what answers look like."""

import base64
import contextlib
import dataclasses
import io
import math
import typing as t
import warnings
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
    features,
)

from . import costs, png
from .errors import Problem

Array: t.TypeAlias = NDArray[np.float32]
Turn: t.TypeAlias = Callable[[], contextlib.AbstractContextManager[None]]

#: Most pixels per upload. A JPEG is scaled down while it is decoded. Other formats are decoded at full size: the most
#: expensive, a lossless WebP, takes 0.5 s of one core and 380 MB for 24 megapixels.
MAX_JPEG_PIXELS = 50_000_000
MAX_PIXELS = 24_000_000
MIN_SIDE = 8

#: Pixels from which on pictures are decoded one at a time, so that their memory never adds up.
LARGE = 4_000_000

#: Longest side over shortest; beyond it too few rows are left of the picture in the model's square.
MAX_RATIO = 16

#: White pixels between the cars of a grid or strip.
GAP = 4

#: Bounds of the longest side of an answer's pictures, in pixels.
MIN_ANSWER_SIDE = 32
MAX_ANSWER_SIDE = 1024

#: Milliseconds for which a frame of an animation is shown.
FRAME_MS = 100

Encoder: t.TypeAlias = Callable[[Image.Image], bytes]


def _with_pillow(**options: t.Any) -> Encoder:
    def encode(image: Image.Image) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, **options)
        return buffer.getvalue()

    return encode


#: Options of WebP, animated or not.
_WEBP: dict[str, t.Any] = {"format": "WEBP", "quality": 90}

#: Encoders by media type.
FORMS: dict[str, Encoder] = {
    "image/png": png.encode,
    "image/webp": _with_pillow(**_WEBP),
    "image/jpeg": _with_pillow(format="JPEG", quality=92),
}

#: What images inside JSON may be encoded with, by the names that a query has for them.
INLINE = {"png": "image/png", "webp": "image/webp"}

# Imported by name above, so that the first request doesn't pay for it and no other decoder is ever reachable.
_PLUGINS = (
    JpegImagePlugin.JpegImageFile,
    PngImagePlugin.PngImageFile,
    WebPImagePlugin.WebPImageFile,
    GifImagePlugin.GifImageFile,
    BmpImagePlugin.BmpImageFile,
    TiffImagePlugin.TiffImageFile,
    *([AvifImagePlugin.AvifImageFile] if features.check("avif") else []),
)
FORMATS = tuple(plugin.format for plugin in _PLUGINS if plugin.format)

_SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}

#: The transposition that turns a picture upright, by EXIF orientation.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# The limits above are checked before any pixel is decoded. Their errors name the sides, which Pillow's own does not.
Image.MAX_IMAGE_PIXELS = None

# Pillow warns of each odd tag in a file; a hostile one has 65,000, which would flood the log.
warnings.filterwarnings("ignore", module="PIL")


@dataclasses.dataclass(frozen=True)
class Upload:
    """A picture as the model sees it.

    Parameters
    ----------
    pixels : Array
        ``(1, C, S, S)`` in [0, 1], letterboxed on white.
    left, top, width, height : int
        Where in the square the picture is, in pixels.
    """

    pixels: Array
    left: int
    top: int
    width: int
    height: int

    def crop(self, image: Array) -> Array:
        """Cut the letterbox bars off a ``(C, S, S)`` image of the same layout."""
        return image[:, self.top : self.top + self.height, self.left : self.left + self.width]


def read(data: bytes, size: int, channels: int, field: str, alone: Turn = contextlib.nullcontext) -> Upload:
    """Decode an upload and letterbox it.

    The picture is set upright by its EXIF orientation, put on white where it is transparent, and only the first
    frame of an animation counts.

    Parameters
    ----------
    data : bytes
        A file of one of `FORMATS`.
    size, channels : int
        Side of the model's square in pixels; 1 for greyscale or 3 for RGB.
    field : str
        What to call the upload in an error.
    alone : callable
        Gives a context in which a picture above `LARGE` is decoded: it waits for its turn there.

    Raises
    ------
    Problem
        415 if it is no image of these formats, 422 if it can't be decoded or is too large, small or long.
    """
    kind = _format(data)
    if kind not in FORMATS:
        offered = ", ".join(FORMATS)
        raise Problem(415, f"expected an image ({offered}), got {kind}", parameter=field, value=kind)
    try:
        costs.check(kind, data)
        image: Image.Image = Image.open(io.BytesIO(data), formats=(kind,))
        pixels = image.width * image.height
        _check_sides(image.size, MAX_JPEG_PIXELS if kind == "JPEG" else MAX_PIXELS, field)
        if kind == "JPEG":
            costs.check_scans(data, pixels)
        with alone() if pixels > LARGE else contextlib.nullcontext():
            small = _small(image, size, channels)
    except Problem:
        raise
    except Exception as error:  # decoders meet hostile bytes with nearly any exception; none of them is our bug
        reason = str(error) if isinstance(error, (OSError, ValueError, SyntaxError)) else type(error).__name__
        reason = reason.partition(" <")[0][:200]  # Pillow appends the repr of a buffer
        raise Problem(422, f"the {kind} can't be decoded: {reason}", parameter=field, value=kind) from error
    left, top = (size - small.width) // 2, (size - small.height) // 2
    square = Image.new("L" if channels == 1 else "RGB", (size, size), "white")
    square.paste(small, (left, top), small if small.mode in ("LA", "RGBA") else None)
    array = np.asarray(square, np.float32).reshape(size, size, channels).transpose(2, 0, 1) / np.float32(255)
    return Upload(np.ascontiguousarray(array)[None], left, top, small.width, small.height)


def picture(image: Array, side: int = MAX_ANSWER_SIDE) -> Image.Image:
    """Turn one ``(C, H, W)`` image in [0, 1] into a Pillow image; values outside are clipped.

    Its longest side is `side` pixels, or the image's own where that is shorter: nothing is enlarged.
    """
    pixels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    # Channel by channel, which takes a fifth of the time that numpy takes to interleave them.
    whole = Image.merge("L" if len(pixels) == 1 else "RGB", [Image.fromarray(channel) for channel in pixels])
    if max(whole.size) <= side:
        return whole
    return ImageOps.contain(whole, (side, side), Image.Resampling.LANCZOS)


def grid(pictures: Sequence[Image.Image], columns: int | None = None) -> Image.Image:
    """Arrange equally large pictures in rows on white, `columns` in a row (default: as square as it gets)."""
    columns = columns or math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    width, height = pictures[0].width + GAP, pictures[0].height + GAP
    sheet = Image.new(pictures[0].mode, (columns * width - GAP, rows * height - GAP), "white")
    for index, each in enumerate(pictures):
        sheet.paste(each, (index % columns * width, index // columns * height))
    return sheet


def encode(image: Image.Image, form: str) -> bytes:
    """Encode as `form`, a key of `FORMS`."""
    return FORMS[form](image)


def animate(frames: Sequence[Image.Image], form: str) -> bytes:
    """Encode frames as an endless ``image/gif`` or ``image/webp`` animation."""
    buffer = io.BytesIO()
    if form == "image/gif":
        # The octree takes 0.2 s for 32 frames of 256 pixels. Median cut takes 10 s and is 0.8 dB closer.
        octree = Image.Quantize.FASTOCTREE
        frames = [frame.quantize(256, octree) if frame.mode == "RGB" else frame for frame in frames]
        options: dict[str, t.Any] = {"format": "GIF", "optimize": False}
    else:
        options = _WEBP
    frames[0].save(buffer, save_all=True, append_images=frames[1:], duration=FRAME_MS, loop=0, **options)
    return buffer.getvalue()


def data_url(image: Image.Image, form: str) -> str:
    """Encode as `form`, a key of `FORMS`, inside a ``data:`` address."""
    return f"data:{form};base64," + base64.b64encode(encode(image, form)).decode()


def _format(data: bytes) -> str:
    """Name the format by its first bytes: Pillow's name for one of ours, a description of anything else."""
    for signature, name in _SIGNATURES.items():
        if data.startswith(signature):
            return name
    if data[:2] == b"BM" and data[6:10] == b"\0\0\0\0":
        return "BMP"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        # The major brand may be a general one; the list of compatible brands then decides.
        is_avif = any(brand in data[8:40] for brand in (b"avif", b"avis"))
        return "AVIF" if is_avif else f"a file of type {data[8:12].decode('ascii', 'replace').strip()!a}"
    if data.startswith(b"%PDF"):
        return "PDF"
    try:
        text = data[:64].decode("utf-8").strip()
    except UnicodeDecodeError:
        return f"unknown bytes {data[:8].hex(' ')}"
    return "XML or HTML" if text.startswith("<") else "text"


def _check_sides(sides: tuple[int, int], limit: int, field: str) -> None:
    width, height = sides
    text = f"{width} x {height}"
    if width * height > limit:
        raise Problem(422, f"the image has {text} pixels; at most {limit} are accepted", parameter=field, value=text)
    if min(sides) < MIN_SIDE:
        raise Problem(422, f"the image has {text} pixels; at least {MIN_SIDE} per side", parameter=field, value=text)
    if max(sides) > MAX_RATIO * min(sides):
        detail = f"the image has {text} pixels; one side may be at most {MAX_RATIO} times as long as the other"
        raise Problem(422, detail, parameter=field, value=text)


def _small(image: Image.Image, size: int, channels: int) -> Image.Image:
    """Decode and scale to `size` on the longest side, upright."""
    # A JPEG is scaled inside its decoder, which takes an eighth of the time for a large photograph. It is scaled to
    # twice the final size, so that the last step uses the same filter as for any other picture.
    share = 2 * size / max(image.size)
    image.draft(None, (math.ceil(image.width * share), math.ceil(image.height * share)))
    image.load()
    return _upright(ImageOps.contain(_plain(image, channels), (size, size), Image.Resampling.LANCZOS), image)


def _plain(image: Image.Image, channels: int) -> Image.Image:
    """Convert any mode to 8-bit L or RGB, or to LA or RGBA where something may be transparent."""
    if image.mode.startswith("I;16"):
        # Pillow clips 16-bit values at 255 when it converts them.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode in ("I", "F"):
        raise ValueError("32 bits per pixel; expected 8 or 16")
    if image.has_transparency_data:
        # Greyscale goes through RGBA, too: not every mode converts to LA.
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        return image.convert("LA") if channels == 1 else image
    mode = "L" if channels == 1 else "RGB"
    return image if image.mode == mode else image.convert(mode)  # convert() copies, whatever the mode


def _upright(small: Image.Image, original: Image.Image) -> Image.Image:
    """Turn the already scaled picture as the EXIF orientation of the original says."""
    try:
        orientation = original.getexif().get(0x0112)
    except Exception:  # broken metadata must not cost the picture; browsers ignore it as well
        return small
    return small.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else small
