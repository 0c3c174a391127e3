"""The limit of requests per client in front of the page: a small stack of its own, as only us-east-1 may hold it."""

import pathlib
import typing as t

from botocore.exceptions import ClientError

from . import Failure, aws

TEMPLATE = pathlib.Path(__file__).with_name("firewall.yml")

#: Where AWS keeps what belongs to CloudFront.
REGION = "us-east-1"


def deploy(stage: str, rate: int) -> str:
    """Make the firewall of a stage, or give it another rate; returns its ARN.

    Parameters
    ----------
    stage : str
        Name of the installation.
    rate : int
        Requests per client address in five minutes.

    Raises
    ------
    Failure
        If AWS refuses.
    """
    name = _name(stage)
    formation = aws.client("cloudformation", REGION)
    wanted: dict[str, t.Any] = {
        "StackName": name,
        "TemplateBody": TEMPLATE.read_text(),
        "Parameters": [{"ParameterKey": "Rate", "ParameterValue": str(rate)}],
    }
    with aws.refusals(f"stack {name} in {REGION}"):
        if _exists(formation, name):
            try:
                formation.update_stack(**wanted)
                formation.get_waiter("stack_update_complete").wait(StackName=name)
            except ClientError as error:
                if "No updates are to be performed" not in str(error):
                    raise
        else:
            formation.create_stack(**wanted)
            formation.get_waiter("stack_create_complete").wait(StackName=name)
        outputs = formation.describe_stacks(StackName=name)["Stacks"][0].get("Outputs", [])
    for output in outputs:
        if output["OutputKey"] == "Arn":
            return str(output["OutputValue"])
    raise Failure(f"stack {name} in {REGION} has no output Arn; delete it and run this again")


def remove(stage: str) -> None:
    """Remove the firewall of a stage, if there is one; nothing may use it any more.

    Raises
    ------
    Failure
        If AWS refuses.
    """
    name = _name(stage)
    formation = aws.client("cloudformation", REGION)
    with aws.refusals(f"stack {name} in {REGION}"):
        if _exists(formation, name):
            formation.delete_stack(StackName=name)
            formation.get_waiter("stack_delete_complete").wait(StackName=name)


def _name(stage: str) -> str:
    return f"carvae-{stage}-firewall"


def _exists(formation: t.Any, name: str) -> bool:
    try:
        formation.describe_stacks(StackName=name)
    except ClientError as error:
        if "does not exist" in str(error):
            return False
        raise
    return True
