"""The whole deployment against moto's stand-in for AWS, by the command that a maintainer runs.

What moto lacks, and so nothing here proves: it has no HTTP APIs (the gateway, its throttle and CORS are looked at in
the template only), no functions without Docker (AWS's runtime client runs ours instead), no website hosting, no bucket
policies, alarms or bucket properties (versions, access blocks) from a stack, no CloudFront, no roles that refuse, and
its first answer to the removal of an updated stack is a 500.
"""

import gzip
import json
import os
import shutil
import subprocess
import sys
import typing as t
import zipfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from deploy.emulated import lambda_runtime

from .. import bundles, osls

ROOT = Path(__file__).parent.parent.parent
EVENTS = ROOT / "deploy" / "emulated" / "events"
REGION = "eu-central-1"
STAGE = "emulated"
STACK, FUNCTION = f"carvae-{STAGE}", f"carvae-{STAGE}-api"


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
        # The copy's packages, not the ones that are installed.
        self.environment = kept | self.variables | {"PYTHONPATH": str(folder)}

    def client(self, service: str) -> t.Any:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, region_name=REGION, endpoint_url=self.variables["AWS_ENDPOINT_URL"], **keys)

    def run(self, *command: str | Path) -> str:
        """Run a command in the copy of the repository; returns what it says."""
        line = list(map(str, command))
        run = subprocess.run(line, check=False, capture_output=True, text=True, env=self.environment, cwd=self.folder)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def deploy(self, action: str, *more: str | Path) -> str:
        return self.run(sys.executable, "scripts/stack.py", action, "--stage", STAGE, "--engine", "onnx", *more)

    def outputs(self) -> dict[str, str]:
        stack = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def object(self, bucket: str, key: str) -> t.Any:
        return self.client("s3").get_object(Bucket=bucket, Key=key)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what deploys, so that the tests leave nothing where `make deploy` would take it from."""
    osls.need_node()
    folder = tmp_path_factory.mktemp("repository")
    for name in ("scripts", "handler", "static", "deploy"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("serverless.yml", "package.json", "package-lock.json"):
        shutil.copy2(ROOT / name, folder / name)
    (folder / "node_modules").symlink_to(osls.install())
    return folder


@pytest.fixture(scope="module")
def aws(repository: Path) -> Iterator[Aws]:
    command = [sys.executable, "-m", "tests.packaged.moto_aws"]
    pipes: dict[str, t.Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, cwd=ROOT, **pipes) as process:
        assert process.stdout
        yield Aws(process.stdout.readline().strip(), repository)
        process.kill()


@pytest.fixture(scope="module")
def package(function_zip: t.Callable[[str], Path], repository: Path) -> Path:
    """The archive, where the deployment takes it from."""
    built = function_zip("onnx")
    target = repository / "build" / "onnx"
    target.mkdir(parents=True)
    for name in ("function.zip", "function.json"):
        shutil.copyfile(built.with_name(name), target / name)
    return target / "function.zip"


@pytest.fixture(scope="module")
def next_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second version of the model."""
    return bundles.make(tmp_path_factory.mktemp("bundles") / "next", version="test-2")


@pytest.fixture(scope="module")
def deployed(aws: Aws, package: Path, bundle: Path) -> str:
    """Everything deployed once; what the command said."""
    return aws.deploy("up", "--bundle", bundle)


@pytest.fixture
def serve(aws: Aws, deployed: str, tmp_path_factory: pytest.TempPathFactory, package: Path) -> t.Callable[[], t.Any]:
    """Start the code that the stack's function has, with the environment that it has, and ask for its health."""
    code, client = tmp_path_factory.mktemp("task"), lambda_runtime.copy_client(tmp_path_factory.mktemp("client"))
    function = aws.client("lambda").get_function(FunctionName=FUNCTION)
    with zipfile.ZipFile(package) as archive:
        archive.extractall(code)

    def ask() -> t.Any:
        variables = function["Configuration"]["Environment"]["Variables"] | aws.variables
        event = json.loads((EVENTS / "v2-random.json").read_text()) | {"rawPath": "/health", "rawQueryString": ""}
        event["requestContext"]["http"]["path"] = "/health"
        variables["CARVAE_CACHE"] = str(tmp_path_factory.mktemp("cache"))
        tmp = tmp_path_factory.mktemp("tmp")
        with lambda_runtime.start(code, client, tmp, **variables) as (api, _):
            return json.loads(api.invoke(event)["body"])

    return ask


def test_the_stack_says_where_everything_is(aws: Aws, deployed: str) -> None:
    outputs = aws.outputs()
    assert outputs["SiteUrl"].startswith(f"http://{outputs['SiteBucketName']}.s3-website")
    assert outputs["HttpApiUrl"].startswith("https://")
    assert outputs["SiteUrl"] in deployed
    assert f"{STACK}" in aws.run("npx", "--no-install", "osls", "info", "--stage", STAGE, "--param=engine=onnx")


def test_the_function_is_what_the_file_says(aws: Aws, deployed: str) -> None:
    function = aws.client("lambda").get_function(FunctionName=FUNCTION)
    configuration = function["Configuration"]
    assert (configuration["MemorySize"], configuration["Timeout"]) == (1769, 29)
    assert configuration["Handler"] == "handler.lambda_entry.handler"
    assert function["Concurrency"]["ReservedConcurrentExecutions"] == 10
    variables = configuration["Environment"]["Variables"]
    outputs = aws.outputs()
    assert variables == {
        "CARVAE_BUNDLE": f"s3://{outputs['ModelBucketName']}/models/current.json",
        "CARVAE_ENGINE": "onnx",
        "CARVAE_ORIGINS": outputs["SiteUrl"],
    }
    role = configuration["Role"].rpartition("/")[2]
    assert aws.client("iam").list_role_policies(RoleName=role)["PolicyNames"] == ["models-and-logs"]


def test_the_stored_archive_is_the_built_one(aws: Aws, deployed: str, package: Path) -> None:
    bucket = aws.outputs()["ServerlessDeploymentBucketName"]
    keys = [entry["Key"] for entry in aws.client("s3").list_objects_v2(Bucket=bucket)["Contents"]]
    key = next(key for key in keys if key.endswith("/function.zip"))
    assert aws.object(bucket, key)["Body"].read() == package.read_bytes()


def test_the_page_knows_the_api(aws: Aws, deployed: str) -> None:
    outputs = aws.outputs()
    config = aws.object(outputs["SiteBucketName"], "config.js")
    assert outputs["HttpApiUrl"] in gzip.decompress(config["Body"].read()).decode()
    assert config["ContentType"] == "text/javascript; charset=utf-8"
    assert aws.object(outputs["SiteBucketName"], "index.html")["CacheControl"] == "no-cache"


def test_a_new_model_is_served_after_an_update_and_the_old_one_after_a_rollback(
    aws: Aws, deployed: str, serve: t.Callable[[], t.Any], next_bundle: Path
) -> None:
    assert serve()["model"]["version"] == "test-1"
    said = aws.deploy("up", "--bundle", next_bundle, "--param=warm=true")
    assert ": sent" not in said  # of the page nothing had changed
    assert started_for(aws) == "test-2"
    assert serve()["model"]["version"] == "test-2"
    bucket = aws.outputs()["ModelBucketName"]
    aws.run(sys.executable, "scripts/publish.py", "--rollback", f"s3://{bucket}", "--function", FUNCTION)
    assert serve()["model"]["version"] == "test-1"
    assert started_for(aws) == "test-1"


def started_for(aws: Aws) -> str:
    """The version in the function's environment, without which copies that run would go on with theirs."""
    variables = aws.client("lambda").get_function_configuration(FunctionName=FUNCTION)["Environment"]["Variables"]
    assert variables["CARVAE_ENGINE"] == "onnx"  # nothing else was lost
    return t.cast(str, variables["MODEL_VERSION"])


@pytest.fixture
def removed(aws: Aws, deployed: str) -> None:
    """Removed for one test, which comes last in this module."""
    aws.deploy("remove")


def test_nothing_is_left_after_removal(aws: Aws, removed: None) -> None:
    assert aws.client("s3").list_buckets()["Buckets"] == []
    assert aws.client("lambda").list_functions()["Functions"] == []
    assert aws.client("iam").list_roles()["Roles"] == []
    assert "nothing to remove" in aws.deploy("remove")
