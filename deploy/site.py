"""The page's files in an S3 bucket: content types, cache headers, the API's address, and only what has changed."""

import gzip
import hashlib
import json
import pathlib
import re
import time
import typing as t

from botocore.exceptions import ClientError

from . import Failure, aws

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/markdown; charset=utf-8",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
    ".ico": "image/x-icon",
}
#: For proxies in front of the bucket that turn metadata into headers; website hosting sends them as x-amz-meta-.
SECURITY = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "x-frame-options": "DENY"}


def files(folder: pathlib.Path, api: str) -> dict[str, bytes]:
    """The site's files by their key; ``config.js`` names the API at `api`.

    Raises
    ------
    Failure
        If `api` is neither an https address nor a path on the page's own, or a file's type is unknown.
    """
    known = api.startswith(("https://", "http://127.0.0.1:", "http://localhost:")) or re.fullmatch("/[a-z]+", api)
    if not known or any(character in api for character in "\"'\\<> \n"):
        raise Failure(f"{api!r}: expected the API's address, https://..., or a path such as /api")
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
    unknown = [name for name in found if pathlib.PurePath(name).suffix not in TYPES]
    if unknown:
        raise Failure(f"{unknown[0]}: no content type for this kind of file; expected {', '.join(TYPES)}")
    if "index.html" not in found:
        raise Failure(f"{folder}: no index.html there")
    found["config.js"] = f"// Address of the API.\nwindow.CARVAE_API = {json.dumps(api.rstrip('/'))};\n".encode()
    return found


def headers(name: str) -> dict[str, str]:
    """How `name` is sent: third-party files, whose names have a version, may be cached; all others are revalidated."""
    kept = name.startswith("vendor/") and name.endswith((".js", ".woff2"))
    sent = {
        "ContentType": TYPES[pathlib.PurePath(name).suffix],
        "CacheControl": "public, max-age=31536000, immutable" if kept else "no-cache",
    }
    return sent | {"ContentEncoding": "gzip"} if _is_text(name) else sent


def body(name: str, data: bytes) -> bytes:
    """What is stored of a file: text compressed, since S3 itself compresses nothing and every browser takes gzip."""
    return gzip.compress(data, mtime=0) if _is_text(name) else data


def _is_text(name: str) -> bool:
    return not TYPES[pathlib.PurePath(name).suffix].startswith(("image/", "font/")) or name.endswith(".svg")


def upload(found: dict[str, bytes], bucket: str, say: t.Callable[[str], None], region: str | None = None) -> int:
    """Send what `bucket` lacks, ``index.html`` last; delete what the site no longer has. Returns how many were sent.

    Raises
    ------
    Failure
        If AWS refuses.
    """
    s3 = aws.client("s3", region)
    sent = 0
    for name in sorted(found, key=lambda name: (name == "index.html", name)):
        metadata = SECURITY | {"digest": _digest(name, found[name])}
        with aws.refusals(f"s3://{bucket}/{name}"):
            if _metadata(s3, bucket, name) == metadata:
                continue
            s3.put_object(Bucket=bucket, Key=name, Body=body(name, found[name]), Metadata=metadata, **headers(name))
        say(f"{name}: sent")
        sent += 1
    with aws.refusals(f"s3://{bucket}"):
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for entry in page.get("Contents", []):
                if entry["Key"] not in found:
                    s3.delete_object(Bucket=bucket, Key=entry["Key"])
                    say(f"{entry['Key']}: deleted")
    return sent


def forget_copies(distribution: str, region: str | None = None) -> None:
    """Have CloudFront fetch every file anew.

    Raises
    ------
    Failure
        If AWS refuses.
    """
    batch = {"Paths": {"Quantity": 1, "Items": ["/*"]}, "CallerReference": str(time.time_ns())}
    with aws.refusals(f"CloudFront {distribution}"):
        aws.client("cloudfront", region).create_invalidation(DistributionId=distribution, InvalidationBatch=batch)


def _metadata(s3: t.Any, bucket: str, name: str) -> dict[str, str] | None:
    try:
        return t.cast(dict[str, str], s3.head_object(Bucket=bucket, Key=name)["Metadata"])
    except ClientError as error:
        if aws.code(error) in ("404", "NoSuchKey", "NotFound"):
            return None
        raise


def _digest(name: str, data: bytes) -> str:
    """Of all that is sent, so that a new header is a change, too."""
    return hashlib.sha256(json.dumps([headers(name), SECURITY]).encode() + data).hexdigest()
