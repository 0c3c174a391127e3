"""No parser sees a header that is longer than any honest one: werkzeug's takes quadratic time for some."""

import typing as t

import pytest
from flask.testing import FlaskClient

from handler import headers

from ..reliability.description import DOCUMENT

OPERATIONS = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]


def ask(client: FlaskClient, path: str, method: str, header: str, length: int) -> t.Any:
    return client.open(path, method=method.upper(), headers={header: "a/b".ljust(length, " ") + "x"})


@pytest.mark.parametrize(("path", "method"), [*OPERATIONS, ("/nowhere", "get"), ("/random", "delete")])
@pytest.mark.parametrize("header", ["Accept", "Accept-Encoding", "Content-Type"])
def test_a_long_header_is_refused_on_every_route(client: FlaskClient, path: str, method: str, header: str) -> None:
    answer = ask(client, path, method, header, headers.LONGEST)
    assert (answer.status_code, answer.content_type) == (431, "application/problem+json")
    assert answer.json["parameter"] == header
    assert answer.json["value"] == str(headers.LONGEST + 1)
    assert answer.headers["Carvae-Request-Id"]


@pytest.mark.parametrize("name", headers.PARSED)
def test_every_header_that_is_parsed_is_bounded(client: FlaskClient, name: str) -> None:
    environ = {name: "1" + " " * headers.LONGEST}
    assert client.get("/health", environ_overrides=environ).status_code == 431


def test_a_header_of_the_greatest_length_and_headers_that_nobody_parses_are_taken(client: FlaskClient) -> None:
    assert ask(client, "/random", "get", "Accept", headers.LONGEST - 1).status_code == 406
    for name in ("Cookie", "Referer", "User-Agent", "X-Forwarded-For"):
        assert ask(client, "/health", "get", name, 9_000).status_code == 200
