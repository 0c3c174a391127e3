"""Serve the API and the page on one address of this machine.

    python scripts/serve.py --bundle build/bundle --port 8000

``GET /`` is the page for a browser and the API's discovery for any other client. Other settings (CARVAE_THREADS,
CARVAE_ORIGINS, ...) come from the environment as they do on AWS.
"""

import argparse
import logging
import os
import pathlib
import shutil
import signal
import socket
import sys
import tempfile
import typing as t

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header
from whitenoise import WhiteNoise
from whitenoise.compress import Compressor

from handler import logs
from handler.app import create_app
from handler.loading import Loader
from handler.settings import Settings, SettingsError
from scripts.lib import local_server

ROOT = pathlib.Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    default = os.environ.get("CARVAE_BUNDLE", "build/bundle")
    parser.add_argument("--bundle", default=default, help="model bundle, a folder or s3:// (%(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=_port, default=8000, help="port, 0 for any free one (%(default)s)")
    args = parser.parse_args()
    local_server.bound_heaps()
    logging.basicConfig(level=logging.WARNING)
    logs.install()
    # Its remark on every request that waits says no more than /health does.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    # Both end it: a shell starts what it puts into the background with Ctrl-C ignored.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.default_int_handler)
    # Bound before the model is loaded: a port in use should cost nobody that wait.
    listener = local_server.listen(args.host, args.port)
    if isinstance(listener, str):
        return _fail(listener)
    try:
        failure = _serve(listener, args.bundle)
    except SettingsError as error:
        failure = str(error)
    except KeyboardInterrupt:
        failure = None
    if failure is None:
        print("\nstopped")
    sys.stdout.flush()
    # At once: a thread in the middle of importing torch would crash in the interpreter's own clean-up.
    os._exit(_fail(failure) if failure else 0)


def _serve(listener: socket.socket, bundle: str) -> str | None:
    """Serve until Ctrl-C; returns what went wrong, if anything did."""
    app = create_app(Settings.from_environment(os.environ | {"CARVAE_BUNDLE": bundle}))
    loader: Loader = app.extensions["carvae"]
    print(f"loading the model from {bundle}", flush=True)
    loader.wait(120)
    if loader.model is None:
        return "there is no model to serve" if loader.detail else f"{bundle}: not loaded after two minutes"
    host, port = listener.getsockname()[:2]
    manifest = loader.model.manifest
    with tempfile.TemporaryDirectory(prefix="carvae-") as folder:
        site = Site(app, compress(ROOT / "static", pathlib.Path(folder)))
        server = local_server.create(site, listener, loader.settings.concurrency)
        print(f"{manifest.name} {manifest.version} on http://{host}:{port} (Ctrl-C ends it)", flush=True)
        server.run()
    return None


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

    def __call__(self, environ: dict[str, t.Any], start_response: t.Any) -> t.Any:
        """See WSGI."""
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


def _add_headers(headers: t.Any, path: str, url: str) -> None:
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; expected 0 to 65535")
    return int(text)


def _fail(reason: str) -> int:
    print(f"serve: {reason}", file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
