"""One stage on AWS: checks, the stack by osls, the model, the page, and all of it off again."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request

from botocore.exceptions import BotoCoreError, ClientError

from . import Failure, archive, aws, site, versions

ROOT = pathlib.Path(__file__).resolve().parent.parent

_QUIET = os.environ | {"npm_config_loglevel": "error"}

#: Concurrency that AWS keeps for an account's functions without a reservation.
NEVER_RESERVED = 100


def check_tools() -> None:
    """See that Node and npm are there."""
    node, npm = shutil.which("node"), shutil.which("npm")
    found = "none"
    if node:
        found = subprocess.run([node, "--version"], check=False, capture_output=True, text=True).stdout.strip()
    version = tuple(map(int, re.findall(r"\d+", found)[:2]))
    if not (node and npm) or not ((20, 19) <= version < (21,) or (22, 13) <= version < (23,) or version >= (24,)):
        raise Failure(f"Node.js 20.19, 22.13 or 24 and later is needed, with npm; found {found}")


def install_osls() -> None:
    """Install what package-lock.json names, unless it is there."""
    installed, wanted = ROOT / "node_modules" / ".package-lock.json", ROOT / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime:
        print("installing osls", flush=True)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        if subprocess.run(command, check=False, cwd=ROOT).returncode:
            raise Failure("npm ci failed; its message is above")
        installed.touch()


def check_credentials(region: str) -> None:
    """See who AWS takes us for."""
    with aws.refusals("no usable AWS credentials (aws configure, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)"):
        identity = aws.client("sts", region).get_caller_identity()
    print(f"account {identity['Account']}, region {region}")


def reservable(function: str, region: str) -> int | None:
    """How much concurrency AWS would reserve for `function` in this account; None where it doesn't tell us."""
    functions = aws.client("lambda", region)
    try:
        left = functions.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
        try:
            own = functions.get_function_concurrency(FunctionName=function).get("ReservedConcurrentExecutions", 0)
        except functions.exceptions.ResourceNotFoundException:
            own = 0
    except (BotoCoreError, ClientError) as error:
        print(f"the account's concurrency is not checked: {error}")
        return None
    return max(0, int(left + own) - NEVER_RESERVED)


class Deployment:
    """One stage in one region.

    Parameters
    ----------
    stage : str
        Name of this installation: small letters, digits and -, at most 20, a letter first.
    region : str
        Of AWS.
    engine : str
        ``torchscript`` or ``onnx``.
    params : list of str
        ``name=value`` each: parameters of ``serverless.yml``, for once.

    Raises
    ------
    Failure
        If AWS would refuse the stage's name.
    """

    def __init__(self, stage: str, region: str, engine: str, params: list[str]) -> None:
        if not re.fullmatch("[a-z][a-z0-9-]{0,19}", stage):
            raise Failure(f"--stage {stage!r}: expected small letters, digits and -, at most 20, a letter first")
        self.stage, self.region, self.engine = stage, region, engine
        self.stack, self.function = f"carvae-{stage}", f"carvae-{stage}-api"
        self._params = [f"--param={value}" for value in [f"engine={engine}", *params]]

    def up(self, folder: pathlib.Path) -> None:
        """Put everything there, or what has changed."""
        versions.read(folder)  # a wrong bundle is found before AWS has been asked for anything
        facts = ROOT / "build" / self.engine / "function.json"
        if not facts.exists() or not facts.with_name("function.zip").exists():
            raise Failure(f"no build/{self.engine}/function.zip; run make package ENGINE={self.engine}")
        sizes = json.loads(facts.read_text())
        archive.check([(self.engine, sizes["unzipped"])], sizes["tmp"])
        self.check_concurrency()
        self.osls("deploy")
        outputs = self.outputs()
        missing = [name for name in ("ModelBucketName", "SiteBucketName", "HttpApiUrl") if not outputs.get(name)]
        if missing:
            raise Failure(f"stack {self.stack} has no output {', '.join(missing)}; run this again")
        shelf = versions.Shelf(f"s3://{outputs['ModelBucketName']}", self.region)
        before = shelf.current()[-1:]
        version = shelf.publish(folder, print)
        if before not in ([], [version]):
            versions.restart(self.function, version, self.region)
        print(f"model {version}")
        api = outputs["HttpApiUrl"]
        sent = site.upload(site.files(ROOT / "static", api), outputs["SiteBucketName"], print, self.region)
        if sent and "DistributionId" in outputs:
            site.forget_copies(outputs["DistributionId"], self.region)
        print(f"the page: {outputs['SiteUrl']}\nthe API:  {api}", flush=True)
        if "AWS_ENDPOINT_URL" in os.environ:
            print("not asked for its health: an emulator of AWS has no such address")
        else:
            wait_until_ready(api)

    def check_concurrency(self) -> None:
        """See that the account has what the stage reserves: AWS itself would say so after minutes, and roll back."""
        room = reservable(self.function, self.region)
        if room is None:
            return
        line = [*self._line("print"), "--path", "functions.api", "--format", "json"]
        result = subprocess.run(line, check=False, cwd=ROOT, env=_QUIET, capture_output=True, text=True)
        if result.returncode:  # osls deploy is about to say why
            return
        wanted = json.loads(result.stdout).get("reservedConcurrency")
        if wanted is not None and int(wanted) > room:
            raise Failure(
                f"the stage reserves {wanted} concurrent copies, and the account has {room} to reserve in "
                f"{self.region}. Put 'concurrency: none' under params, {self.stage}, in serverless.yml, or ask AWS "
                "for a higher quota"
            )

    def remove(self) -> None:
        """Take everything away, the published models, too."""
        outputs = self.outputs()
        if not outputs:
            print(f"no stack {self.stack} in {self.region}: nothing to remove")
            return
        for name in ("ModelBucketName", "SiteBucketName"):
            if name in outputs:
                print(f"emptying {outputs[name]}", flush=True)
                empty(outputs[name], self.region)
        self.osls("remove")

    def osls(self, command: str) -> None:
        """Run osls on this stage."""
        if subprocess.run(self._line(command), check=False, cwd=ROOT, env=_QUIET).returncode:
            raise Failure(f"osls {command} failed; its message is above. Put right, the same command goes on from here")

    def _line(self, command: str) -> list[str]:
        return ["npx", "--no-install", "osls", command, "--stage", self.stage, "--region", self.region, *self._params]

    def outputs(self) -> dict[str, str]:
        """The stack's outputs; empty if there is no stack."""
        with aws.refusals(f"stack {self.stack}"):
            try:
                stacks = aws.client("cloudformation", self.region).describe_stacks(StackName=self.stack)["Stacks"]
            except ClientError as error:
                if "does not exist" in str(error):
                    return {}
                raise
        return {output["OutputKey"]: output["OutputValue"] for output in stacks[0].get("Outputs", [])}


def empty(bucket: str, region: str) -> None:
    """Delete every version of every object."""
    s3 = aws.client("s3", region)
    with aws.refusals(f"emptying s3://{bucket}"):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            keys = [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in found]
            if keys:
                errors = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True}).get("Errors")
                if errors:
                    raise Failure(f"s3://{bucket}/{errors[0]['Key']}: {errors[0].get('Message', 'not deleted')}")


def wait_until_ready(api: str) -> None:
    """Ask the API for its health until it has a model, at most three minutes."""
    answer = "no answer"
    for _ in range(36):
        try:
            with urllib.request.urlopen(f"{api}/health", timeout=35) as response:  # noqa: S310 - the stack's own address
                print(response.read().decode().strip())
                return
        except urllib.error.HTTPError as error:
            answer = f"{error.code} {error.read()[:300].decode(errors='replace').strip()}"
        except OSError as error:
            answer = str(error)
        time.sleep(5)
    raise Failure(
        f"{api}/health does not say that it is ready: {answer}. The function's log says more: osls logs -f api"
    )
