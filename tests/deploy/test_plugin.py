"""What deploy/plugin.js makes of the compiled template, asked as osls asks; its deployments are tests/packaged's."""

import json
import subprocess
import typing as t
from pathlib import Path

import pytest

from .. import osls

ROOT = Path(__file__).parent.parent.parent
FIREWALL = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/carvae-dev/0"

#: Ends packaging as `sls <command>` does and prints the distribution and the steps that were asked of AWS.
ASK = """
const Carvae = require("./deploy/plugin.js");
const [settings, command, firewall] = JSON.parse(process.argv[1]);
const Distribution = { Properties: { DistributionConfig: { Enabled: true } } };
const provider = { compiledCloudFormationTemplate: { Resources: { Distribution } } };
const service = { custom: { settings }, provider };
const plugin = new Carvae({ service, processedInput: { commands: [command] } }, {});
const steps = [];
plugin.step = (name) => { steps.push(name); return { firewall }; };
plugin.hooks["after:aws:package:finalize:mergeCustomProviderResources"]();
console.log(JSON.stringify([Distribution.Properties.DistributionConfig, steps]));
"""


def packaged(command: str, rate: int | None) -> t.Any:
    osls.need_node()
    line = ["node", "-e", ASK, json.dumps([{"clientRate": rate}, command, FIREWALL])]
    return json.loads(subprocess.run(line, check=True, cwd=ROOT, capture_output=True, text=True).stdout)


def test_the_rate_rule_is_attached_to_the_distribution() -> None:
    assert packaged("deploy", 100) == [{"Enabled": True, "WebACLId": FIREWALL}, ["guard"]]


@pytest.mark.parametrize(("command", "rate"), [("deploy", None), ("package", 100)])
def test_without_a_rate_or_a_deployment_no_firewall_is_made(command: str, rate: int | None) -> None:
    assert packaged(command, rate) == [{"Enabled": True}, []]
