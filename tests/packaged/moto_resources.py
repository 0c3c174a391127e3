"""Resources of an emulated stack that moto 5.2 skips: a function's alias, CloudFront's distribution and its firewall.

They have a module of their own because moto finds resources by their class's module.
"""

import typing as t
import uuid

from moto.awslambda.utils import get_backend
from moto.cloudfront.models import cloudfront_backends
from moto.core.common_models import CloudFormationModel


class Alias(CloudFormationModel):
    """An ``AWS::Lambda::Alias``."""

    def __init__(self, arn: str) -> None:
        self.arn = arn

    @property
    def physical_resource_id(self) -> str:
        return self.arn

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::Lambda::Alias"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: t.Any, account_id: str, region_name: str, **_: t.Any
    ) -> "Alias":
        properties = cloudformation_json["Properties"]
        backend = get_backend(account_id, region_name)
        names = (properties["Name"], properties["FunctionName"], properties["FunctionVersion"])
        return cls(backend.create_alias(*names, "", {}).arn)

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: "Alias",
        new_resource_name: str,
        cloudformation_json: t.Any,
        account_id: str,
        region: str,
    ) -> "Alias":
        properties = cloudformation_json["Properties"]
        names = (properties["Name"], properties["FunctionName"], properties["FunctionVersion"])
        get_backend(account_id, region).update_alias(*names, None, None)
        return original_resource

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: t.Any, account_id: str, region_name: str
    ) -> None:
        pass  # goes with its function


class Distribution(CloudFormationModel):
    """An ``AWS::CloudFront::Distribution`` that has a domain and accepts invalidations; it serves nothing."""

    def __init__(self, made: t.Any) -> None:
        self.made = made

    @property
    def physical_resource_id(self) -> str:
        return str(self.made.distribution_id)

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr == "DomainName"

    def get_cfn_attribute(self, _: str) -> str:
        return str(self.made.domain_name)

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::CloudFront::Distribution"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: t.Any, account_id: str, region_name: str, **_: t.Any
    ) -> "Distribution":
        origin = {"Id": "site", "DomainName": "site.s3.amazonaws.com"}
        behaviour = {"TargetOriginId": "site", "ViewerProtocolPolicy": "redirect-to-https"}
        least = {"Origins": {"Items": [origin]}, "DefaultCacheBehavior": behaviour}
        made, *_others = cloudfront_backends[account_id]["aws"].create_distribution(
            least | {"CallerReference": uuid.uuid4().hex}, []
        )
        return cls(made)

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource: "Distribution", *_: t.Any, **__: t.Any
    ) -> "Distribution":
        return original_resource

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: t.Any, account_id: str, region_name: str
    ) -> None:
        cloudfront_backends[account_id]["aws"].distributions.pop(resource_name, None)


class Named:
    """A resource with only a name, for the references of a distribution and a firewall's stack."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def physical_resource_id(self) -> str:
        return self.name

    @classmethod
    def has_cfn_attr(cls, _: str) -> bool:
        return True

    def get_cfn_attribute(self, attribute: str) -> str:
        return f"{self.name}.{attribute}"

    @classmethod
    def create_from_cloudformation_json(cls, resource_name: str, *_: t.Any, **__: t.Any) -> "Named":
        return cls(resource_name)

    @classmethod
    def update_from_cloudformation_json(cls, original_resource: "Named", *_: t.Any, **__: t.Any) -> "Named":
        return original_resource

    @classmethod
    def delete_from_cloudformation_json(cls, *_: t.Any, **__: t.Any) -> None:
        pass


class OriginAccessControl(Named, CloudFormationModel):
    cloudformation_type = staticmethod(lambda: "AWS::CloudFront::OriginAccessControl")


class Function(Named, CloudFormationModel):
    cloudformation_type = staticmethod(lambda: "AWS::CloudFront::Function")


class WebAcl(Named, CloudFormationModel):
    cloudformation_type = staticmethod(lambda: "AWS::WAFv2::WebACL")
