"""The page's files, in front of an app."""

import gzip
import json
import shutil
import typing as t
from pathlib import Path

import pytest
from werkzeug.test import Client, TestResponse

from deploy import site
from handler import headers
from server import page

STATIC = Path(__file__).parents[2] / "static"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"


def api(environ: dict[str, t.Any], start_response: t.Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"the app"]


@pytest.fixture(scope="module")
def client() -> Client:
    return Client(page.Site(api, STATIC))


def test_a_browser_gets_the_page_and_others_the_app(client: Client) -> None:
    shown = client.get("/", headers={"Accept": BROWSER})
    assert b"<html" in shown.data
    assert shown.content_type == "text/html; charset=utf-8"
    for accept in ("*/*", "application/json", ""):
        answer = client.get("/", headers={"Accept": accept})
        assert answer.data == b"the app"
        assert "Accept" in answer.vary
    assert client.get("/random").data == b"the app"


def test_no_other_site_may_frame_the_page(client: Client) -> None:
    for answer in (client.get("/", headers={"Accept": BROWSER}), client.get("/app.js")):
        assert answer.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
        assert answer.headers["X-Frame-Options"] == "DENY"


def test_the_page_outlives_its_folder(tmp_path: Path) -> None:
    # From a temporary folder it became 500 when something cleared that, while /health said ready.
    files = shutil.copytree(STATIC, tmp_path / "static")
    client = Client(page.Site(api, files))
    shutil.rmtree(files)
    assert client.get("/style.css").data == (STATIC / "style.css").read_bytes()
    assert client.get("/", headers={"Accept": BROWSER}).status_code == 200


@pytest.mark.parametrize("coding", ["gzip", "br, gzip;q=0.5", "*"])
def test_a_file_comes_compressed_to_those_who_take_it(client: Client, coding: str) -> None:
    packed = client.get("/style.css", headers={"Accept-Encoding": coding})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == (STATIC / "style.css").read_bytes()


@pytest.mark.parametrize("coding", ["gzip;q=0", "br", "identity", "*;q=0", ""])
def test_a_file_comes_as_it_is_to_those_who_take_no_gzip(client: Client, coding: str) -> None:
    plain = client.get("/style.css", headers={"Accept-Encoding": coding})
    assert "Content-Encoding" not in plain.headers
    assert plain.data == (STATIC / "style.css").read_bytes()
    assert "Accept-Encoding" in plain.vary


def test_what_a_browser_has_already_is_not_sent_again(client: Client) -> None:
    for coding in ("gzip", "identity"):
        sent = {"Accept-Encoding": coding}
        etag = client.get("/app.js", headers=sent).headers["ETag"]
        again = client.get("/app.js", headers={**sent, "If-None-Match": etag})
        assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "BREW"])
def test_another_method_is_a_problem(client: Client, method: str) -> None:
    answer = client.open("/app.js", method=method)
    assert (answer.status_code, answer.content_type) == (405, "application/problem+json")
    assert answer.headers["Allow"] == "GET, HEAD"
    assert json.loads(answer.data)["value"] == method


def test_head_has_the_headers_alone(client: Client) -> None:
    answer: TestResponse = client.head("/app.js")
    assert (answer.status_code, answer.data) == (200, b"")
    assert int(answer.headers["Content-Length"]) == (STATIC / "app.js").stat().st_size


@pytest.mark.parametrize("path", ["/", "/style.css", "/random"])
def test_a_long_header_is_the_apps_to_refuse(path: str) -> None:
    seen: list[dict[str, t.Any]] = []

    def refusing(environ: dict[str, t.Any], start_response: t.Any) -> list[bytes]:
        seen.append(environ)
        return api(environ, start_response)

    Client(page.Site(refusing, STATIC)).get(path, headers={"Accept-Encoding": " " * (headers.LONGEST + 1)})
    assert "HTTP_ACCEPT_ENCODING" not in seen[0]


def test_every_file_of_the_page_has_its_type_here_and_on_aws() -> None:
    for path in STATIC.rglob("*"):
        if path.is_file():
            assert page.TYPES[path.suffix] == site.TYPES[path.suffix]
