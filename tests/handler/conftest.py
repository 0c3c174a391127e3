import typing as t
from pathlib import Path

import pytest


class S3:
    """The bucket ``cars`` of a moto server, emptied before each test."""

    def __init__(self, url: str) -> None:
        import boto3

        self.client: t.Any = boto3.client("s3", endpoint_url=url, region_name="us-east-1")
        self.client.create_bucket(Bucket="cars")

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket="cars", Key=key, Body=data)

    def upload(self, folder: Path, prefix: str) -> None:
        for path in folder.iterdir():
            self.put(f"{prefix}/{path.name}", path.read_bytes())

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket="cars", Key=key)

    def clear(self) -> None:
        for entry in self.client.list_objects_v2(Bucket="cars").get("Contents", []):
            self.delete(entry["Key"])


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> S3:
    """S3 over HTTP, and an environment in which every client talks to it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    bucket = S3(s3_server)
    bucket.clear()
    return bucket
