"""The page's files in front of the app, compressed for the clients that take it."""

import pathlib
import shutil
import typing as t

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header
from whitenoise import WhiteNoise
from whitenoise.compress import Compressor

from handler import headers


def compress(files: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """Copy the page's files, beside each its compressed twin where that is smaller; returns their folder."""
    shutil.copytree(files, folder, dirs_exist_ok=True)
    compressor = Compressor(quiet=True, use_brotli=False)
    for path in [path for path in folder.rglob("*") if path.is_file() and compressor.should_compress(path.name)]:
        list(compressor.compress(str(path)))
    return folder


class Site:
    """The page's files in front of the app.

    Parameters
    ----------
    app : WSGI application
        Answers whatever is no file.
    root : Path
        Folder of the files.
    """

    def __init__(self, app: t.Any, root: pathlib.Path) -> None:
        self._files = WhiteNoise(
            app, root=str(root), max_age=0, allow_all_origins=False, add_headers_function=_add_headers
        )
        self._app = app

    def __call__(self, environ: dict[str, t.Any], start_response: t.Any) -> t.Any:
        """Answer a request from a file, or let the app answer it; returns the body, as WSGI has it."""
        if headers.bound(environ):
            return self._app(environ, start_response)
        if environ["PATH_INFO"] == "/":
            accept = parse_accept_header(environ.get("HTTP_ACCEPT"), MIMEAccept)
            if accept.quality("text/html") > accept.quality("application/json"):
                environ["PATH_INFO"] = "/index.html"
            return self._files(environ, _chosen_by_accept(start_response))
        return self._files(environ, start_response)


def _chosen_by_accept(start_response: t.Any) -> t.Any:
    def start(status: str, headers: list[tuple[str, str]], exc_info: t.Any = None) -> t.Any:
        return start_response(status, [*headers, ("Vary", "Accept")], exc_info)

    return start


def _add_headers(sent: t.Any, path: str, url: str) -> None:
    sent["X-Content-Type-Options"] = "nosniff"
    sent["Referrer-Policy"] = "no-referrer"
