"""The firewall's calls to AWS; what it does to requests is AWS's own."""

import typing as t
from collections.abc import Iterator

import boto3
import pytest
import yaml
from botocore.stub import ANY, Stubber

from deploy import firewall

STACK = {"StackName": "carvae-dev-firewall", "CreationTime": 0, "StackStatus": "CREATE_COMPLETE"}
WANTED = {
    "StackName": "carvae-dev-firewall",
    "TemplateBody": ANY,
    "Parameters": [{"ParameterKey": "Rate", "ParameterValue": "100"}],
}


@pytest.fixture
def formation(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """CloudFormation's answers; asked in any other region than CloudFront's, it fails."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    client = boto3.client("cloudformation", "us-east-1", **keys)
    monkeypatch.setattr(firewall.aws, "client", lambda service, region: {"us-east-1": client}[region])
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def described(formation: Stubber, **more: t.Any) -> None:
    formation.add_response("describe_stacks", {"Stacks": [STACK | more]})


OUTPUTS = [{"OutputKey": "Arn", "OutputValue": "arn:firewall"}]


def test_each_client_address_is_counted_and_blocked_above_the_rate() -> None:
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda loader, kind, node: {kind: node.value})
    template = yaml.load(firewall.TEMPLATE.read_text(), Loader)  # noqa: S506 - a safe one
    acl = template["Resources"]["Firewall"]["Properties"]
    assert (acl["Scope"], acl["DefaultAction"]) == ("CLOUDFRONT", {"Allow": {}})
    (rule,) = acl["Rules"]
    counted = rule["Statement"]["RateBasedStatement"]
    assert counted == {"Limit": {"Ref": "Rate"}, "AggregateKeyType": "IP", "EvaluationWindowSec": 300}
    assert "Block" in rule["Action"]


def test_a_stage_without_one_gets_one(formation: Stubber) -> None:
    formation.add_client_error("describe_stacks", "ValidationError", "Stack with id x does not exist")
    formation.add_response("create_stack", {"StackId": "id"}, WANTED)
    described(formation)  # the waiter
    described(formation, Outputs=OUTPUTS)
    assert firewall.deploy("dev", 100) == "arn:firewall"


def test_one_that_has_the_rate_already_is_left_alone(formation: Stubber) -> None:
    described(formation)
    formation.add_client_error(
        "update_stack", "ValidationError", "No updates are to be performed.", expected_params=WANTED
    )
    described(formation, Outputs=OUTPUTS)
    assert firewall.deploy("dev", 100) == "arn:firewall"


def test_removing_where_there_is_none_does_nothing(formation: Stubber) -> None:
    formation.add_client_error("describe_stacks", "ValidationError", "Stack with id x does not exist")
    firewall.remove("dev")
