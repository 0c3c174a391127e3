"""What surrounds every request: its id, its log line, timings, CORS and security headers."""

import contextlib
import gzip
import re
import secrets
import time
from collections.abc import Iterator

from flask import Flask, Response, g, request

from . import headers, logs
from .errors import CLIENT_GONE, Problem

_EXPOSED = "Carvae-Model-Version, Carvae-Seed, Carvae-Request-Id, Server-Timing, Retry-After"
#: Bytes below which compressing is not worth its time.
_WORTH_COMPRESSING = 1000

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

_PLAIN = re.compile(r"[A-Za-z0-9-]{1,64}")


@contextlib.contextmanager
def timed(name: str) -> Iterator[None]:
    """Add the block's duration to entry `name` of this request's Server-Timing; for a client that is gone, don't begin.

    Raises
    ------
    Problem
        499, if the server can tell that the client has hung up.
    """
    check_client()
    started = time.perf_counter()
    try:
        yield
    finally:
        g.timings[name] = g.timings.get(name, 0.0) + (time.perf_counter() - started) * 1000


def check_client() -> None:
    """Give up a request whose client has hung up, where the server can tell.

    Raises
    ------
    Problem
        499.
    """
    gone = request.environ.get("waitress.client_disconnected")
    if gone and gone():
        raise Problem(CLIENT_GONE, "the client has hung up")


def install(app: Flask, origins: tuple[str, ...]) -> None:
    """Surround every request of `app`; `origins` may read its answers from other sites' pages."""
    app.wsgi_app = headers.before(app.wsgi_app)  # type: ignore[method-assign]

    @app.before_request
    def begin() -> None:
        g.started = time.perf_counter()
        g.timings = {}
        g.request_id = _request_id()
        headers.check(request.environ)

    @app.after_request
    def end(response: Response) -> Response:
        response.headers["Carvae-Request-Id"] = g.request_id
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
        response.headers["Referrer-Policy"] = "no-referrer"
        if response.status_code == 406:
            response.vary.add("Accept")
        _allow_origin(response, origins)
        _compress(response)
        timings = ", ".join(f"{name};dur={ms:.1f}" for name, ms in g.timings.items())
        if timings:
            response.headers["Server-Timing"] = timings.replace("cold;", 'cold;desc="cold start";')
        line = {
            "request_id": g.request_id,
            # A method may be any word; an unknown one is the visitor's text.
            "method": request.method if request.method in _METHODS else None,
            # The rule, not the path: a path is the visitor's text.
            "route": request.url_rule.rule if request.url_rule else None,
            "status": response.status_code,
            "ms": round((time.perf_counter() - g.started) * 1000, 1),
            "cold": "cold" in g.timings,
        }
        logs.request_line(line)
        return response


def _request_id() -> str:
    """The platform's id of this invocation, so that our line and its own can be joined; else a fresh one."""
    given = getattr(request.environ.get("serverless.context"), "aws_request_id", None)
    return given if isinstance(given, str) and _PLAIN.fullmatch(given) else secrets.token_hex(8)


def _allow_origin(response: Response, origins: tuple[str, ...]) -> None:
    if not origins:
        return
    if "*" in origins:
        allowed: str | None = "*"
    else:
        response.vary.add("Origin")
        origin = request.headers.get("Origin")
        allowed = origin if origin in origins else None
    if allowed is None:
        return
    response.headers["Access-Control-Allow-Origin"] = allowed
    response.headers["Access-Control-Expose-Headers"] = _EXPOSED
    if request.method == "OPTIONS" and "Allow" in response.headers:
        response.headers["Access-Control-Allow-Methods"] = response.headers["Allow"]
        response.headers["Access-Control-Allow-Headers"] = "Content-Type"
        response.headers["Access-Control-Max-Age"] = "3600"


def _compress(response: Response) -> None:
    """Compress long JSON for clients that accept it: data URLs and latents shrink to half."""
    if response.mimetype != "application/json" or len(response.data) < _WORTH_COMPRESSING:
        return
    response.vary.add("Accept-Encoding")
    if request.accept_encodings.quality("gzip") > 0:
        response.data = gzip.compress(response.data, 5, mtime=0)
        response.headers["Content-Encoding"] = "gzip"
