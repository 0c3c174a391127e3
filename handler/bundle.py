"""Where a model bundle comes from: a folder or S3, its manifest checked, every byte verified before it is used."""

import contextlib
import dataclasses
import hashlib
import json
import logging
import math
import re
import typing as t
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import files, sources
from .sources import BundleError, Folder, Source

__all__ = ["MANIFEST", "POINTER", "Bundle", "BundleError", "Direction", "Manifest", "Plausibility"]

log = logging.getLogger("carvae")

MANIFEST = "manifest.json"
POINTER = "current.json"
MANIFEST_LIMIT = 4_000_000
MAX_DIRECTIONS = 64

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True)
class Direction:
    """A way through latent space that the codes of cars spread along.

    Parameters
    ----------
    name : str
        What to call it.
    sd, mean : float
        Standard deviation and mean of the codes along it.
    vector : tuple of float
        D numbers, of length 1.
    """

    name: str
    sd: float
    mean: float
    vector: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Plausibility:
    """What photographs of cars are like; `plausibility.distance` uses it.

    Parameters
    ----------
    groups : int
        Groups of equal length, G, that a latent is divided into.
    mean, precision : tuple
        Mean and inverse covariance of the ``2 G + 1`` numbers that sum a photograph up.
    threshold : float
        Distance above which an upload does not look like a car.
    """

    groups: int
    mean: tuple[float, ...]
    precision: tuple[tuple[float, ...], ...]
    threshold: float


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What ``manifest.json`` says of the bundle; keys that serving has no use for are left out.

    Parameters
    ----------
    name, version : str
        Of the model; they appear in answers and headers.
    image_size : int
        Side of the model's square images in pixels.
    channels : int
        1 or 3.
    latent_dim, noise_dim : int
        Lengths of a latent vector and of the noise that the prior turns into one.
    files : mapping of str to (str, int)
        SHA-256 and length in bytes of each file.
    directions : tuple of Direction
        The widest first; none where the manifest names none.
    plausibility : Plausibility or None
        What photographs of cars are like; None where the manifest does not say.
    """

    name: str
    version: str
    image_size: int
    channels: int
    latent_dim: int
    noise_dim: int
    files: Mapping[str, tuple[str, int]]
    directions: tuple[Direction, ...] = ()
    plausibility: Plausibility | None = None

    @classmethod
    def parse(cls, data: bytes) -> t.Self:
        """Read a manifest.

        Raises
        ------
        BundleError
            If it is no JSON object, or a key is missing or of a wrong type or range; the key is named.
        """
        if len(data) > MANIFEST_LIMIT:
            raise BundleError(f"{MANIFEST}: more than {MANIFEST_LIMIT} bytes")
        values = _json_object(MANIFEST, data)
        _field(values, "format", lambda v: _is_int(v, 1, 1), "1")
        files = _field(values, "files", lambda v: isinstance(v, dict), "an object")
        latent_dim = _field(values, "latent_dim", lambda v: _is_int(v, 1, 65536), "an integer, 1 to 65536")
        directions = _field({"directions": []} | values, "directions", _is_short_list, f"at most {MAX_DIRECTIONS}")
        return cls(
            name=_field(values, "name", lambda v: isinstance(v, str) and 0 < len(v) <= 100, "a short text"),
            version=_version(MANIFEST, values),
            image_size=_field(values, "image_size", lambda v: _is_int(v, 16, 1024), "an integer, 16 to 1024"),
            channels=_field({"channels": 3} | values, "channels", lambda v: _is_int(v, 1, 3) and v != 2, "1 or 3"),
            latent_dim=latent_dim,
            noise_dim=_field(values, "noise_dim", lambda v: _is_int(v, 1, 65536), "an integer, 1 to 65536"),
            files={name: _file(name, entry) for name, entry in files.items()},
            directions=tuple(_direction(place, entry, latent_dim) for place, entry in enumerate(directions)),
            plausibility=_plausibility(values.get("plausibility"), latent_dim),
        )


@dataclasses.dataclass(frozen=True)
class Bundle:
    """An opened bundle.

    Parameters
    ----------
    manifest : Manifest
        Its manifest.
    source : Source
        Its files.
    cache : Path, optional
        Folder where files are kept by their SHA-256; none for a source that is a local disk itself.
    warnings : list of str
        What went wrong, though the files could be read in the end.
    """

    manifest: Manifest
    source: Source
    cache: Path | None = None
    warnings: list[str] = dataclasses.field(default_factory=list, compare=False)

    @classmethod
    def open(cls, address: str, cache: Path, ahead: Sequence[str] = ()) -> t.Self:
        """Open the bundle at `address` (see `handler.settings.Settings.bundle`).

        Parameters
        ----------
        ahead
            Files that S3 is asked for together with the manifest, unless some are in the cache.

        Raises
        ------
        BundleError
            If it isn't there or its manifest is wrong.
        """
        if not address.startswith("s3://"):
            source: Source = Folder(Path(address))
            return cls(Manifest.parse(source.read(MANIFEST, MANIFEST_LIMIT)), source)
        bucket, _, prefix = address.removeprefix("s3://").rstrip("/").partition("/")
        versions, _, last = prefix.rpartition("/")
        # With files in the cache, these are probably among them, under names that the manifest tells.
        ahead = () if _has_files(cache) else ahead
        if last != POINTER:
            source = sources.Ahead(sources.bucket(bucket, prefix), ahead)
            return cls(Manifest.parse(source.read(MANIFEST, MANIFEST_LIMIT)), source, cache)
        pointer = sources.bucket(bucket, versions).read(POINTER, MANIFEST_LIMIT)
        version = _version(POINTER, _json_object(POINTER, pointer))
        source = sources.Ahead(sources.bucket(bucket, f"{versions}/{version}"), ahead)
        manifest = Manifest.parse(source.read(MANIFEST, MANIFEST_LIMIT))
        if manifest.version != version:
            raise BundleError(f"{MANIFEST}: version is {manifest.version!r}, {POINTER} says {version!r}")
        return cls(manifest, source, cache)

    def read(self, name: str) -> bytes:
        """Read a whole file and verify it against the manifest.

        Raises
        ------
        BundleError
            If the manifest doesn't list `name`, or the bytes are not the ones it lists.
        """
        if name not in self.manifest.files:
            raise BundleError(f"{MANIFEST}: files has no {name!r}, which this engine needs")
        sha256, length = self.manifest.files[name]
        cached = self.cache / sha256 if self.cache else None
        if cached and (kept := _kept(cached)) is not None:
            if hashlib.sha256(kept).hexdigest() == sha256:
                return kept
            log.warning("%s in the cache was damaged; fetching it again", name)
        data = self.source.read(name, length)
        if len(data) != length:
            size = f"more than {length}" if len(data) > length else str(len(data))
            raise BundleError(f"{name}: {size} bytes, the manifest says {length}")
        if hashlib.sha256(data).hexdigest() != sha256:
            raise BundleError(f"{name}: its SHA-256 is not the one in the manifest")
        if cached and (reason := _keep(cached, data)):
            warning = f"the cache can't be written: {reason}; the next start fetches the model again"
            if warning not in self.warnings:
                log.warning("%s", warning)
                self.warnings.append(warning)
        return data


def _has_files(cache: Path) -> bool:
    with contextlib.suppress(OSError):
        return any(cache.iterdir())
    return False


def _kept(path: Path) -> bytes | None:
    with contextlib.suppress(OSError):
        return path.read_bytes()
    return None


def _keep(path: Path, data: bytes) -> str | None:
    """Write a file, or return why that failed; a failure costs another download, but not the answer."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.whole(path) as file:
            file.write(data)
    except OSError as error:
        return error.strerror or type(error).__name__
    return None


def _json_object(name: str, data: bytes) -> dict[str, t.Any]:
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{name}: not JSON: {error}") from None
    if not isinstance(values, dict):
        raise BundleError(f"{name}: expected a JSON object, got {type(values).__name__}")
    return values


def _field(values: Mapping[str, t.Any], key: str, accept: t.Callable[[t.Any], bool], expected: str) -> t.Any:
    if key not in values:
        raise BundleError(f"{MANIFEST}: {key!r} is missing; expected {expected}")
    if not accept(values[key]):
        raise BundleError(f"{MANIFEST}: {key} is {str(values[key])[:80]!r}; expected {expected}")
    return values[key]


def _is_int(value: object, low: int, high: int) -> t.TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_finite(value: object) -> t.TypeGuard[float]:
    # Bounded before the conversion to float: JSON's integers may have any size.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -1e6 <= value <= 1e6


def _is_short_list(value: object) -> bool:
    return isinstance(value, list) and len(value) <= MAX_DIRECTIONS


def _version(name: str, values: Mapping[str, t.Any]) -> str:
    version = values.get("version")
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise BundleError(f"{name}: version is {version!r}; expected letters, digits and . _ + -, at most 64")
    return version


def _file(name: str, entry: object) -> tuple[str, int]:
    if not _FILE_NAME.fullmatch(name):
        raise BundleError(f"{MANIFEST}: files names {name[:80]!r}; expected a plain file name")
    if isinstance(entry, dict):
        sha256, length = entry.get("sha256"), entry.get("bytes")
        if isinstance(sha256, str) and _SHA256.fullmatch(sha256) and _is_int(length, 1, 2**31):
            return sha256, length
    raise BundleError(f"{MANIFEST}: files[{name!r}] is {str(entry)[:120]}; expected sha256 in hex and bytes")


def _direction(place: int, entry: object, dim: int) -> Direction:
    where = f"{MANIFEST}: directions[{place}]"
    if not isinstance(entry, dict):
        raise BundleError(f"{where} is {str(entry)[:80]!r}; expected an object")
    name, sd, mean, vector = (entry.get(key) for key in ("name", "sd", "mean", "vector"))
    if not isinstance(name, str) or not 0 < len(name) <= 100:
        raise BundleError(f"{where}: name is {str(name)[:80]!r}; expected a short text")
    if not _is_finite(sd) or sd <= 0:
        raise BundleError(f"{where}: sd is {str(sd)[:80]!r}; expected a number above 0")
    if "mean" not in entry:
        mean = 0  # bundles that were made before it was written
    if not _is_finite(mean):
        raise BundleError(f"{where}: mean is {str(mean)[:80]!r}; expected a number")
    if not isinstance(vector, list) or len(vector) != dim or not all(map(_is_finite, vector)):
        raise BundleError(f"{where}: vector is {str(vector)[:80]!r}; expected {dim} numbers")
    if not 0.99 < math.hypot(*vector) < 1.01:
        raise BundleError(f"{where}: vector has length {math.hypot(*vector):.3g}; expected 1")
    return Direction(name, float(sd), float(mean), tuple(map(float, vector)))


def _plausibility(entry: object, dim: int) -> Plausibility | None:
    if entry is None:
        return None
    where = f"{MANIFEST}: plausibility"
    if not isinstance(entry, dict):
        raise BundleError(f"{where} is {str(entry)[:80]!r}; expected an object")
    groups, mean, precision, threshold = (entry.get(key) for key in ("groups", "mean", "precision", "threshold"))
    if not _is_int(groups, 1, 64) or dim % groups:
        raise BundleError(f"{where}: groups is {str(groups)[:80]!r}; expected a divisor of {dim}, 1 to 64")
    length = 2 * groups + 1
    if not _is_vector(mean, length):
        raise BundleError(f"{where}: mean is {str(mean)[:80]!r}; expected {length} numbers")
    if (
        not isinstance(precision, list)
        or len(precision) != length
        or not all(_is_vector(row, length) for row in precision)
    ):
        raise BundleError(f"{where}: precision is {str(precision)[:80]!r}; expected {length} rows of {length} numbers")
    if not _is_finite(threshold) or threshold <= 0:
        raise BundleError(f"{where}: threshold is {str(threshold)[:80]!r}; expected a number above 0")
    return Plausibility(
        groups, tuple(map(float, mean)), tuple(tuple(map(float, row)) for row in precision), float(threshold)
    )


def _is_vector(value: object, length: int) -> t.TypeGuard[list[float]]:
    return isinstance(value, list) and len(value) == length and all(map(_is_finite, value))
