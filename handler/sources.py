"""Where the files of a bundle are read from: a folder, or a bucket of S3 by one of two clients."""

import concurrent.futures
import dataclasses
import logging
import os
import typing as t
from collections.abc import Sequence
from pathlib import Path

from . import s3

log = logging.getLogger("carvae")

#: Most bytes of a file that is read before the manifest has said how many it has.
MAX_AHEAD = 64_000_000


class BundleError(Exception):
    """The bundle can't be used; the text names the file and the reason, but no location, because /health shows it."""


class Source(t.Protocol):
    """Named files: the ones of a folder, or the ones under an S3 prefix."""

    def read(self, name: str, limit: int) -> bytes:
        """Read at most ``limit + 1`` bytes of file `name`; raises `BundleError` where that fails."""


@dataclasses.dataclass(frozen=True)
class Folder:
    """A bundle on disk."""

    path: Path

    def read(self, name: str, limit: int) -> bytes:
        """Read at most ``limit + 1`` bytes of file `name`.

        Raises
        ------
        BundleError
            If it can't be read.
        """
        try:
            with (self.path / name).open("rb") as file:
                return file.read(limit + 1)
        except OSError as error:
            raise BundleError(f"{name}: {error.strerror} in the bundle's folder") from None


@dataclasses.dataclass(frozen=True)
class LambdaBucket:
    """A bundle under ``s3://bucket/prefix/``, read with the keys that Lambda gives a function."""

    client: s3.Client
    bucket: str
    prefix: str

    def read(self, name: str, limit: int) -> bytes:
        """Read at most ``limit + 1`` bytes of file `name`.

        Raises
        ------
        BundleError
            If S3 refuses or can't be reached.
        """
        key = _key(self.prefix, name)
        try:
            return self.client.get(self.bucket, key, limit + 1)
        except s3.S3Error as error:
            raise _refused(self.bucket, key, name, error, str(error)) from None


class BotoBucket:
    """A bundle under ``s3://bucket/prefix/``, read by boto3, which finds keys and regions wherever AWS may keep them.

    Raises
    ------
    BundleError
        If boto3 is not installed or can't make a client, because a region is missing or a setting is wrong.
    """

    def __init__(self, bucket: str, prefix: str) -> None:
        # Imported here: its import takes longer than Flask's.
        try:
            import boto3
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError
        except ImportError as error:  # the function's archive leaves it to Lambda's runtime
            raise BundleError(f"no S3 client: {error}, and the environment has no keys or region") from error

        self.bucket, self.prefix = bucket, prefix
        # Short timeouts and few retries: a visitor waits for this, and the loader tries again later by itself.
        config = Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 2, "mode": "standard"})
        try:
            self._client = boto3.client("s3", config=config)
        except (BotoCoreError, OSError, ValueError) as error:
            raise BundleError(f"no S3 client: {error}") from error

    def read(self, name: str, limit: int) -> bytes:
        """Read at most ``limit + 1`` bytes of file `name`.

        Raises
        ------
        BundleError
            If S3 refuses or can't be reached.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        key = _key(self.prefix, name)
        try:
            body = self._client.get_object(Bucket=self.bucket, Key=key)["Body"]
            return t.cast(bytes, body.read(limit + 1))
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "ClientError")
            raise _refused(self.bucket, key, name, error, code) from None
        except (BotoCoreError, OSError) as error:
            raise _refused(self.bucket, key, name, error, type(error).__name__) from None


class Ahead:
    """A source some of whose files are read before they are asked for, side by side.

    S3 takes 0.1 s or more until the first byte. Files whose names are known need not wait for that of the manifest.
    """

    def __init__(self, source: Source, names: Sequence[str]) -> None:
        self._source = source
        pool = concurrent.futures.ThreadPoolExecutor(max(1, len(names)), "carvae-reader")
        self._files = {name: pool.submit(source.read, name, MAX_AHEAD) for name in names}
        pool.shutdown(wait=False)

    def read(self, name: str, limit: int) -> bytes:
        """Read at most ``limit + 1`` bytes of file `name`, or what was read ahead, which may be more.

        Raises
        ------
        BundleError
            If that fails.
        """
        if name in self._files:
            data = self._files.pop(name).result()
            if len(data) <= MAX_AHEAD:
                return data
        return self._source.read(name, limit)


def bucket(name: str, prefix: str) -> Source:
    """Choose the client for a bucket: the small one where Lambda gave the function its keys, else boto3.

    Parameters
    ----------
    name, prefix : str
        Of ``s3://name/prefix/``; the prefix has no slash at its end.

    Raises
    ------
    BundleError
        If there is no client.
    """
    client = s3.Client.from_environment(os.environ)
    return BotoBucket(name, prefix) if client is None else LambdaBucket(client, name, prefix)


def _key(prefix: str, name: str) -> str:
    return f"{prefix}/{name}".lstrip("/")


def _refused(bucket: str, key: str, name: str, error: Exception, code: str) -> BundleError:
    log.warning("s3://%s/%s: %s", bucket, key, error)
    return BundleError(f"{name}: S3 answered {code}")
