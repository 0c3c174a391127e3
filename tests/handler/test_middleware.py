import gzip
import json
import logging
import re
import typing as t
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

PAGE = "https://cars.example"

Start = t.Callable[..., Flask]


@pytest.fixture(scope="module")
def open_client(start_app: Start, bundle: Path) -> FlaskClient:
    """A client of an app that one page may call."""
    return start_app(bundle, origins=(PAGE, "http://localhost:8000")).test_client()


def preflight(client: FlaskClient, path: str, origin: str) -> t.Any:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    return client.options(path, headers=headers)


@pytest.mark.parametrize("path", ["/reconstruct", "/interpolate", "/encode", "/decode"])
def test_a_preflight_of_a_known_page_is_allowed(open_client: FlaskClient, path: str) -> None:
    answer = preflight(open_client, path, PAGE)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert answer.headers["Access-Control-Allow-Methods"] == answer.headers["Allow"]
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert answer.headers["Access-Control-Allow-Headers"] == "Content-Type"
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    "origin", ["https://evil.example", f"{PAGE}.evil.example", f"{PAGE}:8443", "http://cars.example", "null"]
)
def test_other_pages_are_not_allowed(open_client: FlaskClient, origin: str) -> None:
    for answer in (preflight(open_client, "/decode", origin), open_client.get("/", headers={"Origin": origin})):
        assert answer.status_code == 200
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Origin" in answer.headers["Vary"]


def test_a_known_page_may_read_the_answers_headers_and_errors(open_client: FlaskClient) -> None:
    answer = open_client.get("/random?seed=1", headers={"Origin": PAGE})
    exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
    for name in ("Carvae-Model-Version", "Carvae-Seed", "Carvae-Request-Id"):
        assert name in answer.headers
        assert name in exposed
    assert "Retry-After" in exposed
    for path in ("/random?count=0", "/nowhere"):
        assert open_client.get(path, headers={"Origin": PAGE}).headers["Access-Control-Allow-Origin"] == PAGE


def test_any_page_may_call_where_the_setting_says_so(start_app: Start, bundle: Path) -> None:
    answer = start_app(bundle, origins=("*",)).test_client().get("/", headers={"Origin": PAGE})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Origin" not in answer.headers.get("Vary", "")


def test_without_origins_nothing_is_allowed(client: FlaskClient) -> None:
    answer = preflight(client, "/decode", PAGE)
    assert answer.status_code == 200
    assert "Access-Control" not in str(answer.headers)


@pytest.mark.parametrize("path", ["/", "/random", "/nowhere", "/random?count=0"])
def test_security_headers_are_on_every_answer(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, t.Any]]:
    return [json.loads(text) for text in (record.getMessage() for record in caplog.records) if text.startswith("{")]


def test_a_request_is_one_line_of_json_without_its_payload(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = client.get("/random?seed=123454321")
    (line,) = lines(caplog)
    assert line["ms"] >= 0
    assert line | {"ms": 0} == {
        "request_id": answer.headers["Carvae-Request-Id"],
        "method": "GET",
        "route": "/random",
        "status": 200,
        "ms": 0,
        "cold": line["cold"],
    }
    assert "123454321" not in caplog.text


def test_a_visitors_path_stays_out_of_the_log(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    client.get("/%0aforged-line")
    (line,) = lines(caplog)
    assert (line["route"], line["status"]) == (None, 404)
    assert "forged" not in caplog.text


def test_request_ids_differ_and_the_platforms_is_kept(client: FlaskClient) -> None:
    ids = {client.get("/").headers["Carvae-Request-Id"] for _ in range(3)}
    assert len(ids) == 3
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in ids)

    class Context:
        aws_request_id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"

    answer = client.get("/", environ_overrides={"serverless.context": Context()})
    assert answer.headers["Carvae-Request-Id"] == Context.aws_request_id


def test_a_bug_is_a_500_problem_with_the_request_id_and_a_logged_traceback(
    start_app: Start, bundle: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app = start_app(bundle)
    monkeypatch.setattr("handler.images.grid", lambda _: 1 / 0)
    answer = app.test_client().get("/random", headers={"Accept": "image/png"})
    body = json.loads(answer.data)
    assert (answer.status_code, answer.content_type) == (500, "application/problem+json")
    assert answer.headers["Carvae-Request-Id"] in body["detail"]
    assert "division" not in answer.text
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info


def test_long_json_is_compressed_for_clients_that_take_it(client: FlaskClient) -> None:
    plain = client.get("/random?seed=1&count=4")
    packed = client.get("/random?seed=1&count=4", headers={"Accept-Encoding": "br, gzip;q=0.5"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) == len(packed.data) < len(plain.data)
    assert gzip.decompress(packed.data) == plain.data
    for answer in (plain, packed):
        assert "Accept-Encoding" in answer.headers["Vary"]


@pytest.mark.parametrize("coding", ["gzip;q=0", "br", "identity"])
def test_a_client_that_takes_no_gzip_gets_none(client: FlaskClient, coding: str) -> None:
    assert "Content-Encoding" not in client.get("/random?count=4", headers={"Accept-Encoding": coding}).headers


def test_images_and_short_answers_stay_as_they_are(client: FlaskClient) -> None:
    for path, accept in (("/random?count=16", "image/png"), ("/health", "application/json")):
        answer = client.get(path, headers={"Accept": accept, "Accept-Encoding": "gzip"})
        assert "Content-Encoding" not in answer.headers


def test_a_client_that_has_gone_away_costs_nothing_more(
    start_app: Start, bundle: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, car_png: bytes
) -> None:
    app = start_app(bundle)
    model = app.extensions["carvae"].model
    calls: list[str] = []
    monkeypatch.setattr(model.engine, "decode", lambda *_: calls.append("decode"))
    monkeypatch.setattr(model.engine, "encode", lambda *_: calls.append("encode"))
    caplog.clear()
    left = iter((False, False, True))  # after the upload was read and decoded
    hung_up = {"waitress.client_disconnected": lambda: next(left)}
    answer = app.test_client().post("/reconstruct", data=car_png, content_type="image/png", environ_overrides=hung_up)
    assert (answer.status_code, calls) == (499, [])
    assert [line["status"] for line in lines(caplog)] == [499]


def test_a_visitors_method_stays_out_of_the_log(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    client.open("/random", method="FORGED-LINE")
    (line,) = lines(caplog)
    assert (line["method"], line["status"]) == (None, 405)
    assert "FORGED" not in caplog.text


def test_a_refused_form_varies_with_accept(client: FlaskClient) -> None:
    answer = client.get("/random", headers={"Accept": "text/html"})
    assert answer.status_code == 406
    assert "Accept" in answer.vary
