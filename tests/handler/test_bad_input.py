"""Whatever a client gets wrong is answered with a problem that names it."""

import io
import json
import typing as t

import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.test import TestResponse, encode_multipart

from .. import bundles

LATENT = 3 * bundles.GRID**2
GOOD = [0.5] * LATENT


def check(answer: TestResponse, status: int, said: str, parameter: str | None = None) -> None:
    body = json.loads(answer.data)
    assert answer.status_code == status, body
    assert answer.content_type == "application/problem+json"
    assert body["status"] == status
    assert body["type"] == "about:blank"
    assert body["title"]
    assert said in body["detail"]
    assert body.get("parameter") == parameter
    assert "Traceback" not in answer.text


def form(**files: bytes | str) -> dict[str, t.Any]:
    """A multipart body, closed in itself: a client would read files only once."""
    fields = MultiDict(
        (name, FileStorage(io.BytesIO(part), "car.jpg") if isinstance(part, bytes) else part)
        for name, part in files.items()
    )
    boundary, body = encode_multipart(fields)
    return {"data": body, "content_type": f"multipart/form-data; boundary={boundary}"}


def huge_png() -> bytes:
    buffer = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(buffer, "PNG")
    return buffer.getvalue()


def truncated_jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((200, 100), 50).save(buffer, "JPEG")
    return buffer.getvalue()[:-2000]


UPLOADS: dict[str, tuple[dict[str, t.Any], int, str]] = {
    "no body": ({}, 400, "no image: send it as multipart field 'image' or as the body"),
    "empty raw body": ({"data": b"", "content_type": "image/png"}, 400, "no image"),
    "no such field": (form(picture=b"x"), 400, "field 'image' is missing; the form has picture"),
    "no fields": ({"data": b"", "content_type": "multipart/form-data; boundary=x"}, 400, "the form has no fields"),
    "no boundary": ({"data": b"x", "content_type": "multipart/form-data"}, 400, "the form has no fields"),
    "wrong boundary": (
        {"data": b"--y\r\n\r\nz\r\n--y--", "content_type": "multipart/form-data; boundary=x"},
        400,
        "the form has no fields",
    ),
    "no name": (
        {
            "data": b'--x\r\nContent-Disposition: form-data; filename="a.jpg"\r\n\r\nz\r\n--x--\r\n',
            "content_type": "multipart/form-data; boundary=x",
        },
        400,
        "the form has no fields",
    ),
    "text field": (form(image="car.jpg"), 400, "field 'image' is text"),
    "empty file": (form(image=b""), 400, "the file in field 'image' is empty"),
    "text called .jpg": (form(image=b"not a car at all"), 415, "got text"),
    "truncated JPEG": (form(image=truncated_jpeg()), 422, "the JPEG can't be decoded"),
    "huge dimensions": (form(image=huge_png()), 422, "20000 x 20000"),
}


@pytest.mark.parametrize("path", ["/reconstruct", "/encode"])
@pytest.mark.parametrize("case", UPLOADS)
def test_an_unusable_upload_is_refused(client: FlaskClient, path: str, case: str) -> None:
    request, status, said = UPLOADS[case]
    check(client.post(path, **request), status, said, "image")


@pytest.mark.parametrize(
    ("content_type", "got"), [("text/plain", "text/plain"), ("application/x-www-form-urlencoded", "urlencoded")]
)
def test_an_unsupported_body_is_named(client: FlaskClient, content_type: str, got: str) -> None:
    check(client.post("/encode", data=b"x=1", content_type=content_type), 415, got, "Content-Type")
    check(client.post("/interpolate", data=b"x=1", content_type=content_type), 415, got, "Content-Type")
    check(client.post("/decode", data=b"x=1", content_type=content_type), 415, got, "Content-Type")


def test_two_files_in_one_field_are_refused(client: FlaskClient, car_png: bytes) -> None:
    two = [(io.BytesIO(car_png), "a.png"), (io.BytesIO(car_png), "b.png")]
    check(client.post("/encode", data={"image": two}), 400, "holds 2 files", "image")


@pytest.mark.parametrize("size", [4_500_001, 5_000_000, 9_000_000])
def test_too_large_a_body_is_refused(client: FlaskClient, size: int) -> None:
    for path in ("/reconstruct", "/encode"):
        answer = client.post(path, data=bytes(size), content_type="image/jpeg")
        check(answer, 413, f"the request body has {size} bytes; at most 4500000", "Content-Length")
    check(client.post("/reconstruct", **form(image=bytes(size))), 413, "at most 4500000", "Content-Length")
    check(client.post("/interpolate", **form(start=bytes(size))), 413, "at most 4500000", "Content-Length")
    check(client.post("/decode", data=bytes(size), content_type="application/json"), 413, "4500000", "Content-Length")


def test_a_form_of_a_thousand_parts_is_refused(client: FlaskClient) -> None:
    check(client.post("/encode", **form(**{f"f{index}": "x" for index in range(1001)})), 413, "1000 parts")


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("count=x", 400, "count must be an integer from 1 to 64"),
        ("count=", 400, "count must be an integer"),
        ("count=1.5", 400, "count must be an integer"),
        ("count=0", 422, "count must be from 1 to 64"),
        ("count=-1", 422, "count must be from 1 to 64"),
        ("count=65", 422, "count must be from 1 to 64"),
        ("count=" + "9" * 5000, 400, "count must be an integer"),
        ("count=2&count=3", 400, "count is given 2 times"),
        ("first=-1", 422, "first must be from 0 to 4294967232"),
        ("first=4294967233", 422, "first must be from 0 to 4294967232"),
        ("first=one", 400, "first must be an integer"),
        ("seed=x", 400, "seed must be an integer"),
        ("seed=-1", 422, "seed must be from 0 to 9007199254740991"),
        (f"seed={2**53}", 422, "seed must be from 0 to 9007199254740991"),
        (f"seed={2**63}", 422, "seed must be from 0 to 9007199254740991"),
        ("temperature=hot", 400, "temperature must be a number from 0 to 2"),
        ("temperature=2.1", 422, "temperature must be from 0 to 2"),
        ("temperature=-0.1", 422, "temperature must be from 0 to 2"),
        ("temperature=nan", 422, "temperature is not a number"),
        ("temperature=inf", 422, "temperature must be from 0 to 2"),
    ],
)
def test_a_wrong_random_query_is_refused(client: FlaskClient, query: str, status: int, said: str) -> None:
    answer = client.get(f"/random?{query}")
    check(answer, status, said, query.partition("=")[0])
    assert len(json.loads(answer.data).get("value", "")) <= 80


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("steps=1", 422, "steps must be from 2 to 32"),
        ("steps=33", 422, "steps must be from 2 to 32"),
        ("steps=many", 400, "steps must be an integer"),
        ("method=cubic", 422, "method must be one of lerp, slerp"),
        ("image=jpeg", 422, "image must be one of png, webp"),
    ],
)
def test_a_wrong_interpolate_query_is_refused(client: FlaskClient, query: str, status: int, said: str) -> None:
    ends = {"start": {"latent": GOOD}, "end": {"latent": GOOD}}
    check(client.post(f"/interpolate?{query}", json=ends), status, said, query.partition("=")[0])


@pytest.mark.parametrize("path", ["/random", "/interpolate", "/reconstruct", "/encode", "/decode"])
def test_an_unknown_query_parameter_is_refused(client: FlaskClient, path: str) -> None:
    answer = client.open(f"{path}?cuont=3", method="GET" if path == "/random" else "POST")
    check(answer, 400, "unknown query parameter", "cuont")


@pytest.mark.parametrize(
    ("end", "status", "said", "parameter"),
    [
        (None, 400, "end must be an object with seed, index", "end"),
        ([1, 2], 400, "end must be an object", "end"),
        ({}, 400, "'seed' is missing in end", "seed"),
        ({"seed": 1}, 400, "'index' is missing in end", "index"),
        ({"seed": "1", "index": 0}, 400, "end.seed must be an integer", "end.seed"),
        ({"seed": True, "index": 0}, 400, "end.seed must be an integer", "end.seed"),
        ({"seed": 1.5, "index": 0}, 400, "end.seed must be an integer", "end.seed"),
        ({"seed": 2**63, "index": 0}, 422, "end.seed must be from 0 to", "end.seed"),
        ({"seed": 10**400, "index": 0}, 422, "end.seed must be from 0 to", "end.seed"),
        ({"seed": 1, "index": 2**32}, 422, "end.index must be from 0 to 4294967295", "end.index"),
        ({"seed": 1, "index": 0, "temperature": 3}, 422, "from 0 to 2", "end.temperature"),
        ({"seed": 1, "index": 0, "temperature": None}, 400, "must be a number", "end.temperature"),
        ({"seed": 1, "index": 0, "heat": 1}, 400, "end has an unknown field", "heat"),
        ({"latent": GOOD, "seed": 1}, 400, "end has an unknown field", "seed"),
        (
            {"latent": GOOD[1:]},
            422,
            f"end.latent has {LATENT - 1} numbers; this model's latents have {LATENT}",
            "end.latent",
        ),
        ({"latent": "car"}, 400, f"end.latent must be a list of {LATENT} numbers", "end.latent"),
    ],
)
def test_a_wrong_end_is_refused(client: FlaskClient, end: object, status: int, said: str, parameter: str) -> None:
    check(client.post("/interpolate", json={"start": {"latent": GOOD}, "end": end}), status, said, parameter)


def test_a_missing_end_is_named(client: FlaskClient, car_png: bytes) -> None:
    check(client.post("/interpolate", json={"start": {"latent": GOOD}}), 400, "'end' is missing in body", "end")
    check(client.post("/interpolate", **form(start=car_png)), 400, "field 'end' is missing", "end")
    check(client.post("/interpolate", **form(start=car_png, end=b"text")), 415, "got text", "end")


@pytest.mark.parametrize(
    ("latents", "status", "said", "parameter"),
    [
        ("[]", 422, "latents has 0 latents; 1 to 64", "latents"),
        (json.dumps([GOOD] * 65), 422, "latents has 65 latents", "latents"),
        ("{}", 400, "latents must be a list", "latents"),
        ("null", 400, "latents must be a list", "latents"),
        ("[0.5]", 400, f"latents[0] must be a list of {LATENT}", "latents[0]"),
        (json.dumps([GOOD, [*GOOD, 1]]), 422, f"latents[1] has {LATENT + 1} numbers", "latents[1]"),
        (json.dumps([[float("nan"), *GOOD[1:]]]), 422, "latents[0][0] is not a number", "latents[0][0]"),
        (json.dumps([[*GOOD[1:], float("inf")]]), 422, "from -1000000 to 1000000", f"latents[0][{LATENT - 1}]"),
        (json.dumps([[*GOOD[1:], 10**300]]), 422, "must be from", f"latents[0][{LATENT - 1}]"),
        (json.dumps([["1", *GOOD[1:]]]), 400, "numbers only", "latents[0][0]"),
        (json.dumps([[False, *GOOD[1:]]]), 400, "numbers only", "latents[0][0]"),
        (json.dumps([[[1], *GOOD[1:]]]), 400, "numbers only", "latents[0][0]"),
    ],
)
def test_wrong_latents_are_refused(client: FlaskClient, latents: str, status: int, said: str, parameter: str) -> None:
    answer = client.post("/decode", data=f'{{"latents": {latents}}}', content_type="application/json")
    check(answer, status, said, parameter)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"latents", b"\xff\xfe", b"[" * 100_000, b'{"latents": ' + b"9" * 5000 + b"}"],
    ids=["empty", "open", "word", "no UTF-8", "deep", "huge integer"],
)
def test_what_is_no_json_is_refused(client: FlaskClient, body: bytes) -> None:
    check(client.post("/decode", data=body, content_type="application/json"), 400, "the body is not JSON")


def test_json_of_another_shape_is_refused(client: FlaskClient) -> None:
    check(client.post("/decode", json=[GOOD]), 400, "body must be an object with latents", "body")
    check(client.post("/decode", json={"latent": [GOOD]}), 400, "'latents' is missing", "latents")
    check(client.post("/decode", json={"latents": [GOOD], "count": 1}), 400, "unknown field", "count")


@pytest.mark.parametrize(
    ("method", "path", "offered"),
    [
        ("POST", "/reconstruct", "application/json, image/png, image/webp, image/jpeg"),
        ("GET", "/random", "application/json, image/png, image/webp, image/jpeg"),
        ("POST", "/interpolate", "application/json, image/png, image/webp, image/gif"),
        ("POST", "/encode", "application/json"),
        ("POST", "/decode", "application/json, image/png, image/webp, image/jpeg"),
    ],
)
@pytest.mark.parametrize("accept", ["text/html", "image/tiff", "application/json;q=0, image/svg+xml", "nonsense"])
def test_an_unknown_form_is_refused_with_those_offered(
    client: FlaskClient, method: str, path: str, offered: str, accept: str
) -> None:
    check(client.open(path, method=method, headers={"Accept": accept}), 406, f"answers as {offered}", "Accept")


def test_an_unknown_route_is_a_problem(client: FlaskClient) -> None:
    for path in ("/cars", "/random/", "/x//random", "/random//", "/static/x", "/%0d%0aSet-Cookie:x"):
        check(client.get(path), 404, "there is no such route", "path")


@pytest.mark.parametrize(("method", "path"), [("GET", "/reconstruct"), ("POST", "/random"), ("PUT", "/health")])
def test_a_wrong_method_tells_the_right_ones(client: FlaskClient, method: str, path: str) -> None:
    answer = client.open(path, method=method)
    check(answer, 405, f"{path} accepts ", "method")
    assert answer.headers["Allow"] in ("OPTIONS, POST", "GET, HEAD, OPTIONS")


@pytest.mark.parametrize("text", ["\u0661", "0_1", "+1 ", "%201", "1_0", "1e", ".", "", "0x1", "Infinity"])
def test_a_temperature_is_written_as_a_count_is(client: FlaskClient, text: str) -> None:
    assert client.get(f"/random?temperature={text}").status_code == 400


@pytest.mark.parametrize("text", ["1", "0.5", ".5", "1.", "+1", "1e-1", "2E0"])
def test_a_temperature_is_a_decimal_number(client: FlaskClient, text: str) -> None:
    assert client.get("/random", query_string={"temperature": text}).status_code == 200


@pytest.mark.parametrize(
    "body", ['{"latents": [], "latents": [[0]]}', '{"start": {"seed": 1, "seed": 2, "index": 0}, "end": {}}']
)
def test_a_name_given_twice_is_refused(client: FlaskClient, body: str) -> None:
    answer = client.post("/decode", data=body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json["parameter"] in ("latents", "seed")


@pytest.mark.parametrize(("method", "headers"), [("POST", {}), ("GET", {"Accept": "text/html"})])
def test_an_answer_repeats_little_of_a_long_path(client: FlaskClient, method: str, headers: dict[str, str]) -> None:
    answer = client.open(f"/car/{'a' * 5_000}/preview", method=method, headers=headers)
    assert answer.status_code in (405, 406)
    assert len(answer.data) < 1_000
