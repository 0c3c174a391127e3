"""Environment variables, checked once at start, as one frozen dataclass."""

import dataclasses
import os
import re
import typing as t
from collections.abc import Callable, Mapping
from pathlib import Path

_ORIGIN = re.compile(r"https?://([A-Za-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?")
_S3_BUNDLE = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[A-Za-z0-9!_.*'()/-]+")

#: Engines, and the files of a bundle that each needs: prior, decoder, encoder.
ENGINES = {
    "torchscript": ("prior.ts", "decoder.ts", "encoder.ts"),
    "onnx": ("prior.onnx", "decoder.onnx", "encoder.onnx"),
    "onnx-int8": ("prior.onnx", "decoder.int8.onnx", "encoder.int8.onnx"),
}


class SettingsError(ValueError):
    """An environment variable has a value that can't be used; the text names both."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the app is told from outside.

    Parameters
    ----------
    bundle : str
        A folder, ``s3://BUCKET/models/VERSION``, or ``s3://BUCKET/models/current.json``.
    engine : str
        One of `ENGINES`.
    origins : tuple of str
        Origins that pages may call the API from; ``("*",)`` for any.
    cache : Path
        Folder for files fetched from S3.
    threads : int
        CPU threads that a request may use, 1 to 64.
    concurrency : int
        Requests that are computed at once, 1 to 64; a few more wait, others are refused. By default one more than
        there are cores, so that all cores compute while one request is received or answered.
    rate : int
        Requests per minute from one client, at most 100,000; 0: any number.
    """

    bundle: str
    engine: str = "torchscript"
    origins: tuple[str, ...] = ()
    cache: Path = Path("/tmp/carvae")  # noqa: S108 - the only writable place in Lambda; contents are verified when read
    threads: int = 1
    concurrency: int = min((os.cpu_count() or 1) + 1, 64)
    rate: int = 0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> t.Self:
        """Read ``CARVAE_*`` and, as the default of ``CARVAE_THREADS``, ``OMP_NUM_THREADS``.

        Raises
        ------
        SettingsError
            If a value is wrong, the bundle is missing, or a ``CARVAE_*`` variable is not one of these.
        """
        readers: dict[str, Callable[[str], t.Any]] = {
            "BUNDLE": _bundle,
            "ENGINE": _engine,
            "ORIGINS": _origins,
            "CACHE": Path,
            "THREADS": lambda value: _integer(value, 1, 64),
            "CONCURRENCY": lambda value: _integer(value, 1, 64),
            "RATE": lambda value: _integer(value, 0, 100_000),
        }
        given = {name: value for name, value in environment.items() if name.startswith("CARVAE_")}
        # Other values of it, such as the list "4,2", are meant for other libraries and no error here.
        if re.fullmatch("[1-9]|[1-5][0-9]|6[0-4]", environment.get("OMP_NUM_THREADS", "")):
            given.setdefault("CARVAE_THREADS", environment["OMP_NUM_THREADS"])
        fields: dict[str, t.Any] = {}
        for name, value in given.items():
            reader = readers.get(name.removeprefix("CARVAE_"))
            if reader is None:
                raise SettingsError(f"{name}={value!r}: no such variable; expected CARVAE_{', CARVAE_'.join(readers)}")
            try:
                fields[name.removeprefix("CARVAE_").lower()] = reader(value)
            except ValueError as error:
                raise SettingsError(f"{name}={value!r}: expected {error}") from None
        if "bundle" not in fields:
            raise SettingsError("CARVAE_BUNDLE is not set: expected the model bundle's folder or s3:// address")
        return cls(**fields)


def _bundle(value: str) -> str:
    if not value or ("://" in value and not _S3_BUNDLE.fullmatch(value)):
        raise ValueError("a folder, s3://BUCKET/models/VERSION or s3://BUCKET/models/current.json")
    return value


def _engine(value: str) -> str:
    if value not in ENGINES:
        raise ValueError(f"one of {', '.join(ENGINES)}")
    return value


def _origins(value: str) -> tuple[str, ...]:
    origins = tuple(origin.strip() for origin in value.split(",") if origin.strip())
    if not all(origin == "*" or _ORIGIN.fullmatch(origin) for origin in origins):
        raise ValueError("comma-separated origins such as https://cars.example, without a path, or *")
    return origins


def _integer(value: str, low: int, high: int) -> int:
    if not re.fullmatch("[0-9]{1,6}", value) or not low <= int(value) <= high:
        raise ValueError(f"an integer from {low} to {high}")
    return int(value)
