"""Requests that schemathesis draws from ``openapi.json``, right and wrong ones, and all its checks of the answers."""

import copy
import typing as t
from pathlib import Path

import hypothesis
import pytest
import schemathesis
from flask import Flask
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection

from handler.settings import ENGINES

from .. import bundles
from ..handler.test_contract import DOCUMENT
from . import pictures

#: Examples of each operation, engine and mode.
EXAMPLES = 8

OPERATIONS = [
    (path, method.upper(), node) for path, methods in DOCUMENT["paths"].items() for method, node in methods.items()
]
#: Without parameters and body there is nothing to get wrong.
CASES = [
    (engine, path, method, mode)
    for mode in GenerationMode
    # Wrong requests never reach an engine, so one engine is enough.
    for engine in (ENGINES if mode.is_positive else list(ENGINES)[:1])
    for path, method, node in OPERATIONS
    if mode.is_positive or "parameters" in node or "requestBody" in node
]


@pytest.fixture(scope="module")
def apps(start_app: t.Callable[..., Flask], bundle: Path) -> dict[str, Flask]:
    return {engine: start_app(bundle, engine=engine) for engine in ENGINES}


def described(app: Flask, mode: GenerationMode) -> t.Any:
    """The description, with what only this model knows and JSON Schema can't say: the length of its latents."""
    document = copy.deepcopy(DOCUMENT)
    latent = document["components"]["schemas"]["Latent"]
    latent["minItems"] = latent["maxItems"] = 3 * bundles.GRID**2
    config = schemathesis.Config.from_dict({"generation": {"mode": mode.value}})
    schema = schemathesis.openapi.from_dict(document, config=config)
    schema.app = app
    return schema


def with_pictures(case: t.Any) -> None:
    """Put pictures where the description can only say bytes."""
    picture = pictures.good("png")
    if case.media_type == "multipart/form-data":
        case.body = dict.fromkeys(case.body, picture)
    elif str(case.media_type).startswith(("image/", "application/octet-stream")):
        case.body = picture


@pytest.mark.parametrize(("engine", "path", "method", "mode"), CASES)
def test_answers_are_as_described(
    apps: dict[str, Flask], engine: str, path: str, method: str, mode: GenerationMode
) -> None:
    @hypothesis.seed(0)
    @hypothesis.settings(
        max_examples=EXAMPLES,
        database=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
        deadline=None,
    )
    @hypothesis.given(case=described(apps[engine], mode)[path][method].as_strategy(generation_mode=mode))
    def check(case: t.Any) -> None:
        if mode.is_positive:
            with_pictures(case)
        # It takes the bytes of a picture for a violation of "string".
        excluded = [negative_data_rejection] if mode.is_positive else []
        # In-process answers are not unpacked on the way.
        case.call_and_validate(headers={"Accept-Encoding": "identity"}, excluded_checks=excluded)

    check()
