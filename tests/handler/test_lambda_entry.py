"""The Lambda entry under API Gateway's events, payload formats 1.0 (REST) and 2.0 (HTTP)."""

import base64
import gzip
import importlib
import io
import json
import sys
import typing as t
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from handler.settings import SettingsError

EVENTS = Path(__file__).parents[2] / "deploy" / "emulated" / "events"


class Context:
    """The part of the runtime's context that the function reads."""

    aws_request_id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"


@pytest.fixture(scope="module")
def entry(bundle: Path) -> Iterator[ModuleType]:
    """The entry module, imported as the runtime does it: with the environment set."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CARVAE_BUNDLE", str(bundle))
        patch.setenv("CARVAE_ORIGINS", "https://cars.example")
        yield importlib.import_module("handler.lambda_entry")
    del sys.modules["handler.lambda_entry"]


def call(entry: ModuleType, event: str) -> dict[str, t.Any]:
    answer: dict[str, t.Any] = entry.handler(json.loads((EVENTS / f"{event}.json").read_text()), Context())
    json.dumps(answer)  # what the runtime does next
    answer["headers"] = answer.get("headers") or {k: v[0] for k, v in answer["multiValueHeaders"].items()}
    return answer


@pytest.mark.parametrize("event", ["v2-reconstruct-multipart", "v1-reconstruct-raw"])
def test_a_binary_upload_comes_back_as_an_intact_png(entry: ModuleType, event: str) -> None:
    answer = call(entry, event)
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, True)
    assert answer["headers"]["Content-Type"] == "image/png"
    image = Image.open(io.BytesIO(base64.b64decode(answer["body"], validate=True)))
    image.load()
    assert (image.format, image.size) == ("PNG", (32, 21))


@pytest.mark.parametrize("event", ["v2-random", "v1-random"])
def test_json_comes_back_compressed(entry: ModuleType, event: str) -> None:
    answer = call(entry, event)
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, True)
    assert answer["headers"]["Content-Encoding"] == "gzip"
    body = json.loads(gzip.decompress(base64.b64decode(answer["body"], validate=True)))
    assert (body["seed"], len(body["cars"])) == (7, 2)
    assert answer["headers"]["Carvae-Request-Id"] == Context.aws_request_id


@pytest.mark.parametrize("event", ["v2-no-file", "v1-no-file"])
def test_a_problem_comes_back_as_text(entry: ModuleType, event: str) -> None:
    answer = call(entry, event)
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (400, False)
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    assert json.loads(answer["body"])["parameter"] == "image"


def test_a_preflight_is_answered(entry: ModuleType) -> None:
    answer = call(entry, "v2-preflight")
    assert answer["statusCode"] == 200
    assert answer["headers"]["Access-Control-Allow-Origin"] == "https://cars.example"


def test_the_model_is_loaded_at_init(entry: ModuleType) -> None:
    assert entry.loader.state == "ready"


def test_a_wrong_setting_fails_at_init(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "handler.lambda_entry", raising=False)
    monkeypatch.setenv("CARVAE_ENGINE", "tensorflow")
    with pytest.raises(SettingsError, match="CARVAE_ENGINE='tensorflow'"):
        importlib.import_module("handler.lambda_entry")
