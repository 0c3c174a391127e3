"""Checks before anything is built or changed; without them a deployment would fail minutes later, half-way."""

import re

from botocore.exceptions import BotoCoreError, ClientError

from . import Failure, aws

#: Concurrency that AWS keeps for an account's functions without a reservation.
NEVER_RESERVED = 100


def check_stage(stage: str) -> None:
    """See that names made of `stage` are ones that AWS takes."""
    if not re.fullmatch("[a-z][a-z0-9-]{0,19}", stage):
        raise Failure(f"--stage {stage!r}: expected lower-case letters, digits and -, at most 20, a letter first")


def check_credentials(region: str) -> str:
    """Check which account the AWS credentials belong to; returns its number."""
    with aws.refusals("no usable AWS credentials (aws configure, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)"):
        account = str(aws.client("sts", region).get_caller_identity()["Account"])
    print(f"account {account}, region {region}")
    return account


def check_concurrency(stage: str, region: str, function: str, wanted: int | None) -> None:
    """See that the account has what the stage reserves for its function; nothing where AWS doesn't tell us.

    Raises
    ------
    Failure
        If it has less.
    """
    if wanted is None:
        return
    functions = aws.client("lambda", region)
    try:
        left = functions.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
        try:
            own = functions.get_function_concurrency(FunctionName=function).get("ReservedConcurrentExecutions", 0)
        except functions.exceptions.ResourceNotFoundException:
            own = 0
    except (BotoCoreError, ClientError) as error:
        print(f"the account's concurrency is not checked: {error}")
        return
    room = max(0, int(left + own) - NEVER_RESERVED)
    if wanted > room:
        raise Failure(
            f"the stage reserves {wanted} concurrent copies, and the account has {room} to reserve in {region}. "
            f"Reserve none (npx sls deploy --stage {stage} --param=concurrency=none, or 'concurrency: none' under "
            f"params, {stage}, in serverless.yml), or ask AWS for a higher quota"
        )


def check_public_access(account: str, region: str, site: str) -> None:
    """See that the account lets a bucket be public, where the page is in one; nothing where AWS doesn't tell us.

    Raises
    ------
    Failure
        If it doesn't.
    """
    if site != "website":
        return
    try:
        found = aws.client("s3control", region).get_public_access_block(AccountId=account)
    except ClientError as error:
        if aws.code(error) != "NoSuchPublicAccessBlockConfiguration":
            print(f"the account's block of public access is not checked: {error}")
        return
    except BotoCoreError as error:
        print(f"the account's block of public access is not checked: {error}")
        return
    blocks = found["PublicAccessBlockConfiguration"]
    closed = [name for name in ("BlockPublicPolicy", "RestrictPublicBuckets") if blocks.get(name)]
    if closed:
        raise Failure(
            f"--param=site=website needs a public bucket, and account {account} allows none ({', '.join(closed)}). "
            "Leave it out: by default the page comes through CloudFront from a private bucket"
        )
