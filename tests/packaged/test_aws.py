"""The whole deployment against moto's stand-in for AWS, by the commands that a maintainer runs.

moto lacks the following, so nothing here proves it: HTTP APIs (`deploy.emulated.gateway` stands in; throttle and CORS
are checked only in the template), functions without Docker (AWS's runtime client runs ours instead), website hosting,
bucket policies and bucket properties (versions, access blocks) from a stack, CloudFront, CodeDeploy, WAF and budgets
from a stack, and roles that refuse. Its first answer to the removal of an updated stack is a 500.
"""

import gzip
import json
import os
import subprocess
import sys
import typing as t
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from deploy.emulated import gateway, lambda_runtime

from .. import bundles

ROOT = Path(__file__).parent.parent.parent
REGION = "eu-central-1"
STACK, FUNCTION = "carvae-dev", "carvae-dev-api"


class Aws:
    """An AWS of this module's own, and the commands in its environment."""

    def __init__(self, address: str, folder: Path) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CARVAE_"))}
        self.variables = {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
        }
        self.environment = kept | self.variables

    def client(self, service: str, region: str = REGION) -> t.Any:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, region_name=region, endpoint_url=self.variables["AWS_ENDPOINT_URL"], **keys)

    def sls(self, *command: str | Path) -> "subprocess.CompletedProcess[str]":
        """Run osls in the clone."""
        line = ["npx", "--no-install", "sls", *map(str, command), "--stage", "dev"]
        line += ["--param=engine=onnx", "--param=wheels=installed"]
        line.append(f"--param=architecture={next(self.folder.glob('build/onnx-*')).name.removeprefix('onnx-')}")
        streams: dict[str, t.Any] = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
        return subprocess.run(line, check=False, env=self.environment, cwd=self.folder, **streams)

    def deploy(self, bundle: Path, *more: str) -> str:
        """Deploy with a model; returns what is said."""
        run = self.sls("deploy", f"--param=bundle={bundle}", *more)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def outputs(self) -> dict[str, str]:
        stack = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def object(self, bucket: str, key: str) -> t.Any:
        return self.client("s3").get_object(Bucket=bucket, Key=key)

    def live(self) -> str:
        """The version that visitors get."""
        return str(self.client("lambda").get_alias(FunctionName=FUNCTION, Name="live")["FunctionVersion"])

    def pointer(self) -> str:
        """The model that the bucket's pointer names."""
        stored = self.object(self.outputs()["ModelBucketName"], "models/current.json")
        return str(json.loads(stored["Body"].read())["version"])

    def ask(self, path: str) -> t.Any:
        """Ask the API, through the gateway."""
        with urllib.request.urlopen(self.environment["CARVAE_GATEWAY"] + path) as answer:
            return json.loads(answer.read())


@pytest.fixture(scope="module")
def aws(clone: t.Callable[[], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    command = [sys.executable, "-m", "tests.packaged.moto_aws"]
    pipes: dict[str, t.Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, cwd=ROOT, **pipes) as process:
        assert process.stdout
        there = Aws(process.stdout.readline().strip(), clone())
        code, client, tmp = (tmp_path_factory.mktemp(name) for name in ("task", "client", "tmp"))
        with zipfile.ZipFile(next(there.folder.glob("build/onnx-*/function.zip"))) as archive:
            archive.extractall(code)
        lambda_runtime.copy_client(client)
        api = gateway.Gateway(there.client("lambda"), FUNCTION, "live", code, client, tmp, there.variables)
        there.environment["CARVAE_GATEWAY"] = api.address
        yield there
        api.close()
        process.kill()


@pytest.fixture(scope="module")
def next_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second version of the model."""
    return bundles.make(tmp_path_factory.mktemp("bundles") / "next", version="test-2")


@pytest.fixture(scope="module")
def broken_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version that is what its manifest says, and that no engine can load."""
    folder = bundles.make(tmp_path_factory.mktemp("bundles") / "broken", version="broken-1")
    bundles.replace(folder, "decoder.onnx", b"no network")
    return folder


@pytest.fixture(scope="module")
def deployed(aws: Aws, bundle: Path) -> str:
    """Everything deployed once, with a firewall; what the command said."""
    return aws.deploy(bundle, "--param=clientRate=100")


def test_model_and_page_are_in_their_buckets_and_the_function_draws_cars(aws: Aws, deployed: str) -> None:
    outputs = aws.outputs()
    assert aws.object(outputs["ModelBucketName"], "models/test-1/manifest.json")["ContentLength"] > 0
    assert aws.object(outputs["SiteBucketName"], "index.html")["CacheControl"] == "no-cache"
    cars = aws.ask("/random?seed=1&count=2")["cars"]
    assert [car["index"] for car in cars] == [0, 1]
    assert "version 1 with model test-1 is live" in deployed
    assert aws.pointer() == "test-1"


def test_the_stack_says_where_everything_is(aws: Aws, deployed: str) -> None:
    outputs = aws.outputs()
    assert outputs["SiteUrl"] in deployed
    assert outputs["HttpApiUrl"] in deployed
    said = aws.sls("info", "--verbose")
    assert outputs["ModelBucketName"] in said.stdout


def test_the_function_is_what_the_file_says(aws: Aws, deployed: str) -> None:
    function = aws.client("lambda").get_function(FunctionName=FUNCTION)
    configuration = function["Configuration"]
    assert (configuration["MemorySize"], configuration["Timeout"]) == (1769, 29)
    assert configuration["Handler"] == "handler.lambda_entry.handler"
    assert function["Concurrency"]["ReservedConcurrentExecutions"] == 10
    assert configuration["Environment"]["Variables"] == {
        "CARVAE_BUNDLE": f"s3://{aws.outputs()['ModelBucketName']}/models/test-1",
        "CARVAE_ENGINE": "onnx",
        "CARVAE_ORIGINS": "",
        "STAGE": "dev",
    }
    role = configuration["Role"].rpartition("/")[2]
    assert aws.client("iam").list_role_policies(RoleName=role)["PolicyNames"] == ["models-and-logs"]


def test_the_rate_rule_guards_the_distribution(aws: Aws, deployed: str) -> None:
    (firewall,) = aws.client("cloudformation", "us-east-1").describe_stacks()["Stacks"]
    assert firewall["Parameters"] == [{"ParameterKey": "Rate", "ParameterValue": "100"}]
    template = aws.client("cloudformation").get_template(StackName=STACK)["TemplateBody"]
    (arn,) = (output["OutputValue"] for output in firewall["Outputs"])
    assert template["Resources"]["Distribution"]["Properties"]["DistributionConfig"]["WebACLId"] == arn


def test_the_stored_archive_is_the_built_one(aws: Aws, deployed: str) -> None:
    bucket = aws.outputs()["ServerlessDeploymentBucketName"]
    keys = [entry["Key"] for entry in aws.client("s3").list_objects_v2(Bucket=bucket)["Contents"]]
    key = next(key for key in keys if key.endswith("/function.zip"))
    built = next(aws.folder.glob("build/onnx-*/function.zip"))
    assert aws.object(bucket, key)["Body"].read() == built.read_bytes()


def test_the_page_asks_the_name_that_it_came_from(aws: Aws, deployed: str) -> None:
    config = aws.object(aws.outputs()["SiteBucketName"], "config.js")
    assert gzip.decompress(config["Body"].read()).decode().endswith('window.CARVAE_API = "/api";\n')
    assert config["ContentType"] == "text/javascript; charset=utf-8"


def test_a_broken_model_is_rolled_back(aws: Aws, deployed: str, broken_bundle: Path) -> None:
    before, pointer = aws.live(), aws.pointer()
    run = aws.sls("deploy", f"--param=bundle={broken_bundle}", "--param=patience=1")
    assert run.returncode != 0
    said = run.stdout + run.stderr
    assert "broken-1" in said
    assert f"Rolled back: version {before} with model {pointer} is live again" in said
    assert (aws.live(), aws.pointer()) == (before, pointer)
    assert aws.ask("/health")["model"]["version"] == pointer


def test_a_new_model_is_served_after_a_deployment_and_the_old_one_after_a_rollback(
    aws: Aws, deployed: str, next_bundle: Path
) -> None:
    said = aws.deploy(next_bundle, "--param=warm=true")
    assert ": sent" not in said  # of the page nothing had changed
    assert aws.client("cloudformation", "us-east-1").describe_stacks()["Stacks"] == []  # the firewall was not asked for
    health = aws.ask("/health")
    assert (health["model"]["version"], health["function_version"]) == ("test-2", aws.live())
    assert aws.pointer() == "test-2"
    timestamp = first_deployment(aws)
    run = aws.sls("rollback", "--timestamp", timestamp)
    assert run.returncode == 0, run.stdout + run.stderr
    assert aws.ask("/health")["model"]["version"] == "test-1"
    assert aws.pointer() == "test-1"
    # Each numbered version counts towards what an account may store: the live one and the one before stay.
    found = aws.client("lambda").list_versions_by_function(FunctionName=FUNCTION)["Versions"]
    assert len(found) == 3  # with $LATEST


def first_deployment(aws: Aws) -> str:
    """When the stage was first deployed, as ``sls deploy list`` has it."""
    bucket = aws.outputs()["ServerlessDeploymentBucketName"]
    keys = [entry["Key"] for entry in aws.client("s3").list_objects_v2(Bucket=bucket)["Contents"]]
    return min(key.split("/")[3].split("-")[0] for key in keys if "/carvae/dev/1" in key)


def test_a_removal_wants_to_be_meant(aws: Aws, deployed: str) -> None:
    run = aws.sls("remove")
    assert run.returncode != 0
    assert "--yes" in run.stdout + run.stderr
    assert aws.object(aws.outputs()["ModelBucketName"], "models/test-1/manifest.json")


def test_a_protected_stack_keeps_its_models(aws: Aws, deployed: str) -> None:
    formation = aws.client("cloudformation")
    formation.update_termination_protection(StackName=STACK, EnableTerminationProtection=True)
    run = aws.sls("remove", "--yes")
    formation.update_termination_protection(StackName=STACK, EnableTerminationProtection=False)
    assert run.returncode != 0
    assert "protected from deletion" in run.stdout + run.stderr
    assert aws.object(aws.outputs()["ModelBucketName"], "models/test-1/manifest.json")


@pytest.fixture
def removed(aws: Aws, deployed: str) -> None:
    """Removed for one test, which comes last in this module."""
    run = aws.sls("remove", "--yes")
    assert run.returncode == 0, run.stdout + run.stderr


def test_nothing_is_left_after_removal(aws: Aws, removed: None) -> None:
    assert aws.client("s3").list_buckets()["Buckets"] == []
    assert aws.client("lambda").list_functions()["Functions"] == []
    assert aws.client("iam").list_roles()["Roles"] == []
    again = aws.sls("remove", "--yes")
    assert (again.returncode, "nothing to remove" in again.stdout) == (0, True)
