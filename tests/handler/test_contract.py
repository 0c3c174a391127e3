"""``static/openapi.json`` and the app say the same."""

import io
import json
import re
import typing as t
from pathlib import Path

import jsonschema
import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from handler import images, inputs, latents
from handler.app import MAX_DIRECTIONS, MAX_FIRST

from .. import bundles
from ..reliability.description import DOCUMENT, resolved

LATENT = 3 * bundles.GRID**2


def check(answer: TestResponse, path: str) -> None:
    """Check status, content type, headers and body against the description."""
    operation = DOCUMENT["paths"][path][answer.request.method.lower()]
    assert str(answer.status_code) in operation["responses"], f"{answer.status_code} is not described"
    described = resolved(operation["responses"][str(answer.status_code)])
    assert answer.mimetype in described["content"]
    for name in described.get("headers", {}):
        assert name in answer.headers
    schema = described["content"][answer.mimetype]["schema"]
    if answer.mimetype.endswith("json"):
        jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(
            json.loads(answer.data)
        )
    elif answer.mimetype.startswith("image/"):
        Image.open(io.BytesIO(answer.data)).load()


def test_routes_and_methods_are_the_same(client: FlaskClient) -> None:
    described = {(path, method.upper()) for path, methods in DOCUMENT["paths"].items() for method in methods}
    built = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method)
        for rule in client.application.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert described == built


UPLOADS = ("/reconstruct", "/encode")
CARS = ("/car/{reference}", "/car/{reference}/preview")
GETS = ("/random", "/directions", *CARS)
ENDS = {"start": {"seed": 1, "index": 0}, "end": {"seed": 2, "index": 63, "temperature": 2}}


def forms(path: str) -> list[str]:
    (operation,) = DOCUMENT["paths"][path].values()
    return list(operation["responses"]["200"]["content"])


@pytest.mark.parametrize(("path", "form"), [(path, form) for path in DOCUMENT["paths"] for form in forms(path)])
def test_every_form_of_every_route_is_as_described(client: FlaskClient, car_png: bytes, path: str, form: str) -> None:
    headers = {"Accept": form}
    if path in UPLOADS:
        answer = client.post(path, data={"image": (io.BytesIO(car_png), "car.png")}, headers=headers)
    elif path == "/interpolate":
        answer = client.post(path, json=ENDS, headers=headers)
    elif path == "/decode":
        answer = client.post(path, json={"latents": [[0] * LATENT]}, headers=headers)
    else:
        answer = client.get(path.replace("{reference}", "7.0"), headers=headers)
    assert answer.status_code == 200
    assert answer.mimetype == form
    check(answer, path)


FAILURES: list[tuple[str, int, dict[str, t.Any]]] = [
    *[
        (path, status, request)
        for path in UPLOADS
        for status, request in (
            (400, {}),
            (406, {"headers": {"Accept": "text/html"}}),
            (413, {"data": bytes(4_500_001), "content_type": "image/png"}),
            (415, {"data": b"text", "content_type": "image/png"}),
            (422, {"data": b"\xff\xd8\xff", "content_type": "image/jpeg"}),
        )
    ],
    *[(path, 400, {"path": path.replace("{reference}", "7.0"), "query_string": "size=99"}) for path in CARS],
    *[(path, 404, {"path": path.replace("{reference}", "seven")}) for path in CARS],
    *[(path, 406, {"path": path.replace("{reference}", "7.0"), "headers": {"Accept": "image/gif"}}) for path in CARS],
    ("/random", 400, {"query_string": "count=x"}),
    ("/random", 406, {"headers": {"Accept": "text/html"}}),
    ("/random", 422, {"query_string": "count=65"}),
    ("/directions", 400, {"query_string": "count=4"}),
    ("/directions", 406, {"headers": {"Accept": "image/png"}}),
    ("/interpolate", 400, {"json": {}}),
    ("/interpolate", 406, {"headers": {"Accept": "image/jpeg"}}),
    ("/interpolate", 413, {"data": bytes(4_500_001), "content_type": "application/json"}),
    ("/interpolate", 415, {"data": b"x", "content_type": "text/plain"}),
    ("/interpolate", 422, {"query_string": "steps=33", "json": ENDS}),
    ("/decode", 400, {"json": {}}),
    ("/decode", 406, {"headers": {"Accept": "image/gif"}}),
    ("/decode", 413, {"data": bytes(4_500_001), "content_type": "application/json"}),
    ("/decode", 415, {"data": b"x", "content_type": "text/plain"}),
    ("/decode", 422, {"json": {"latents": []}}),
]


@pytest.mark.parametrize(("path", "status", "request_"), FAILURES)
def test_failures_are_as_described(client: FlaskClient, path: str, status: int, request_: dict[str, t.Any]) -> None:
    request_ = dict(request_)
    answer = client.open(request_.pop("path", path), method="GET" if path in GETS else "POST", **request_)
    assert answer.status_code == status
    check(answer, path)


def test_every_described_failure_is_tried() -> None:
    described = {
        (path, int(status))
        for path, methods in DOCUMENT["paths"].items()
        for operation in methods.values()
        for status in operation["responses"]
        if status not in ("200", "429", "503")
    }
    assert described == {(path, status) for path, status, _ in FAILURES}


def test_no_model_is_as_described(start_app: t.Callable[..., Flask], tmp_path: Path) -> None:
    client = start_app(tmp_path).test_client()
    check(client.get("/"), "/")
    check(client.get("/health"), "/health")
    for path in GETS:
        check(client.get(path.replace("{reference}", "7.0")), path)
    check(client.post("/interpolate", json=ENDS), "/interpolate")
    check(client.post("/decode", json={"latents": []}), "/decode")
    for path in UPLOADS:
        check(client.post(path, data=b"x", content_type="image/png"), path)


def test_limits_are_the_codes_own() -> None:
    schemas, paths = DOCUMENT["components"]["schemas"], DOCUMENT["paths"]
    count, first, seed, *_ = (each["schema"] for each in map(resolved, paths["/random"]["get"]["parameters"]))
    assert DOCUMENT["components"]["parameters"]["Image"]["schema"]["enum"] == list(images.INLINE)
    assert count["maximum"] == schemas["Random"]["properties"]["cars"]["maxItems"] == inputs.MAX_COUNT
    assert first["maximum"] == MAX_FIRST
    indices = (schemas["Random"]["properties"]["cars"]["items"], schemas["End"]["oneOf"][0])
    assert [each["properties"]["index"]["maximum"] for each in indices] == [latents.MAX_INDEX] * 2
    assert seed["maximum"] == latents.MAX_SEED
    assert schemas["Directions"]["properties"]["directions"]["maxItems"] == MAX_DIRECTIONS
    assert schemas["Latent"]["items"]["maximum"] == inputs.MAX_LATENT
    assert paths["/interpolate"]["post"]["parameters"][1]["schema"]["enum"] == list(latents.METHODS)
