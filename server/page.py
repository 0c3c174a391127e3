"""The page's files in front of the app: from memory, compressed for the clients that take it."""

import dataclasses
import gzip
import hashlib
import pathlib
import typing as t

from flask import Response
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from handler import headers
from handler.errors import Problem

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/markdown; charset=utf-8",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}

#: A file is worth compressing if that saves a tenth.
_WORTH = 0.9


@dataclasses.dataclass(frozen=True)
class File:
    """A file of the page: its content type, its bytes, and the same compressed, where that is smaller."""

    type: str
    plain: bytes
    packed: bytes | None

    @classmethod
    def read(cls, path: pathlib.Path) -> t.Self:
        """Read it."""
        plain = path.read_bytes()
        packed = gzip.compress(plain, mtime=0)
        kind = TYPES.get(path.suffix, "application/octet-stream")
        return cls(kind, plain, packed if len(packed) < _WORTH * len(plain) else None)

    def response(self, environ: dict[str, t.Any]) -> Response:
        """Answer a request for it."""
        codings = parse_accept_header(environ.get("HTTP_ACCEPT_ENCODING"))
        data = self.packed if self.packed and codings.quality("gzip") > 0 else self.plain
        response = Response(data, content_type=self.type)
        response.headers |= {"Cache-Control": "no-cache", "X-Frame-Options": "DENY", **_SECURITY}
        if self.packed:
            response.vary.add("Accept-Encoding")
        if data is self.packed:
            response.headers["Content-Encoding"] = "gzip"
        response.set_etag(hashlib.sha256(data).hexdigest()[:32])
        return t.cast(Response, response.make_conditional(environ))


#: The page states the rest of its policy itself; only a header can say who may frame it.
_SECURITY = {
    "Content-Security-Policy": "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Site:
    """The page's files in front of the app.

    Parameters
    ----------
    app : WSGI application
        Answers whatever is no file.
    root : Path
        Folder of the files. They are read now: whatever becomes of the folder, the page is served.
    """

    def __init__(self, app: t.Any, root: pathlib.Path) -> None:
        self._app = app
        self._files = {
            f"/{path.relative_to(root).as_posix()}": File.read(path) for path in root.rglob("*") if path.is_file()
        }

    def __call__(self, environ: dict[str, t.Any], start_response: t.Any) -> t.Any:
        """Answer a request from a file, or let the app answer it; returns the body, as WSGI has it."""
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        # The app's own description is the better answer: it has the headers of the API.
        if headers.bound(environ) or path == "/openapi.json":
            return self._app(environ, start_response)
        if path == "/":
            accept = parse_accept_header(environ.get("HTTP_ACCEPT"), MIMEAccept)
            if accept.quality("text/html") <= accept.quality("application/json"):
                return self._app(environ, _varying(start_response))
            path = "/index.html"
        file = self._files.get(path)
        if file is None:
            return self._app(environ, start_response)
        if method in ("GET", "HEAD"):
            response = file.response(environ)
        else:
            detail = f"{path} accepts GET, HEAD"
            response = Problem(405, detail, parameter="method", value=method, headers={"Allow": "GET, HEAD"}).response()
            response.headers |= _SECURITY
        if environ["PATH_INFO"] == "/":
            response.vary.add("Accept")
        return response(environ, start_response)


def _varying(start_response: t.Any) -> t.Any:
    def start(status: str, sent: list[tuple[str, str]], exc_info: t.Any = None) -> t.Any:
        return start_response(status, [*sent, ("Vary", "Accept")], exc_info)

    return start
