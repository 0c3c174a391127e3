"""moto's stand-in for AWS in a process of its own: prints its address, serves until its input ends.

It runs in a process of its own because it warns of every resource that it skips, and warnings are errors in tests. This
module adds what a deployment needs and moto 5.2 lacks: cfn-lint's warnings don't refuse a template, a function's
version is published after the function has changed, as AWS does by the order of references, stacks are protected from
deletion, and the resources of `moto_resources` exist.
"""

import logging
import sys
import typing as t
import warnings

from moto.awslambda.models import LambdaVersion
from moto.awslambda.utils import get_backend
from moto.cloudformation import models, parsing
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult
from moto.server import ThreadedMotoServer

from . import moto_resources  # noqa: F401 - moto finds them once they are imported


def functions_first(self: t.Any, template: t.Any, parameters: t.Any = None) -> None:
    """Update a stack in two steps: its existing functions first, then everything else."""
    resources = dict(self._template["Resources"])
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Lambda::Function" and name in resources:
            resources[name] = resource
    update(self, self._template | {"Resources": resources}, parameters)
    update(self, template, parameters)


def protect(self: t.Any) -> ActionResult:
    """Answer UpdateTerminationProtection."""
    stack = self.cloudformation_backend.get_stack(self._get_param("StackName"))
    stack.enable_termination_protection = str(self._get_param("EnableTerminationProtection")).lower() == "true"
    return ActionResult({"StackId": stack.stack_id})


update = parsing.ResourceMap.update


def main() -> None:
    warnings.simplefilter("ignore")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    check = models.validate_template_cfn_lint

    def errors_only(template: str) -> list[t.Any]:
        # moto treats cfn-lint's warnings as errors, AWS doesn't; osls itself causes W3005.
        return [match for match in check(template) if match.rule.id.startswith("E")]

    models.validate_template_cfn_lint = errors_only
    parsing.ResourceMap.update = functions_first
    CloudFormationResponse.update_termination_protection = protect
    LambdaVersion.has_cfn_attr = classmethod(lambda cls, name: name == "Version")
    LambdaVersion.get_cfn_attribute = lambda self, _: str(self.version)
    LambdaVersion.physical_resource_id = property(lambda self: self.arn)
    publish = LambdaVersion.create_from_cloudformation_json.__func__

    def published(cls: t.Any, name: str, template: t.Any, account_id: str, region_name: str, **more: t.Any) -> t.Any:
        version = publish(cls, name, template, account_id, region_name, **more)
        function = get_backend(account_id, region_name).get_function(template["Properties"]["FunctionName"])
        version.arn = f"{function.function_arn}:{version.version}"
        return version

    LambdaVersion.create_from_cloudformation_json = classmethod(published)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    print(f"http://{host}:{port}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
