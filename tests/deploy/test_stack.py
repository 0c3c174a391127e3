"""What the deployment says when something is missing; the whole of it runs in ``tests/packaged/test_aws.py``."""

import os
import subprocess
import sys
import typing as t
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.stub import Stubber

from deploy import Failure
from deploy import stack as stacks

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "stack.py"


def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nowhere = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull}
    nowhere["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, env=kept | nowhere | environment, timeout=60
    )


def test_a_missing_region_is_said() -> None:
    result = run("up", "--stage", "dev")
    assert result.returncode == 1
    assert "no region" in result.stderr


@pytest.mark.parametrize("stage", ["Dev", "a stage", "-x", "x" * 21])
def test_a_stage_that_aws_would_refuse_is_named(stage: str) -> None:
    result = run("up", f"--stage={stage}", "--region", "eu-central-1")
    assert result.returncode == 1
    assert repr(stage) in result.stderr


def test_missing_credentials_are_said_before_anything_is_done() -> None:
    result = run("up", "--stage", "dev", "--region", "eu-central-1")
    assert result.returncode == 1
    assert "no usable AWS credentials" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_missing_node_is_said() -> None:
    result = run("up", "--stage", "dev", "--region", "eu-central-1", PATH="/nowhere")
    assert result.returncode == 1
    assert "Node.js 20.19" in result.stderr
    assert "found none" in result.stderr


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """Lambda's answers, one after the other: moto doesn't know an account's limits."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    client = boto3.client("lambda", "eu-central-1", **keys)
    monkeypatch.setattr(stacks.aws, "client", lambda *_: client)
    with Stubber(client) as stubber:
        yield stubber


def unreserved(count: int) -> dict[str, t.Any]:
    return {"AccountLimit": {"ConcurrentExecutions": count, "UnreservedConcurrentExecutions": count}}


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> stacks.Deployment:
    """A stage that reserves 10."""
    printed = subprocess.CompletedProcess([], 0, '{"reservedConcurrency": 10}', "")
    monkeypatch.setattr(stacks.subprocess, "run", lambda *_, **__: printed)
    return stacks.Deployment("dev", "eu-central-1", "onnx", [])


def test_an_account_too_small_for_a_reservation_is_told_before_anything_is_done(
    account: Stubber, stage: stacks.Deployment
) -> None:
    account.add_response("get_account_settings", unreserved(10))
    account.add_client_error("get_function_concurrency", "ResourceNotFoundException")
    with pytest.raises(Failure, match=r"reserves 10 .* has 0 to reserve .*'concurrency: none' under params, dev,"):
        stage.check_concurrency()


def test_what_the_function_has_reserved_already_counts_for_it(account: Stubber, stage: stacks.Deployment) -> None:
    account.add_response("get_account_settings", unreserved(100))
    account.add_response("get_function_concurrency", {"ReservedConcurrentExecutions": 10})
    stage.check_concurrency()
    account.assert_no_pending_responses()


def test_someone_who_may_not_see_the_limits_may_deploy(
    account: Stubber, stage: stacks.Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    account.add_client_error("get_account_settings", "AccessDeniedException")
    stage.check_concurrency()
    assert "the account's concurrency is not checked" in capsys.readouterr().out
