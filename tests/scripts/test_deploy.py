"""What the deployment says when something is missing; the whole of it runs in ``tests/e2e/test_aws.py``."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "deploy.py"


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
