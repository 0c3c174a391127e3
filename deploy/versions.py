"""Versions of a model under an S3 prefix: immutable once complete, and a pointer to the one that is served."""

import base64
import datetime
import hashlib
import json
import pathlib
import typing as t

from botocore.exceptions import ClientError

from handler.bundle import MANIFEST, POINTER, Bundle, BundleError

from . import Failure, aws

#: Versions that the pointer remembers to go back to.
REMEMBERED = 20


class Shelf:
    """The models under ``s3://bucket/prefix/``.

    Parameters
    ----------
    address : str
        ``s3://BUCKET`` or ``s3://BUCKET/PREFIX``; the default prefix is ``models``.
    region : str, optional
        Default: the environment's.

    Raises
    ------
    Failure
        If the address is of another form.
    """

    def __init__(self, address: str, region: str | None = None) -> None:
        bucket, _, prefix = address.removeprefix("s3://").strip("/").partition("/")
        if not address.startswith("s3://") or not bucket:
            raise Failure(f"{address!r}: expected s3://BUCKET or s3://BUCKET/PREFIX")
        self.bucket, self.prefix = bucket, prefix or "models"
        self._s3 = aws.client("s3", region)

    def current(self) -> list[str]:
        """The versions that were served, the one served now last; empty if none was ever published."""
        data = self._get(POINTER)
        if data is None:
            return []
        try:
            pointer = json.loads(data)
            return [*map(str, pointer.get("earlier", [])), str(pointer["version"])]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Failure(f"s3://{self.bucket}/{self.prefix}/{POINTER} is no pointer to a version") from None

    def publish(self, folder: pathlib.Path, say: t.Callable[[str], None]) -> str:
        """Upload the bundle in `folder` and switch to it; returns its version.

        Raises
        ------
        Failure
            If the bundle is wrong, another one has its version, or AWS refuses.
        """
        version = self.upload(folder, say)
        self.switch([*(name for name in self.current() if name != version), version])
        return version

    def upload(self, folder: pathlib.Path, say: t.Callable[[str], None]) -> str:
        """Upload the bundle in `folder`, which nothing points at yet; returns its version.

        What an interrupted upload left is used. The manifest goes last: a version without one is not complete and
        nothing ever points at it.

        Raises
        ------
        Failure
            If the bundle is wrong, another one has its version, or AWS refuses.
        """
        bundle, contents = read(folder)
        version = bundle.manifest.version
        manifest = (folder / MANIFEST).read_bytes()
        there = self._get(f"{version}/{MANIFEST}")
        if there is not None and there != manifest:
            raise Failure(f"version {version} is published already, with other content; a version is never changed")
        if there is None:
            for name, data in sorted(contents.items()):
                if self._has(f"{version}/{name}", data):
                    say(f"{name}: there already")
                else:
                    self._put(f"{version}/{name}", data)
                    say(f"{name}: {len(data) / 1e6:.1f} MB")
            self._put(f"{version}/{MANIFEST}", manifest)
        return version

    def roll_back(self) -> str:
        """Switch to the version served before; returns it.

        Raises
        ------
        Failure
            If there is none, or it is gone.
        """
        versions = self.current()
        if len(versions) < 2:
            raise Failure(
                f"s3://{self.bucket}/{self.prefix}: no version before {versions[-1] if versions else 'the first'}"
            )
        *earlier, _ = versions
        if self._get(f"{earlier[-1]}/{MANIFEST}") is None:
            raise Failure(f"version {earlier[-1]} is gone from s3://{self.bucket}/{self.prefix}")
        self.switch(earlier)
        return earlier[-1]

    def switch(self, versions: list[str]) -> None:
        """Point at the last of `versions`; the others are what a rollback goes back to."""
        if self.current() == versions:
            return
        *earlier, version = versions
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        pointer = {"version": version, "earlier": earlier[-REMEMBERED:], "switched": now}
        self._put(POINTER, json.dumps(pointer, indent=2).encode() + b"\n", "no-cache")

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}"

    def _get(self, name: str) -> bytes | None:
        with aws.refusals(f"reading s3://{self.bucket}/{self._key(name)}"):
            try:
                return t.cast(bytes, self._s3.get_object(Bucket=self.bucket, Key=self._key(name))["Body"].read())
            except ClientError as error:
                if aws.code(error) == "NoSuchKey":
                    return None
                raise

    def _has(self, name: str, data: bytes) -> bool:
        with aws.refusals(f"looking at s3://{self.bucket}/{self._key(name)}"):
            try:
                head = self._s3.head_object(Bucket=self.bucket, Key=self._key(name), ChecksumMode="ENABLED")
            except ClientError as error:
                if aws.code(error) in ("404", "NoSuchKey", "NotFound"):
                    return False
                raise
        return bool(head.get("ChecksumSHA256") == _sha256(data))

    def _put(self, name: str, data: bytes, cache: str = "public, max-age=31536000, immutable") -> None:
        kind = "application/json" if name.endswith(".json") else "application/octet-stream"
        with aws.refusals(f"writing s3://{self.bucket}/{self._key(name)}"):
            # S3 computes the checksum, too, and refuses what arrives damaged.
            self._s3.put_object(
                Bucket=self.bucket,
                Key=self._key(name),
                Body=data,
                ContentType=kind,
                CacheControl=cache,
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=_sha256(data),
            )


def read(folder: pathlib.Path) -> tuple[Bundle, dict[str, bytes]]:
    """A bundle on disk and its files, each verified.

    Raises
    ------
    Failure
        If a file is missing or isn't what the manifest says.
    """
    try:
        bundle = Bundle.open(str(folder), folder)
        return bundle, {name: bundle.read(name) for name in bundle.manifest.files}
    except BundleError as error:
        raise Failure(f"{folder}: {error}") from error


def _sha256(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()
