"""What ``serverless.yml`` compiles to, for every stage's switches: checked by cfn-lint and read by these tests."""

import json
import os
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from .. import osls

ROOT = Path(__file__).parent.parent.parent
SWITCHES = {
    "plain": [],
    "all": ["site=cloudfront", "warm=true", "snapstart=true", "concurrency=none"],
}


@pytest.fixture(scope="module", params=SWITCHES)
def compiled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Name of the switches and the template's file."""
    osls.need_node()
    folder = tmp_path_factory.mktemp("service")
    # A copy with an empty archive: the template doesn't depend on what is in it.
    shutil.copyfile(ROOT / "serverless.yml", folder / "serverless.yml")
    shutil.copyfile(ROOT / "package.json", folder / "package.json")
    shutil.copytree(ROOT / "deploy", folder / "deploy")
    built = folder / "build" / "torchscript"
    built.mkdir(parents=True)
    (built / "function.zip").write_bytes(b"")
    (built / "function.json").write_text('{"python": "3.13"}')
    params = [f"--param={value}" for value in SWITCHES[request.param]]
    command = [str(osls.install() / ".bin" / "osls"), "package", "--stage", "test", "--region", "eu-central-1", *params]
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    result = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, env=os.environ | keys)
    assert result.returncode == 0, result.stdout + result.stderr
    return request.param, folder / ".serverless" / "cloudformation-template-update-stack.json"


@pytest.fixture(scope="module")
def switches(compiled: tuple[str, Path]) -> str:
    return compiled[0]


@pytest.fixture(scope="module")
def resources(compiled: tuple[str, Path]) -> dict[str, t.Any]:
    return t.cast(dict[str, t.Any], json.loads(compiled[1].read_text())["Resources"])


def properties(resources: dict[str, t.Any], name: str) -> dict[str, t.Any]:
    return t.cast(dict[str, t.Any], resources[name]["Properties"])


def test_cfn_lint_finds_nothing(compiled: tuple[str, Path]) -> None:
    # W3005: osls itself writes dependencies that a reference implies already.
    command = [
        str(Path(sys.executable).parent / "cfn-lint"),
        "--ignore-checks",
        "W3005",
        "--template",
        str(compiled[1]),
    ]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "")


def test_the_function_may_read_models_and_write_its_own_log_and_nothing_else(resources: dict[str, t.Any]) -> None:
    role = properties(resources, "FunctionRole")
    assert role.keys() == {"AssumeRolePolicyDocument", "Policies"}
    (policy,) = role["Policies"]
    assert policy["PolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": {"Fn::Sub": "${ModelBucket.Arn}/models/*"}},
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": {"Fn::GetAtt": ["ApiLogGroup", "Arn"]},
        },
    ]
    assert properties(resources, "ApiLambdaFunction")["Role"] == {"Fn::GetAtt": ["FunctionRole", "Arn"]}
    assert [name for name in resources if resources[name]["Type"] == "AWS::IAM::Role"] == ["FunctionRole"]


def test_only_a_website_bucket_is_public(resources: dict[str, t.Any], switches: str) -> None:
    blocked = {}
    for name, resource in resources.items():
        if resource["Type"] == "AWS::S3::Bucket":
            blocks = resource["Properties"]["PublicAccessBlockConfiguration"]
            assert (blocks["BlockPublicAcls"], blocks["IgnorePublicAcls"]) == (True, True)
            blocked[name] = blocks["BlockPublicPolicy"] and blocks["RestrictPublicBuckets"]
            assert "BucketEncryption" in resource["Properties"]
    assert blocked == {"ServerlessDeploymentBucket": True, "ModelBucket": True, "SiteBucket": switches == "all"}


def test_the_model_bucket_keeps_versions_and_wants_tls(resources: dict[str, t.Any]) -> None:
    assert properties(resources, "ModelBucket")["VersioningConfiguration"] == {"Status": "Enabled"}
    (statement,) = properties(resources, "ModelBucketPolicy")["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_the_api_is_throttled_and_logged(resources: dict[str, t.Any]) -> None:
    stage = properties(resources, "HttpApiStage")
    assert stage["DefaultRouteSettings"] == {"ThrottlingRateLimit": 20, "ThrottlingBurstLimit": 40}
    assert "DestinationArn" in stage["AccessLogSettings"]


def test_the_page_alone_may_call_the_api_from_a_browser(resources: dict[str, t.Any], switches: str) -> None:
    site = {
        "plain": {"Fn::GetAtt": ["SiteBucket", "WebsiteURL"]},
        "all": {"Fn::Sub": "https://${Distribution.DomainName}"},
    }
    cors = properties(resources, "HttpApi")["CorsConfiguration"]
    assert cors["AllowOrigins"] == [site[switches]]
    assert cors["AllowMethods"] == ["GET", "POST", "OPTIONS"]
    variables = properties(resources, "ApiLambdaFunction")["Environment"]["Variables"]
    assert variables["CARVAE_ORIGINS"] == {"Fn::Join": [",", [site[switches]]]}


def test_the_function_has_its_limits(resources: dict[str, t.Any], switches: str) -> None:
    function = properties(resources, "ApiLambdaFunction")
    limits = ("Runtime", "MemorySize", "Timeout", "EphemeralStorage")
    assert [function[name] for name in limits] == ["python3.13", 1769, 29, {"Size": 512}]
    assert function.get("ReservedConcurrentExecutions") == {"plain": 10, "all": None}[switches]


def test_logs_end_and_alarms_watch(resources: dict[str, t.Any]) -> None:
    groups = [name for name in resources if resources[name]["Type"] == "AWS::Logs::LogGroup"]
    assert {properties(resources, name)["RetentionInDays"] for name in groups} == {30}
    alarms = [properties(resources, name) for name in resources if resources[name]["Type"] == "AWS::CloudWatch::Alarm"]
    assert {alarm["MetricName"] for alarm in alarms} == {"Errors", "Throttles", "Duration"}
    assert {alarm.get("ExtendedStatistic") for alarm in alarms} == {None, "p95"}


def test_switches_switch(resources: dict[str, t.Any], switches: str) -> None:
    schedule = next(resource for resource in resources.values() if resource["Type"] == "AWS::Events::Rule")
    assert schedule["Properties"]["State"] == {"plain": "DISABLED", "all": "ENABLED"}[switches]
    assert ("SnapStart" in properties(resources, "ApiLambdaFunction")) == (switches == "all")
    assert ("Distribution" in resources) == (switches == "all")


def test_the_page_is_read_by_everyone_or_by_cloudfront_alone(resources: dict[str, t.Any], switches: str) -> None:
    (statement,) = properties(resources, "SiteBucketPolicy")["PolicyDocument"]["Statement"]
    assert statement["Action"] == "s3:GetObject"
    if switches == "plain":
        assert statement["Principal"] == "*"
        return
    assert statement["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert "aws:SourceArn" in statement["Condition"]["StringEquals"]
    distribution = properties(resources, "Distribution")["DistributionConfig"]
    assert distribution["DefaultCacheBehavior"]["ViewerProtocolPolicy"] == "redirect-to-https"
