import typing as t
from collections.abc import Iterator

import boto3
import botocore.session
import pytest
from botocore.loaders import Loader
from moto import mock_aws


@pytest.fixture(scope="session")
def descriptions() -> Loader:
    """What boto3 knows of AWS's services, read once: it is megabytes of JSON per session of boto3."""
    return t.cast(Loader, botocore.session.get_session().get_component("data_loader"))


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch, descriptions: Loader) -> Iterator[t.Any]:
    """S3 in memory, with one bucket, ``cars``."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        session = botocore.session.get_session()
        session.register_component("data_loader", descriptions)
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", boto3.Session(botocore_session=session))
        client = boto3.client("s3")
        client.create_bucket(Bucket="cars")
        yield client
