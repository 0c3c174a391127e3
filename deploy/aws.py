"""AWS clients for the commands, and AWS' refusals as sentences."""

import contextlib
import typing as t
from collections.abc import Iterator

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from . import Failure


def client(service: str, region: str | None = None) -> t.Any:
    """A client of `service`, as the environment and ``~/.aws`` say.

    Raises
    ------
    Failure
        If no region is set.
    """
    with refusals(service):
        return boto3.client(
            service, region_name=region, config=Config(retries={"total_max_attempts": 4, "mode": "standard"})
        )


@contextlib.contextmanager
def refusals(what: str) -> Iterator[None]:
    """Turn what AWS refuses inside the block into a `Failure` that names `what` was tried."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise Failure(f"{what}: {error}") from error


def code(error: ClientError) -> str:
    """What kind of refusal it is."""
    return str(error.response.get("Error", {}).get("Code", ""))
