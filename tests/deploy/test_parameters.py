"""What the parameters of ``serverless.yml`` mean, asked as osls asks."""

import json
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml

from .. import osls

ROOT = Path(__file__).parent.parent.parent
DEFAULTS = yaml.safe_load((ROOT / "serverless.yml").read_text())["params"]["default"]

ASK = """
const given = JSON.parse(process.argv[1]);
const resolveVariable = async (name) => given[name.replace("param:", "")];
require("./deploy/parameters.js")({ resolveVariable }).then(
  (settings) => console.log(JSON.stringify(settings)),
  (error) => { console.error(error.stack); process.exit(1); },
);
"""


def ask(**params: str) -> "subprocess.CompletedProcess[str]":
    osls.need_node()
    command = ["node", "-e", ASK, json.dumps(DEFAULTS | params)]
    return subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)


def settings(**params: str) -> dict[str, t.Any]:
    result = ask(**params)
    assert result.returncode == 0, result.stderr
    return t.cast(dict[str, t.Any], json.loads(result.stdout))


def test_lists_on_the_command_line_have_commas() -> None:
    found = settings(alarmTopics="arn:one, arn:two", origins="https://a.example,https://b.example")
    assert found["alarmActions"] == ["arn:one", "arn:two"]
    assert found["origins"] == ["https://a.example", "https://b.example"]


def test_a_website_bucket_is_an_origin_of_its_own_beside_those_given() -> None:
    own = {"Fn::GetAtt": ["SiteBucket", "WebsiteURL"]}
    assert settings(site="website")["origins"] == [own]
    assert settings(site="website", origins="https://a.example")["origins"] == [own, "https://a.example"]


def test_numbers_and_switches_on_the_command_line_are_what_they_look_like() -> None:
    found = settings(memory="3008", warm="true", concurrency="5")
    assert (found["memory"], found["warm"], found["concurrency"]) == (3008, True, 5)


def test_no_concurrency_reserves_none() -> None:
    assert settings(concurrency="none")["concurrency"] is None


@pytest.mark.parametrize(("architecture", "platform"), [("x86_64", "linux/amd64"), ("arm64", "linux/arm64")])
def test_an_image_is_for_the_functions_architecture(architecture: str, platform: str) -> None:
    assert settings(architecture=architecture)["platform"] == platform


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"site": "bucket"}, "--param=site=bucket: expected cloudfront or website"),
        ({"architecture": "arm"}, "--param=architecture=arm: expected x86_64 or arm64"),
        ({"python": "3.11"}, "--param=python=3.11: expected 3.12 or 3.13 or 3.14"),
        ({"python": "3.14"}, "--param=python=3.14: expected 3.12 or 3.13 with engine=torchscript"),
        ({"memory": "much"}, "--param=memory=much: expected a number from 128 to 10240"),
        ({"warm": "yes"}, "--param=warm=yes: expected true or false"),
        ({"canary": "half"}, "--param=canary=half: expected none, or a share and minutes such as 10%,5min"),
        ({"domain": "cars.example"}, "expected the ARN of a certificate for cars.example in us-east-1"),
        ({"clientRate": "100", "site": "website"}, "--param=site=website: expected cloudfront"),
        ({"budget": "50"}, "--param=budget=50: expected alarmEmail beside it"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(params: dict[str, str], said: str) -> None:
    result = ask(**params)
    assert result.returncode == 1
    assert said in result.stderr
