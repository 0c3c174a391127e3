"""One stage on AWS: what its stack says, which version is live, and the way to the next version and back."""

import json
import os
import pathlib
import time
import typing as t
import urllib.error
import urllib.request

from botocore.exceptions import ClientError

from . import Failure, aws, site, versions

ROOT = pathlib.Path(__file__).resolve().parent.parent

#: The function's alias that the gateway calls.
ALIAS = "live"

#: Seconds between two looks at whether a version answers.
PAUSE_S = 2


class Stack:
    """The stack of one stage in one region."""

    def __init__(self, stage: str, region: str) -> None:
        self.stage, self.region = stage, region
        self.name, self.function = f"carvae-{stage}", f"carvae-{stage}-api"

    def describe(self) -> dict[str, t.Any] | None:
        """What CloudFormation says of it; None if there is none."""
        with aws.refusals(f"stack {self.name}"):
            try:
                stacks = aws.client("cloudformation", self.region).describe_stacks(StackName=self.name)["Stacks"]
            except ClientError as error:
                if "does not exist" in str(error):
                    return None
                raise
        return t.cast(dict[str, t.Any], stacks[0])

    def outputs(self) -> dict[str, str]:
        """Its outputs; empty if there is no stack."""
        found = self.describe() or {}
        return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}

    def shelf(self) -> versions.Shelf:
        """Its models.

        Raises
        ------
        Failure
            If it has no bucket for them.
        """
        bucket = self.outputs().get("ModelBucketName")
        if not bucket:
            raise Failure(f"stack {self.name} has no output ModelBucketName; run the deployment again")
        return versions.Shelf(f"s3://{bucket}", self.region)

    def live(self) -> str | None:
        """The function's version that the gateway calls; None before the first deployment."""
        functions = aws.client("lambda", self.region)
        with aws.refusals(f"alias {ALIAS} of {self.function}"):
            try:
                return str(functions.get_alias(FunctionName=self.function, Name=ALIAS)["FunctionVersion"])
            except functions.exceptions.ResourceNotFoundException:
                return None

    def point(self, version: str) -> None:
        """Have the gateway call `version`, all of it."""
        with aws.refusals(f"moving alias {ALIAS} of {self.function} to version {version}"):
            aws.client("lambda", self.region).update_alias(
                FunctionName=self.function,
                Name=ALIAS,
                FunctionVersion=version,
                RoutingConfig={"AdditionalVersionWeights": {}},
            )

    def model(self, version: str) -> str:
        """The model's version that the function's `version` serves."""
        with aws.refusals(f"version {version} of {self.function}"):
            functions = aws.client("lambda", self.region)
            found = functions.get_function_configuration(FunctionName=self.function, Qualifier=version)
        return str(found["Environment"]["Variables"]["CARVAE_BUNDLE"].rpartition("/")[2])

    def go_live(self, before: str | None, patience: float) -> str:
        """Wait until the stack's newest version answers through the gateway; else go back to `before`.

        Parameters
        ----------
        before : str, optional
            The version that was live before the stack was updated.
        patience : float
            Seconds that the new version has.

        Returns
        -------
        str
            The model's version that is served.

        Raises
        ------
        Failure
            If it doesn't answer in time; what is live then is said.
        """
        outputs = self.outputs()
        version = outputs["ApiLambdaFunctionQualifiedArn"].rpartition(":")[2]
        model = self.model(version)
        # The stack moved the alias already, unless it holds a version that was rolled back.
        if self.live() != version:
            self.point(version)
        try:
            wait_until_ready(gateway(outputs), model, version, patience)
        except Failure as error:
            if before in (None, version):
                raise Failure(f"{error}\nThere is no earlier version to go back to.") from None
            assert before  # noqa: S101 - for the type checker
            self.point(before)
            raise Failure(
                f"{error}\nRolled back: version {before} with model {self.model(before)} is live again, the model's "
                "pointer and the page are as they were."
            ) from None
        shelf = self.shelf()
        shelf.switch([*(name for name in shelf.current() if name != model), model])
        self.prune({version, before})
        print(f"version {version} with model {model} is live", flush=True)
        return model

    def prune(self, kept: set[str | None]) -> None:
        """Delete the function's numbered versions but for `kept`: each counts towards an account's 75 GB."""
        functions = aws.client("lambda", self.region)
        with aws.refusals(f"versions of {self.function}"):
            for page in functions.get_paginator("list_versions_by_function").paginate(FunctionName=self.function):
                for found in page["Versions"]:
                    if found["Version"] not in kept | {"$LATEST"}:
                        functions.delete_function(FunctionName=self.function, Qualifier=found["Version"])

    def send_page(self) -> None:
        """Send the page's changed files, with the address of the API that it calls."""
        outputs = self.outputs()
        # Through CloudFront one name serves both.
        api = "/api" if "DistributionId" in outputs else outputs["HttpApiUrl"]
        site.upload(site.files(ROOT / "static", api), outputs["SiteBucketName"], print, self.region)
        if "DistributionId" in outputs:
            # Even if no file of the page changed: CloudFront also caches cars, which another model draws differently.
            site.forget_copies(outputs["DistributionId"], self.region)
        print(f"the page: {outputs['SiteUrl']}\nthe API:  {outputs['HttpApiUrl']}", flush=True)

    def check_removable(self) -> bool:
        """See that the stack may be removed; False if there is nothing for osls to remove.

        A stack that was never executed (REVIEW_IN_PROGRESS) has nothing in it and osls stumbles over it, so it is
        deleted here.

        Raises
        ------
        Failure
            If it is protected.
        """
        found = self.describe()
        if found is None:
            print(f"no stack {self.name} in {self.region}: nothing to remove")
            return False
        if found["StackStatus"] == "REVIEW_IN_PROGRESS":
            with aws.refusals(f"deleting stack {self.name}"):
                formation = aws.client("cloudformation", self.region)
                formation.delete_stack(StackName=self.name)
                formation.get_waiter("stack_delete_complete").wait(StackName=self.name)
            print(f"stack {self.name} was never executed; it is deleted")
            return False
        if found.get("EnableTerminationProtection"):
            raise Failure(
                f"stack {self.name} is protected from deletion. Take {self.stage} out of deletionProtection in "
                "serverless.yml and deploy, or run aws cloudformation update-termination-protection "
                f"--no-enable-termination-protection --stack-name {self.name}"
            )
        return True

    def empty(self) -> None:
        """Delete every version of every object in its buckets, the published models among them."""
        outputs = self.outputs()
        for name in ("ModelBucketName", "SiteBucketName"):
            if name in outputs:
                print(f"emptying {outputs[name]}", flush=True)
                empty(outputs[name], self.region)


def empty(bucket: str, region: str) -> None:
    """Delete every version of every object."""
    s3 = aws.client("s3", region)
    with aws.refusals(f"emptying s3://{bucket}"):
        try:
            for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
                found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
                keys = [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in found]
                if keys:
                    errors = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True}).get("Errors")
                    if errors:
                        raise Failure(f"s3://{bucket}/{errors[0]['Key']}: {errors[0].get('Message', 'not deleted')}")
        except s3.exceptions.NoSuchBucket:
            return  # an earlier removal got that far


def gateway(outputs: dict[str, str]) -> str:
    """Address of the API; ``CARVAE_GATEWAY`` is that of a stand-in, beside an emulated AWS."""
    return os.environ.get("CARVAE_GATEWAY") or outputs["HttpApiUrl"]


def wait_until_ready(api: str, model: str, version: str, patience: float) -> None:
    """Ask the API for its health until `version` of the function answers that it has `model`.

    Raises
    ------
    Failure
        If it doesn't within `patience` seconds; the last answer is in the text.
    """
    end = time.monotonic() + patience
    answer = "no answer"
    while True:
        try:
            with urllib.request.urlopen(f"{api}/health", timeout=35) as response:  # noqa: S310 - the stack's own address
                health = json.loads(response.read())
            if (health["model"]["version"], health.get("function_version")) == (model, version):
                return
            answer = f"model {health['model']['version']}, function version {health.get('function_version')}"
        except urllib.error.HTTPError as error:
            with error:
                answer = f"{error.code} {error.read()[:300].decode(errors='replace').strip()}"
        except (OSError, ValueError, KeyError, TypeError) as error:
            answer = str(error)
        if time.monotonic() > end:
            break
        time.sleep(PAUSE_S)
    raise Failure(
        f"{api}/health does not say that version {version} has model {model}: {answer}. "
        "The function's log says more: npx sls logs -f api"
    )
