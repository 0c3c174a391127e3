"""The way to a new version and back, on an emulated account; with osls around it in ``tests/packaged/test_aws.py``."""

import io
import json
import os
import subprocess
import sys
import typing as t
import zipfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from flask import Flask, Response, jsonify

from deploy import Failure
from deploy import stack as stacks

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "stack.py"
REGION = "us-east-1"


def run(step: str, **known: t.Any) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nowhere = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull}
    nowhere["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    line = [sys.executable, str(SCRIPT), step, json.dumps({"region": "eu-central-1", "site": "cloudfront"} | known)]
    return subprocess.run(line, check=False, capture_output=True, text=True, env=kept | nowhere, timeout=60)


def test_missing_credentials_are_said_before_anything_is_done() -> None:
    result = run("check", stage="dev", concurrency=10)
    assert result.returncode == 1
    assert "no usable AWS credentials" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("stage", ["Dev", "a stage", "-x", "x" * 21])
def test_a_stage_that_aws_would_refuse_is_named(stage: str) -> None:
    result = run("check", stage=stage, concurrency=10)
    assert result.returncode == 1
    assert repr(stage) in result.stderr


class Api:
    """An API that says what a test has put in."""

    model, version, status = "old", "1", 200

    def health(self) -> Response:
        answer = jsonify({"status": "ready", "model": {"version": self.model}, "function_version": self.version})
        answer.status_code = self.status
        return answer


@pytest.fixture
def api(serve: t.Callable[[t.Any], str], monkeypatch: pytest.MonkeyPatch) -> Api:
    said, app = Api(), Flask("gateway")
    app.add_url_rule("/health", view_func=said.health)
    monkeypatch.setenv("CARVAE_GATEWAY", serve(app))
    return said


class Stage(stacks.Stack):
    """A stack of which only the outputs are made up."""

    newest = "2"

    def outputs(self) -> dict[str, str]:
        return {"ApiLambdaFunctionQualifiedArn": f"arn:{self.newest}", "ModelBucketName": "cars"}


@pytest.fixture
def stage(s3: t.Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A function whose version 1 serves the model ``old`` and 2 ``new``; the first is live."""
    monkeypatch.setattr(stacks, "PAUSE_S", 0.01)
    functions = boto3.client("lambda")
    role = boto3.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("handler.py", "")
    function = {"FunctionName": "carvae-dev-api", "Runtime": "python3.13", "Role": role, "Handler": "handler.handler"}
    functions.create_function(**function, Code={"ZipFile": code.getvalue()}, Environment=serving("old"), Publish=True)
    functions.update_function_configuration(FunctionName="carvae-dev-api", Environment=serving("new"))
    functions.publish_version(FunctionName="carvae-dev-api")
    functions.create_alias(FunctionName="carvae-dev-api", Name="live", FunctionVersion="1")
    made = Stage("dev", REGION)
    made.shelf().switch(["old"])
    return made


def serving(model: str) -> dict[str, t.Any]:
    return {"Variables": {"CARVAE_BUNDLE": f"s3://cars/models/{model}"}}


def test_the_newest_version_is_made_live_and_the_pointer_follows_its_answer(stage: Stage, api: Api) -> None:
    api.model, api.version = "new", "2"
    assert stage.go_live("1", 5) == "new"
    assert (stage.live(), stage.shelf().current()) == ("2", ["old", "new"])


@pytest.mark.parametrize(
    ("model", "version", "status"), [("new", "2", 503), ("old", "1", 200), ("new", "1", 200), ("old", "2", 200)]
)
def test_a_version_that_does_not_answer_for_itself_is_rolled_back(
    stage: Stage, api: Api, model: str, version: str, status: int
) -> None:
    api.model, api.version, api.status = model, version, status
    stage.point("2")  # as the stack did
    with pytest.raises(Failure, match="Rolled back: version 1 with model old is live again"):
        stage.go_live("1", 0.1)
    assert (stage.live(), stage.shelf().current()) == ("1", ["old"])


def test_without_a_version_before_there_is_nothing_to_go_back_to(stage: Stage, api: Api) -> None:
    with pytest.raises(Failure, match="no earlier version"):
        stage.go_live(None, 0.1)


def test_versions_but_the_live_one_and_the_one_before_are_deleted(stage: Stage, api: Api) -> None:
    functions = boto3.client("lambda")
    functions.update_function_configuration(FunctionName="carvae-dev-api", Environment=serving("newest"))
    functions.publish_version(FunctionName="carvae-dev-api")
    api.model, api.version, stage.newest = "newest", "3", "3"
    stage.go_live("2", 5)
    found = functions.list_versions_by_function(FunctionName="carvae-dev-api")["Versions"]
    assert {each["Version"] for each in found} == {"$LATEST", "2", "3"}


def test_a_stack_that_was_never_executed_is_deleted_and_nothing_else_is_done(
    s3: t.Any, capsys: pytest.CaptureFixture[str]
) -> None:
    formation = boto3.client("cloudformation")
    body = json.dumps({"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}})
    made = {"StackName": "carvae-dev", "ChangeSetName": "first", "ChangeSetType": "CREATE", "TemplateBody": body}
    formation.create_change_set(**made)
    assert stacks.Stack("dev", REGION).describe()["StackStatus"] == "REVIEW_IN_PROGRESS"  # type: ignore[index]
    assert not stacks.Stack("dev", REGION).check_removable()
    assert stacks.Stack("dev", REGION).describe() is None
    assert "was never executed" in capsys.readouterr().out
