"""What a deployment looks at before it begins."""

import typing as t
from collections.abc import Iterator

import boto3
import pytest
from botocore.stub import Stubber

from deploy import Failure, checks


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """AWS's answers on an account's limits, which moto lacks."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    client = boto3.client("lambda", "eu-central-1", **keys)
    monkeypatch.setattr(checks.aws, "client", lambda *_: client)
    with Stubber(client) as stubber:
        yield stubber


def unreserved(count: int) -> dict[str, t.Any]:
    return {"AccountLimit": {"ConcurrentExecutions": count, "UnreservedConcurrentExecutions": count}}


def check(wanted: int | None) -> None:
    checks.check_concurrency("dev", "eu-central-1", "carvae-dev-api", wanted)


def test_an_account_too_small_for_a_reservation_is_told_the_parameter_that_helps(account: Stubber) -> None:
    account.add_response("get_account_settings", unreserved(10))
    account.add_client_error("get_function_concurrency", "ResourceNotFoundException")
    with pytest.raises(Failure, match=r"reserves 10 .* has 0 to reserve .*--stage dev --param=concurrency=none"):
        check(10)


def test_what_the_function_has_reserved_already_counts_for_it(account: Stubber) -> None:
    account.add_response("get_account_settings", unreserved(100))
    account.add_response("get_function_concurrency", {"ReservedConcurrentExecutions": 10})
    check(10)
    account.assert_no_pending_responses()


def test_a_stage_that_reserves_nothing_asks_nothing(account: Stubber) -> None:
    check(None)


def test_someone_who_may_not_see_the_limits_may_deploy(account: Stubber, capsys: pytest.CaptureFixture[str]) -> None:
    account.add_client_error("get_account_settings", "AccessDeniedException")
    check(10)
    assert "the account's concurrency is not checked" in capsys.readouterr().out


def block(policy: bool) -> None:
    blocks = {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": policy,
        "RestrictPublicBuckets": False,
    }
    control = boto3.client("s3control")
    control.put_public_access_block(AccountId="123456789012", PublicAccessBlockConfiguration=blocks)


def test_a_public_page_is_refused_where_the_account_allows_no_public_bucket(s3: t.Any) -> None:
    block(policy=True)
    with pytest.raises(Failure, match=r"site=website needs a public bucket, .* allows none \(BlockPublicPolicy\)"):
        checks.check_public_access("123456789012", "us-east-1", "website")
    checks.check_public_access("123456789012", "us-east-1", "cloudfront")


def test_a_public_page_is_taken_where_the_account_allows_it(s3: t.Any) -> None:
    checks.check_public_access("123456789012", "us-east-1", "website")
    block(policy=False)
    checks.check_public_access("123456789012", "us-east-1", "website")
