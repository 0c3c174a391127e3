"""What ``serverless.yml`` compiles to, for every switch: checked by cfn-lint and read by these tests."""

import json
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from deploy import firewall

from .conftest import Service

ROOT = Path(__file__).parent.parent.parent
BOUNDARY = "arn:aws:iam::123456789012:policy/bounds"
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/0"
SWITCHES = {
    "plain": [],
    "website": ["site=website", "warm=true", "concurrency=none", "origins=https://one.example, https://two.example"],
    "all": [
        "snapstart=true",
        "canary=10%,5min",
        "tracing=true",
        "budget=50",
        "alarmEmail=me@cars.example",
        "alarmTopics=arn:aws:sns:eu-central-1:123456789012:one,arn:aws:sns:eu-central-1:123456789012:two",
        "domain=cars.example",
        f"certificate={CERTIFICATE}",
        f"boundary={BOUNDARY}",
        "origins=https://one.example",
    ],
}


@pytest.fixture(scope="module", params=SWITCHES)
def compiled(request: pytest.FixtureRequest, service: Service, tmp_path_factory: pytest.TempPathFactory) -> t.Any:
    """Name of the switches and the template's file."""
    result = service.package(*SWITCHES[request.param])
    assert result.returncode == 0, result.stdout + result.stderr
    written = service.folder / ".serverless" / "cloudformation-template-update-stack.json"
    kept = tmp_path_factory.mktemp("template") / "template.json"
    # The tests' interpreter may be one that Lambda takes no snapshots of.
    kept.write_text(re.sub(r'"python3\.\d+"', '"python3.13"', written.read_text()))
    return request.param, kept


@pytest.fixture(scope="module")
def switches(compiled: tuple[str, Path]) -> str:
    return compiled[0]


@pytest.fixture(scope="module")
def template(compiled: tuple[str, Path]) -> dict[str, t.Any]:
    return t.cast(dict[str, t.Any], json.loads(compiled[1].read_text()))


@pytest.fixture(scope="module")
def resources(template: dict[str, t.Any]) -> dict[str, t.Any]:
    return t.cast(dict[str, t.Any], template["Resources"])


def properties(resources: dict[str, t.Any], name: str) -> dict[str, t.Any]:
    return t.cast(dict[str, t.Any], resources[name]["Properties"])


def of_type(resources: dict[str, t.Any], kind: str) -> dict[str, t.Any]:
    """Properties of the resources of a type, by name."""
    return {name: resource["Properties"] for name, resource in resources.items() if resource["Type"] == kind}


def lint(template: Path) -> tuple[int, str]:
    # W3005: osls itself writes dependencies that a reference implies already.
    command = [str(Path(sys.executable).parent / "cfn-lint"), "--ignore-checks", "W3005", "--template", str(template)]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    return result.returncode, result.stdout


def test_cfn_lint_finds_nothing(compiled: tuple[str, Path]) -> None:
    assert lint(compiled[1]) == (0, "")


@pytest.mark.parametrize("path", [firewall.TEMPLATE, ROOT / "deploy" / "ci-role.yml"], ids=lambda path: path.stem)
def test_cfn_lint_finds_nothing_in_what_is_deployed_by_itself(path: Path) -> None:
    assert lint(path) == (0, "")


def test_roles_are_bounded_where_a_pipeline_makes_them(resources: dict[str, t.Any], switches: str) -> None:
    bounds = {role.get("PermissionsBoundary") for role in of_type(resources, "AWS::IAM::Role").values()}
    assert bounds == {BOUNDARY if switches == "all" else None}


def test_the_function_may_read_models_and_write_its_own_log_and_nothing_else(resources: dict[str, t.Any]) -> None:
    role = properties(resources, "FunctionRole")
    assert role.keys() - {"PermissionsBoundary"} == {"AssumeRolePolicyDocument", "Policies"}
    (policy,) = role["Policies"]
    assert policy["PolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": {"Fn::Sub": "${ModelBucket.Arn}/models/*"}},
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": {"Fn::GetAtt": ["ModelBucket", "Arn"]}},
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": {"Fn::GetAtt": ["ApiLogGroup", "Arn"]},
        },
    ]
    assert properties(resources, "ApiLambdaFunction")["Role"] == {"Fn::GetAtt": ["FunctionRole", "Arn"]}


def test_the_gateway_and_the_warming_call_the_alias_of_a_numbered_version(resources: dict[str, t.Any]) -> None:
    alias = properties(resources, "LiveAlias")
    ((version, _),) = of_type(resources, "AWS::Lambda::Version").items()
    assert (alias["Name"], alias["FunctionVersion"]) == ("live", {"Fn::GetAtt": [version, "Version"]})
    assert list(of_type(resources, "AWS::Lambda::Alias")) == ["LiveAlias"]
    called = [of_type(resources, "AWS::ApiGatewayV2::Integration"), of_type(resources, "AWS::Lambda::Permission")]
    called.append(of_type(resources, "AWS::Events::Rule"))
    assert [len(kind) for kind in called] == [1, 2, 1]
    for kind in called:
        for each in kind.values():
            assert '[{"Fn::GetAtt": ["ApiLambdaFunction", "Arn"]}, "live"]' in json.dumps(each)


def test_the_function_names_its_model_by_version(resources: dict[str, t.Any]) -> None:
    variables = properties(resources, "ApiLambdaFunction")["Environment"]["Variables"]
    assert variables["CARVAE_BUNDLE"] == {"Fn::Sub": "s3://${ModelBucket}/models/test-1"}


def test_the_models_bucket_is_there_before_the_function(service: Service, compiled: tuple[str, Path]) -> None:
    first = json.loads((service.folder / ".serverless" / "cloudformation-template-create-stack.json").read_text())
    assert "ModelBucketName" in first["Outputs"]
    assert "ApiLambdaFunction" not in first["Resources"]
    whole = json.loads(compiled[1].read_text())["Resources"]
    for name in ("ModelBucket", "ModelBucketPolicy"):
        assert first["Resources"][name] == whole[name]


def test_only_a_website_bucket_is_public(resources: dict[str, t.Any], switches: str) -> None:
    blocked = {}
    for name, bucket in of_type(resources, "AWS::S3::Bucket").items():
        blocks = bucket["PublicAccessBlockConfiguration"]
        assert (blocks["BlockPublicAcls"], blocks["IgnorePublicAcls"]) == (True, True)
        blocked[name] = blocks["BlockPublicPolicy"] and blocks["RestrictPublicBuckets"]
        assert "BucketEncryption" in bucket
    assert blocked == {"ServerlessDeploymentBucket": True, "ModelBucket": True, "SiteBucket": switches != "website"}


def test_the_model_bucket_keeps_versions_and_wants_tls(resources: dict[str, t.Any]) -> None:
    assert properties(resources, "ModelBucket")["VersioningConfiguration"] == {"Status": "Enabled"}
    (statement,) = properties(resources, "ModelBucketPolicy")["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_the_api_is_throttled_and_logged_without_addresses(resources: dict[str, t.Any]) -> None:
    stage = properties(resources, "HttpApiStage")
    assert stage["DefaultRouteSettings"] == {"ThrottlingRateLimit": 20, "ThrottlingBurstLimit": 40}
    line = json.loads(stage["AccessLogSettings"]["Format"])
    assert "$context.integrationErrorMessage" in line.values()
    assert {"$context.responseLatency", "$context.integrationLatency"} <= set(line.values())
    assert not re.search("sourceIp|userAgent|path", stage["AccessLogSettings"]["Format"])


def test_the_page_and_the_given_sites_alone_may_call_the_api_from_a_browser(
    resources: dict[str, t.Any], switches: str
) -> None:
    page = {"Fn::GetAtt": ["SiteBucket", "WebsiteURL"]}
    expected = {
        "plain": [],  # through CloudFront the page and the API have one name
        "website": [page, "https://one.example", "https://two.example"],
        "all": ["https://one.example"],
    }[switches]
    cors = properties(resources, "HttpApi").get("CorsConfiguration", {"AllowOrigins": []})
    assert cors["AllowOrigins"] == expected
    variables = properties(resources, "ApiLambdaFunction")["Environment"]["Variables"]
    assert variables["CARVAE_ORIGINS"] == {"Fn::Join": [",", expected]}


def test_the_function_has_its_limits(resources: dict[str, t.Any], switches: str) -> None:
    function = properties(resources, "ApiLambdaFunction")
    assert [function[name] for name in ("MemorySize", "Timeout", "EphemeralStorage")] == [1769, 29, {"Size": 512}]
    assert function.get("ReservedConcurrentExecutions") == {"plain": 10, "website": None, "all": 10}[switches]
    assert function["TracingConfig"] == {"Mode": "Active" if switches == "all" else "PassThrough"}
    assert ("SnapStart" in function) == (switches == "all")


def test_logs_end_and_alarms_watch_the_gateway_and_the_function(resources: dict[str, t.Any], switches: str) -> None:
    assert {group["RetentionInDays"] for group in of_type(resources, "AWS::Logs::LogGroup").values()} == {30}
    alarms = of_type(resources, "AWS::CloudWatch::Alarm").values()
    watched = {(alarm["Namespace"], alarm["MetricName"], alarm.get("ExtendedStatistic")) for alarm in alarms}
    assert watched == {
        ("AWS/Lambda", "Errors", None),
        ("AWS/Lambda", "Throttles", None),
        ("AWS/ApiGateway", "5xx", None),
        ("AWS/ApiGateway", "Latency", "p95"),
    }
    told = {json.dumps(alarm["AlarmActions"]) for alarm in alarms}
    topics = [f"arn:aws:sns:eu-central-1:123456789012:{name}" for name in ("one", "two")]
    assert told == {json.dumps([*topics, {"Ref": "AlarmTopic"}] if switches == "all" else [])}


def test_the_dashboard_shows_the_gateways_and_the_functions_metrics(resources: dict[str, t.Any]) -> None:
    body = properties(resources, "Dashboard")["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(body)["widgets"]
    shown = {metric[0] for widget in widgets for metric in widget["properties"]["metrics"]}
    assert shown >= {"AWS/ApiGateway", "AWS/Lambda", "carvae"}
    assert '"stage", "test"' in body  # the dimension of the app's own metrics


def test_switches_add_what_they_say_and_nothing_is_there_without(resources: dict[str, t.Any], switches: str) -> None:
    schedule = next(iter(of_type(resources, "AWS::Events::Rule").values()))
    assert schedule["State"] == ("ENABLED" if switches == "website" else "DISABLED")
    optional = {
        "AlarmTopic",
        "Budget",
        "TracingPolicy",
        "CanaryApplication",
        "CanaryConfiguration",
        "CanaryGroup",
        "CanaryRole",
    }
    assert optional & resources.keys() == (optional if switches == "all" else set())


def test_a_canary_gets_its_share_for_its_minutes_and_an_alarm_turns_it_back(
    resources: dict[str, t.Any], switches: str
) -> None:
    if switches != "all":
        assert "UpdatePolicy" not in resources["LiveAlias"]
        return
    update = resources["LiveAlias"]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
    assert update == {"ApplicationName": {"Ref": "CanaryApplication"}, "DeploymentGroupName": {"Ref": "CanaryGroup"}}
    routing = properties(resources, "CanaryConfiguration")["TrafficRoutingConfig"]["TimeBasedCanary"]
    assert routing == {"CanaryPercentage": 10, "CanaryInterval": 5}
    group = properties(resources, "CanaryGroup")
    assert {"Name": {"Ref": "ServerErrorAlarm"}} in group["AlarmConfiguration"]["Alarms"]
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]


def test_a_budget_tells_the_same_address(resources: dict[str, t.Any], switches: str) -> None:
    if switches != "all":
        return
    budget = properties(resources, "Budget")
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 50, "Unit": "USD"}
    told = {who["Address"] for each in budget["NotificationsWithSubscribers"] for who in each["Subscribers"]}
    assert told == {"me@cars.example"}
    assert properties(resources, "AlarmTopic")["Subscription"] == [{"Protocol": "email", "Endpoint": "me@cars.example"}]


def test_the_page_is_read_by_everyone_or_by_cloudfront_alone(resources: dict[str, t.Any], switches: str) -> None:
    (statement,) = properties(resources, "SiteBucketPolicy")["PolicyDocument"]["Statement"]
    assert statement["Action"] == "s3:GetObject"
    if switches == "website":
        assert statement["Principal"] == "*"
        assert "Distribution" not in resources
        return
    assert statement["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert "aws:SourceArn" in statement["Condition"]["StringEquals"]


def test_one_name_serves_page_and_api_by_https(resources: dict[str, t.Any], switches: str) -> None:
    if switches == "website":
        return
    distribution = properties(resources, "Distribution")["DistributionConfig"]
    paths = {behaviour["PathPattern"]: behaviour for behaviour in distribution["CacheBehaviors"]}
    assert list(paths) == ["/api/random", "/api/*", "/car/*"]  # the first that matches is taken
    every = [distribution["DefaultCacheBehavior"], *paths.values()]
    assert {behaviour["ViewerProtocolPolicy"] for behaviour in every} == {"redirect-to-https"}
    assert [behaviour["TargetOriginId"] for behaviour in every] == ["site", "api", "api", "api"]
    assert "POST" in paths["/api/*"]["AllowedMethods"]
    origin = next(origin for origin in distribution["Origins"] if origin["Id"] == "api")
    assert origin["DomainName"]["Fn::Sub"].startswith("${HttpApi}.execute-api.")
    assert origin["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"


def test_the_edge_keeps_cars_by_query_and_form_for_as_long_as_the_answer_says(
    resources: dict[str, t.Any], switches: str
) -> None:
    if switches == "website":
        return
    policy = properties(resources, "CarsCache")["CachePolicyConfig"]
    assert (policy["MinTTL"], policy["DefaultTTL"]) == (0, 0)  # without a word from the API, nothing
    key = policy["ParametersInCacheKeyAndForwardedToOrigin"]
    assert key["QueryStringsConfig"] == {"QueryStringBehavior": "all"}
    assert key["HeadersConfig"] == {"HeaderBehavior": "whitelist", "Headers": ["Accept"]}
    paths = properties(resources, "Distribution")["DistributionConfig"]["CacheBehaviors"]
    assert paths[0]["CachePolicyId"] == {"Ref": "CarsCache"}
    assert paths[1]["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"  # nothing else is kept


@pytest.mark.parametrize(
    ("asked", "passed"),
    [
        ("/api/random", "/random"),
        ("/api/openapi.json", "/openapi.json"),
        ("/apiary", "/apiary"),
        ("/car/1.0", "/car/1.0"),
    ],
)
def test_the_api_is_asked_for_its_own_paths(
    resources: dict[str, t.Any], switches: str, asked: str, passed: str
) -> None:
    if switches == "website":
        return
    code = properties(resources, "ApiPath")["FunctionCode"]
    program = f"{code}\nconsole.log(handler({{ request: {{ uri: {json.dumps(asked)} }} }}).uri)"
    result = subprocess.run(["node", "-e", program], check=True, capture_output=True, text=True)
    assert result.stdout.strip() == passed


def test_a_domain_comes_with_its_certificate(template: dict[str, t.Any], switches: str) -> None:
    if switches != "all":
        return
    distribution = properties(template["Resources"], "Distribution")["DistributionConfig"]
    assert distribution["Aliases"] == ["cars.example"]
    assert distribution["ViewerCertificate"]["AcmCertificateArn"] == CERTIFICATE
    assert template["Outputs"]["SiteUrl"]["Value"] == "https://cars.example"


def test_names_that_are_one_per_account_have_the_region(resources: dict[str, t.Any], switches: str) -> None:
    if switches == "website":
        return
    names = [
        properties(resources, "OriginAccess")["OriginAccessControlConfig"]["Name"],
        properties(resources, "SecurityHeaders")["ResponseHeadersPolicyConfig"]["Name"],
        properties(resources, "CarsCache")["CachePolicyConfig"]["Name"],
        properties(resources, "ApiPath")["Name"],
    ]
    assert all("${AWS::Region}" in name["Fn::Sub"] for name in names)


def test_a_bundle_that_is_not_there_is_named(service: Service) -> None:
    result = service.package("bundle=build/nowhere")
    assert result.returncode != 0
    assert "--param=bundle=build/nowhere: no manifest.json there" in result.stdout + result.stderr


def test_an_image_takes_no_archive_and_is_one_that_lambda_takes(service: Service) -> None:
    command = ["npx", "--no-install", "sls", "print", "--stage", "test", "--format", "json"]
    params = ["--param=package=image", "--param=architecture=arm64"]
    result = subprocess.run([*command, *params], check=True, cwd=service.folder, capture_output=True, text=True)
    printed = json.loads(result.stdout)
    assert printed["functions"]["api"]["image"] == {"name": "carvae"}
    assert printed["functions"]["api"].get("handler") is None
    image = printed["provider"]["ecr"]["images"]["carvae"]
    assert (image["platform"], image["provenance"]) == ("linux/arm64", "false")
