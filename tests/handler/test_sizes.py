"""How large answers are: pictures in pixels, bodies in bytes."""

import base64
import io
import json
import typing as t

import numpy as np
import pytest
import serverless_wsgi
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from .. import bundles

pytestmark = pytest.mark.slow

#: What Lambda lets through, by its documentation.
LAMBDA_LIMIT = 6 * 1024 * 1024
JSON = "application/json"
LATENT = 3 * bundles.GRID**2
ENDS = {"start": {"seed": 1, "index": 0}, "end": {"seed": 1, "index": 1}}


@pytest.fixture(scope="module")
def large(start_app: t.Callable[..., Flask], tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """A client of an app whose model draws 64 pixels."""
    return start_app(bundles.make(tmp_path_factory.mktemp("large") / "bundle", size=64)).test_client()


@pytest.fixture(scope="module")
def noisy(start_app: t.Callable[..., Flask], tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """An app whose model draws 256 pixels of noise."""
    return start_app(bundles.make(tmp_path_factory.mktemp("noisy") / "bundle", size=256, noise=True))


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def sides(url: str) -> tuple[int, int]:
    return opened(base64.b64decode(url.partition(",")[2])).size


def test_pictures_of_every_route_have_the_size_asked_for(large: FlaskClient, car_png: bytes) -> None:
    rebuilt = large.post("/reconstruct?size=48", data=car_png, content_type="image/png").json
    assert [sides(rebuilt[name]) for name in ("original", "reconstruction")] == [(48, 32), (48, 32)]
    assert (rebuilt["width"], rebuilt["height"]) == (64, 43)  # what the model saw
    assert sides(large.get("/random?size=48").json["cars"][0]["image"]) == (48, 48)
    assert sides(large.post("/decode?size=48", json={"latents": [rebuilt["latent"]]}).json["images"][0]) == (48, 48)
    assert sides(large.post("/interpolate?size=48&steps=2", json=ENDS).json["frames"][1]["image"]) == (48, 48)
    for form in ("image/png", "image/gif", "image/webp"):
        answer = large.post("/interpolate?size=48&steps=2", json=ENDS, headers={"Accept": form})
        assert opened(answer.data).size == ((100, 48) if form == "image/png" else (48, 48))


@pytest.mark.parametrize("query", ["", "&size=64", "&size=1024"])
def test_pictures_are_never_enlarged(large: FlaskClient, query: str) -> None:
    assert sides(large.get(f"/random?seed=1{query}").json["cars"][0]["image"]) == (64, 64)


def test_a_smaller_picture_is_the_same_car(large: FlaskClient) -> None:
    whole, small = (
        opened(large.get(f"/random?seed=1&size={side}", headers={"Accept": "image/png"}).data) for side in (64, 32)
    )
    difference = np.asarray(whole.reduce(2), float) - np.asarray(small, float)
    assert np.abs(difference).mean() < 1


@pytest.mark.parametrize("size", ["31", "1025", "x"])
def test_a_size_out_of_range_is_named(large: FlaskClient, size: str) -> None:
    answer = large.get(f"/random?size={size}")
    assert answer.status_code in (400, 422)
    assert (answer.json["parameter"], answer.json["value"]) == ("size", size)
    assert "from 32 to 1024" in answer.json["detail"]


def test_random_cars_come_without_latents_where_they_are_not_wanted(client: FlaskClient) -> None:
    bare = client.get("/random?seed=1&count=2&latents=false").json["cars"]
    full = client.get("/random?seed=1&count=2&latents=true").json["cars"]
    assert [sorted(car) for car in bare] == [["image", "index"]] * 2
    assert bare == [{"index": car["index"], "image": car["image"]} for car in full]
    assert client.get("/random?latents=no").json["parameter"] == "latents"


def sent(app: Flask, method: str, address: str, form: str, body: t.Any = None, kind: str = JSON) -> dict[str, t.Any]:
    """What the Lambda function hands to its runtime for a request."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode() if body else b""
    path, _, query = address.partition("?")
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"accept": form, "content-type": kind, "host": "cars.example", "content-length": str(len(data))},
        "requestContext": {"http": {"method": method, "path": path, "sourceIp": "127.0.0.1"}, "stage": "$default"},
        "body": base64.b64encode(data).decode(),
        "isBase64Encoded": True,
    }
    return t.cast(dict[str, t.Any], serverless_wsgi.handle_request(app, event, {}))


LATENTS = {"latents": [[index / 64] * LATENT for index in range(64)]}

#: The most that can be asked of each route, in each of its forms.
MOST: list[tuple[str, str, str, t.Any]] = [
    *[("GET", "/random?count=64&seed=1", form, None) for form in (JSON, "image/png", "image/webp", "image/jpeg")],
    ("GET", "/random?count=64&seed=1&image=webp", JSON, None),
    *[("POST", "/decode", form, LATENTS) for form in (JSON, "image/png", "image/webp", "image/jpeg")],
    ("POST", "/decode?image=webp", JSON, LATENTS),
    *[
        ("POST", "/interpolate?steps=32&back=true", form, ENDS)
        for form in (JSON, "image/png", "image/gif", "image/webp")
    ],
    ("POST", "/interpolate?steps=32&image=webp", JSON, ENDS),
    *[("POST", "/reconstruct", form, None) for form in (JSON, "image/png", "image/webp", "image/jpeg")],
]


@pytest.mark.parametrize(("method", "address", "form", "body"), MOST)
def test_the_largest_answer_fits_through_lambda_or_is_refused_with_what_helps(
    noisy: Flask, method: str, address: str, form: str, body: t.Any, car_png: bytes
) -> None:
    upload = address.startswith("/reconstruct")
    answer = sent(noisy, method, address, form, car_png if upload else body, "image/png" if upload else JSON)
    assert len(json.dumps(answer)) <= LAMBDA_LIMIT
    if answer["statusCode"] != 200:
        assert answer["statusCode"] == 422
        problem = json.loads(base64.b64decode(answer["body"]) if answer["isBase64Encoded"] else answer["body"])
        assert "at most 6.0 MB can be sent" in problem["detail"]
        assert int(problem["value"].removesuffix(" bytes")) > 6_000_000
        for help_ in ("fewer cars or steps", "a smaller size", "image=webp" if form == JSON else "Accept: image/webp"):
            assert help_ in problem["detail"]


@pytest.mark.parametrize(
    ("method", "address", "form", "body"), [most for most in MOST if most[1].startswith(("/random", "/decode"))]
)
def test_a_smaller_size_helps(noisy: Flask, method: str, address: str, form: str, body: t.Any) -> None:
    separator = "&" if "?" in address else "?"
    answer = sent(noisy, method, f"{address}{separator}size=128", form, body)
    assert answer["statusCode"] == 200
