"""Images in folders and zips: found, and read within bounds; what can't be read says why."""

import collections
import csv
import dataclasses
import functools
import os
import pathlib
import typing as t
import zipfile
import zlib

from .prepared import SPLITS

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}

#: Evaluation splits come first, so that of two near duplicates it is the training image that is left out.
SPLIT_ORDER = {"test": 0, "val": 1, "train": 2}

#: Bytes of one image, unpacked: 50 megapixels with four channels and room.
LARGEST_FILE = 256_000_000

#: The reason for a file of too many bytes or pixels.
TOO_LARGE = "too large"

#: Methods whose unpacking zipfile can stop; 4 kB of bzip2 may hold gigabytes.
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


class LeftOut(ValueError):  # noqa: N818 - says what happens
    """An image that can't be used; the text is the reason that it is counted under."""


@dataclasses.dataclass(frozen=True)
class Source:
    """One image to read: its name in the output, its bytes when asked, and the split fixed for it, if any.

    ``read`` raises LeftOut or OSError.
    """

    name: str
    read: t.Callable[[], bytes]
    split: str | None


def find_sources(paths: t.Sequence[pathlib.Path]) -> list[Source]:
    """List the images below folders and inside zips, in the order of their names.

    A folder with a ``splits.csv`` (columns file, split) fixes the split of its images and uses no others.

    Raises
    ------
    ValueError
        A path is missing, is neither folder nor zip, or holds no image; or ``splits.csv`` is malformed.
    """
    sources: list[Source] = []
    for path in paths:
        found = _in_folder(path) if path.is_dir() else _in_zip(path)
        if not found:
            raise ValueError(f"{path}: no images ({', '.join(sorted(SUFFIXES))}) found in it")
        prefix = f"{path.stem}/" if len(paths) > 1 else ""
        sources += [_named(dataclasses.replace(source, name=prefix + source.name)) for source in found]
    repeated = [name for name, count in collections.Counter(source.name for source in sources).items() if count > 1]
    if repeated:
        raise ValueError(f"{repeated[0]}: two sources hold an image of this name; rename one of the folders")
    return sorted(sources, key=lambda source: source.name)


def shown(name: str) -> str:
    """Escape what doesn't print in a name: bytes that are no UTF-8, control characters."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _named(source: Source) -> Source:
    """Replace a source whose name can't be written to a table by one that reports this."""
    try:
        source.name.encode()
    except UnicodeEncodeError:

        def read() -> bytes:
            raise LeftOut("with a name that is not UTF-8")

        return Source(shown(source.name), read, source.split)
    return source


def _in_folder(folder: pathlib.Path) -> list[Source]:
    table = folder / SPLITS
    if not table.is_file():
        if table.exists():
            raise ValueError(f"{table}: not a regular file")
        found = sorted(each for each in folder.rglob("*") if each.suffix.lower() in SUFFIXES)
        return [
            Source(each.relative_to(folder).as_posix(), functools.partial(_read_file, each), None) for each in found
        ]
    with table.open(newline="", encoding="utf-8", errors="surrogateescape") as handle:
        try:
            rows = list(csv.DictReader(handle))
        except csv.Error as error:
            raise ValueError(f"{table}: {error}") from error
    for number, row in enumerate(rows, start=2):
        if row.get("split") not in SPLIT_ORDER or not row.get("file"):
            raise ValueError(f"{table}, line {number}: {dict(row)}; expected file and split ({', '.join(SPLIT_ORDER)})")
        if not (folder / row["file"]).resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"{table}, line {number}: {row['file']!r} lies outside {folder}")
    return [Source(row["file"], functools.partial(_read_file, folder / row["file"]), row["split"]) for row in rows]


def _read_file(path: pathlib.Path) -> bytes:
    # A FIFO would wait for its writer, and a device may have no end.
    if path.exists() and not path.is_file():
        raise LeftOut("not a regular file")
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size > LARGEST_FILE:
            raise LeftOut(TOO_LARGE)
        return file.read()


def _in_zip(path: pathlib.Path) -> list[Source]:
    if not path.exists():
        raise ValueError(f"{path}: no such folder or zip file")
    if not path.is_file() or not zipfile.is_zipfile(path):
        raise ValueError(f"{path}: neither a folder nor a zip file")
    try:
        with zipfile.ZipFile(path) as archive:
            names = [each.filename for each in archive.infolist() if not each.is_dir()]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: the name {error.object!r} in it is not UTF-8, though marked as such") from error
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise ValueError(f"{path}: a damaged zip file ({error})") from error
    images = [name for name in names if pathlib.PurePosixPath(name).suffix.lower() in SUFFIXES]
    return [
        Source(name, functools.partial(_read_member, path, name), None)
        for name in images
        if not name.startswith("__MACOSX/")
    ]


def _read_member(path: pathlib.Path, name: str) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo(name)
            if info.flag_bits & 0x1:
                raise LeftOut("encrypted")
            if info.compress_type not in METHODS:
                raise LeftOut("compressed by another method than deflate")
            if info.file_size > LARGEST_FILE:
                raise LeftOut(TOO_LARGE)
            with archive.open(info) as file:
                # With a limit, because a member that holds more than its stated size would be unpacked completely.
                return file.read(info.file_size + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise LeftOut("damaged in the zip") from error
