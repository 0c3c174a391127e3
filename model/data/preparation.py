"""Photographs from anywhere to one compact array: what is kept, what is left out and why."""

import collections
import csv
import dataclasses
import hashlib
import io
import json
import math
import os
import pathlib
import struct
import typing as t
import warnings

import imagehash
import numpy as np
from numpy.lib.format import open_memmap
from PIL import ExifTags, Image, ImageOps

from . import files, sheets
from .prepared import IMAGES, SPLITS
from .sources import SPLIT_ORDER, TOO_LARGE, LeftOut, Source, shown

CARD = "data_card.json"
CONTACT_SHEET = "contact_sheet.png"
Fit = t.Literal["letterbox", "crop", "squash"]

#: The transposition that turns a picture upright, by EXIF orientation.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

#: Images whose 64-bit perceptual hashes differ in at most this many bits count as near duplicates.
NEAR_DUPLICATE_BITS = 4

#: Accepted formats. Pillow's other readers are rarely used and little tested, and its EPS reader runs Ghostscript.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")

#: Most pixels per image, the server's limit for a JPEG: preparing such an image takes up to 1 GB.
MOST_PIXELS = 50_000_000


#: Most tags of a TIFF. Photographs have a few dozen. Pillow reads 64,000 tags six times, which takes seconds.
MOST_TAGS = 1_000

#: By a TIFF's first bytes: its byte order, and the struct formats of its tags' offset and number.
_TIFF = {
    b"II*\0": ("<", "4xI", "H"),
    b"MM\0*": (">", "4xI", "H"),
    b"II+\0": ("<", "8xQ", "Q"),
    b"MM\0+": (">", "8xQ", "Q"),
}


def decode(content: bytes) -> Image.Image:
    """Decode an image upright, in RGB, with white where it is transparent."""
    return _on_white(_plain(ImageOps.exif_transpose(_opened(content))))


def letterbox(content: bytes, size: int) -> Image.Image:
    """Decode an image into ``size x size`` pixels, the bars white: to the pixel what the server makes of an upload.

    The order of the steps is the server's: a JPEG is scaled inside its decoder, to at least twice the final size, and
    transparency and orientation come after the scaling.

    Raises
    ------
    OSError, ValueError, SyntaxError or Image.DecompressionBombError
        If it can't be decoded, or has 32 bits per channel.
    """
    image = _opened(content)
    share = 2 * size / max(image.size)
    image.draft(None, (math.ceil(image.width * share), math.ceil(image.height * share)))
    image.load()
    inner = ImageOps.contain(_plain(image), (size, size), Image.Resampling.LANCZOS)
    turn = UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return _in_the_middle(inner if turn is None else inner.transpose(turn), size)


def _opened(content: bytes) -> Image.Image:
    if content[:4] in _TIFF:
        order, place, number = _TIFF[content[:4]]
        (place_of_tags,) = struct.unpack_from(order + place, content)
        if struct.unpack_from(order + number, content, place_of_tags)[0] > MOST_TAGS:
            raise LeftOut("too many tags")
    image = Image.open(io.BytesIO(content), formats=FORMATS)
    if image.width * image.height > MOST_PIXELS:
        raise LeftOut(TOO_LARGE)
    return image


def to_square(image: Image.Image, size: int, fit: Fit = "letterbox") -> Image.Image:
    """Fit an RGB image into ``size x size`` pixels: letterboxed on white, cropped about its centre, or squashed."""
    if fit == "squash":
        return image.resize((size, size), Image.Resampling.LANCZOS)
    if fit == "crop":
        return ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
    return _in_the_middle(ImageOps.contain(image, (size, size), Image.Resampling.LANCZOS), size)


def _plain(image: Image.Image) -> Image.Image:
    """Convert any mode to RGB, or to RGBA where something may be transparent."""
    if image.mode.startswith("I;16"):
        # Pillow clips 16-bit values at 255 when it converts them.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode in ("I", "F"):
        raise ValueError("32 bits per pixel; expected 8 or 16")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def _in_the_middle(inner: Image.Image, size: int) -> Image.Image:
    square = Image.new("RGB", (size, size), "white")
    place = (size - inner.width) // 2, (size - inner.height) // 2
    square.paste(inner, place, inner if inner.mode == "RGBA" else None)
    return square


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to prepare: side in pixels, fit, smallest side accepted, shares of val and test where no split is given."""

    size: int = 128
    fit: Fit = "letterbox"
    min_side: int = 32
    val: float = 0.05
    test: float = 0.05

    def __post_init__(self) -> None:
        if not 8 <= self.size <= 1024:
            raise ValueError(f"size: {self.size} is not within 8 and 1024 pixels")
        if not (0 < self.val < 1 and 0 < self.test < 1 and self.val + self.test < 1):
            raise ValueError(f"val {self.val} and test {self.test} must be shares above 0 that leave some for training")


def prepare(
    sources: t.Sequence[Source],
    out: pathlib.Path,
    settings: Settings,
    progress: t.Callable[[t.Sequence[Source]], t.Iterable[Source]] = iter,
) -> dict[str, t.Any]:
    """Write array, splits, data card and contact sheet; the same input gives the same bytes.

    Near duplicates of an image that is kept are left out, so none straddles two splits.

    Parameters
    ----------
    progress
        Wraps the sources while they are read, e.g. in a progress bar.

    Returns
    -------
    dict
        The data card.

    Raises
    ------
    ValueError
        ``out`` exists already, or no image is left.
    OSError
        The disk is full or not writable; nothing is left behind at ``out``.
    """
    if out.exists():
        raise ValueError(f"{out}: exists already; remove it or choose another folder")
    with files.whole_folder(out) as work, warnings.catch_warnings():
        # Pillow warns once per tag about damage outside the pixels, with up to 64,000 lines for one file.
        warnings.filterwarnings("ignore", module="PIL")
        return _write(sources, work, settings, progress)


def _write(
    sources: t.Sequence[Source],
    work: pathlib.Path,
    settings: Settings,
    progress: t.Callable[[t.Sequence[Source]], t.Iterable[Source]],
) -> dict[str, t.Any]:
    left_out: dict[str, list[str]] = collections.defaultdict(list)
    digests: set[str] = set()
    kept: list[tuple[str, str]] = []
    # Hashes in the order of arrival, for one vectorised comparison per image.
    hashes = np.zeros(len(sources), np.uint64)
    spool = room_for(work / "spool.npy", (max(1, len(sources)), settings.size, settings.size, 3))
    for source in progress(sorted(sources, key=lambda s: (SPLIT_ORDER.get(s.split or "", 0), s.name))):
        try:
            content = source.read()
            # First, so that only one of the two holds all pixels at a time.
            square = letterbox(content, settings.size) if settings.fit == "letterbox" else None
            image = decode(content)
        except (LeftOut, Image.DecompressionBombError) as error:
            left_out[str(error) if isinstance(error, LeftOut) else TOO_LARGE].append(source.name)
            continue
        except Exception:  # Pillow's readers let struct.error, IndexError, RuntimeError and others through
            left_out["unreadable"].append(source.name)
            continue
        if min(image.size) < settings.min_side:
            left_out["too small"].append(source.name)
            continue
        hashed = hashlib.sha256(repr(image.size).encode())
        hashed.update(image.tobytes())
        digest = hashed.hexdigest()
        if digest in digests:
            left_out["exact duplicate"].append(source.name)
            continue
        digests.add(digest)
        code = np.packbits(imagehash.phash(image).hash.flatten()).view(np.uint64)[0]
        if (np.bitwise_count(hashes[: len(kept)] ^ code) <= NEAR_DUPLICATE_BITS).any():
            left_out["near duplicate"].append(source.name)
            continue
        hashes[len(kept)] = code
        spool[len(kept)] = np.asarray(square or to_square(image, settings.size, settings.fit))
        kept.append((source.name, source.split or _split_of(digest, settings)))
    if not kept:
        raise ValueError(f"no image is left of {len(sources)}: {'; '.join(listed(left_out))}")

    order = sorted(range(len(kept)), key=lambda index: kept[index][0])
    array = room_for(work / IMAGES, (len(kept), *spool.shape[1:]))
    for row, index in enumerate(order):
        array[row] = spool[index]
    array.flush()
    (work / "spool.npy").unlink()
    with (work / SPLITS).open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(("file", "split"))
        writer.writerows(kept[index] for index in order)
    card = {
        "images": len(kept),
        "splits": dict(sorted(collections.Counter(split for _, split in kept).items())),
        "left_out": {reason: len(names) for reason, names in sorted(left_out.items())},
        "left_out_files": {reason: sorted(names) for reason, names in sorted(left_out.items())},
        "near_duplicate_bits": NEAR_DUPLICATE_BITS,
        "settings": dataclasses.asdict(settings),
        "sha256": hashlib.sha256((work / IMAGES).read_bytes()).hexdigest(),
    }
    (work / CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    _contact_sheet(array).save(work / CONTACT_SHEET)
    return card


def listed(left_out: t.Mapping[str, t.Sequence[str]], most: int = 3) -> list[str]:
    """For each reason why images are left out: their number, and the names of the first."""
    lines = []
    for reason, names in sorted(left_out.items()):
        more = f", and {len(names) - most} more" if len(names) > most else ""
        lines.append(f"{len(names)} {reason}: {', '.join(shown(name) for name in sorted(names)[:most])}{more}")
    return lines


def room_for(path: pathlib.Path, shape: tuple[int, ...]) -> "np.memmap[t.Any, np.dtype[np.uint8]]":
    """An array on disk whose space is reserved at once: if the disk filled up later, the process would be killed."""
    array = open_memmap(path, "w+", np.uint8, shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def _split_of(digest: str, settings: Settings) -> str:
    """Split by content, so that adding images never moves one that was there before."""
    draw = int(digest[:12], 16) / 16**12
    return "test" if draw < settings.test else "val" if draw < settings.test + settings.val else "train"


def _contact_sheet(images: np.ndarray[t.Any, np.dtype[np.uint8]], side: int = 12) -> Image.Image:
    """Evenly spaced images on one sheet, for a look at what a model will be trained on."""
    rows = np.linspace(0, len(images) - 1, min(side * side, len(images))).round().astype(int)
    small = np.stack(
        [np.asarray(Image.fromarray(images[row]).resize((64, 64), Image.Resampling.LANCZOS)) for row in rows]
    )
    return Image.fromarray(sheets.sheet([small[first : first + side] for first in range(0, len(small), side)]))
