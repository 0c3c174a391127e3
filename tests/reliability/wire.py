"""Requests that are hardly HTTP, and those for the page's own files."""

import random

from . import mutations, pictures, server
from .case import Case

UPLOADS = ("/reconstruct", "/encode", "/decode", "/interpolate")
ROUTES = ("/", "/health", "/openapi.json", "/random", "/directions", *UPLOADS)


def draw(dice: random.Random, _: int) -> Case:
    """What is hardly HTTP: the server itself answers, or the route does."""
    image = pictures.good("png")
    head = b"POST /encode HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    plain = b"Content-Type: application/octet-stream\r\n"
    chunked = head + plain + b"Transfer-Encoding: chunked\r\n\r\n"
    odd: dict[str, tuple[bytes, set[int]]] = {
        "headers of 100 kB": (head + b"X-A: " + b"a" * 100_000 + b"\r\n\r\n", {431}),
        "ten thousand headers": (head + b"X-A: a\r\n" * 10_000 + b"\r\n", {431}),
        "two lengths": (head + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", {400}),
        "no number as length": (head + b"Content-Length: 1e3\r\n\r\n", {400}),
        "negative length": (head + b"Content-Length: -1\r\n\r\n", {400}),
        "length of 10^30": (head + b"Content-Length: 1" + b"0" * 30 + b"\r\n\r\n", {413}),
        "length and chunks": (head + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400, 415}),
        "unknown coding": (head + b"Transfer-Encoding: gzip\r\n\r\n", {501}),
        "chunked": (chunked + b"%x\r\n" % len(image) + image + b"\r\n0\r\n\r\n", {200}),
        "wrong chunk size": (chunked + b"xyz\r\nabc\r\n0\r\n\r\n", {400}),
        "chunk of 10^30": (chunked + b"f" * 26 + b"\r\n", {400, 413}),
        "chunks too large in sum": (chunked + (b"f4240\r\n" + bytes(1_000_000) + b"\r\n") * 6 + b"0\r\n\r\n", {413}),
        "space in a name": (head + b"X A: b\r\n\r\n", {400}),
        "newline in a value": (head + b"X-A: b\n c\r\n\r\n", {400}),
        "no colon": (head + b"nonsense\r\n\r\n", {400}),
        "no version": (b"GET /\r\n\r\n", {200}),
        "another version": (b"GET / HTTP/9.9\r\nConnection: close\r\n\r\n", {200, 400, 505}),
        "noise": (b"\x16\x03\x01" + dice.randbytes(200) + b"\r\n\r\n", {400}),
        "unknown method": (b"BREW /random HTTP/1.1\r\nConnection: close\r\n\r\n", {400, 405}),
        "long method": (b"G" * 5000 + b" / HTTP/1.1\r\nConnection: close\r\n\r\n", {400, 405}),
        "long path": (b"GET /" + b"a" * 15_000 + b" HTTP/1.1\r\nConnection: close\r\n\r\n", {404}),
        "climbing path": (b"GET /../../etc/passwd HTTP/1.1\r\nConnection: close\r\n\r\n", {404}),
        "encoded path": (b"GET /%2e%2e/%00%ff HTTP/1.1\r\nConnection: close\r\n\r\n", {404}),
        "another host's": (b"GET http://evil.example/random HTTP/1.1\r\nConnection: close\r\n\r\n", {200, 400, 404}),
        "body of a GET": (b"GET /health HTTP/1.1\r\nConnection: close\r\nContent-Length: 9\r\n\r\nnothing..", {200}),
        "too large": (head + plain + b"Content-Length: 5000000\r\n\r\n" + bytes(5_000_000), {413}),
        "far too large": (head + plain + b"Content-Length: 999999999\r\n\r\n" + bytes(100_000), {413}),
        "DELETE": (server.request("DELETE", "/random"), {405}),
        "no such route": (server.request("GET", "/cars"), {404}),
    }
    name = dice.choice(list(odd))
    data, expected = odd[name]
    return Case(f"wire, {name}", "POST" if data.startswith(b"POST") else "GET", "", data, frozenset(expected))


def first_line(dice: random.Random, _: int) -> Case:
    """Any method on any route, with its first line changed."""
    method = dice.choice(("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE"))
    path = dice.choice((*ROUTES, "/car/1-0/preview", "/style.css", "*"))
    line = bytearray(f"{method} {path} HTTP/1.1".encode())
    for _ in range(dice.choice((0, 1, 1, 2))):
        line = dice.choice(mutations.ALL)(dice, line)
    data = bytes(line) + b"\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    return Case("wire, first line", "HEAD" if data.startswith(b"HEAD ") else "GET", "", data)


def page(dice: random.Random, _: int) -> Case:
    """The page's files: odd methods, codings, ranges and conditions."""
    files = ("/index.html", "/style.css", "/app.js", "/icon.svg")
    path = dice.choice((*files, "/", "/vendor/../app.js", "/APP.JS", "/app.js/"))
    known = path in files
    method = dice.choice(("GET", "GET", "HEAD", "POST", "PUT", "OPTIONS"))
    name, values = dice.choice(
        (
            ("Accept-Encoding", ("gzip;q=0", "gzip;q=nan", "*;q=0, gzip", "gzip, " * 100, ";", "\xff")),
            ("Accept", ("text/html", "text/html;q=0", "*/*;q=1e9", "text/html;q=0.1, application/json")),
            ("Range", ("bytes=0-0", "bytes=-1", "bytes=5-2", "bytes=0-,0-,0-", "bytes=99999999-", "cars=1-2")),
            ("If-None-Match", ("*", '"', 'W/"x", ' * 100, "x")),
            ("If-Modified-Since", ("Mon, 01 Jan 99999 00:00:00 GMT", "0", "\xff" * 100)),
            ("If-Range", ('"x"', "Mon, 01 Jan 2024 00:00:00 +9999")),
        )
    )
    headers = {name: dice.choice(values)}
    expected = {200, 206, 304, 412, 416} if known and method in ("GET", "HEAD") else set()
    if known and method in ("POST", "PUT"):
        expected = {405}
    return Case(f"page, {name}", method, "", server.request(method, path, headers), frozenset(expected))
