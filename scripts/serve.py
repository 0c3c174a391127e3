"""Serve the API and the page on one address of this machine.

    python scripts/serve.py --bundle build/bundle --port 8000

``GET /`` is the page for a browser and the API's discovery for any other client. Other settings (CARVAE_THREADS,
CARVAE_ORIGINS, ...) come from the environment as they do on AWS.
"""

import argparse
import logging
import os
import pathlib
import signal
import socket
import sys
import threading

from handler import logs
from handler.app import create_app
from handler.loading import Loader
from handler.settings import Settings, SettingsError
from server import connections, page

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
    connections.bound_heaps()
    logging.basicConfig(level=logging.WARNING)
    logs.install()
    # waitress warns about every request that waits, which says no more than /health does.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    # Both signals stop the server: a shell starts background jobs with Ctrl-C ignored.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.default_int_handler)
    # Bound before the model is loaded, so that nobody waits for that only to learn that the port is in use.
    listener = connections.listen(args.host, args.port)
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
    server = connections.create(page.Site(app, ROOT / "static"), listener, loader.settings.concurrency)
    stop = threading.Event()

    def end(*_: object) -> None:
        if stop.is_set():  # asked twice: at once
            raise KeyboardInterrupt
        stop.set()
        server.pull_trigger()

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, end)
    print(f"{manifest.name} {manifest.version} on http://{host}:{port} (Ctrl-C ends it)", flush=True)
    connections.run(server, app.extensions["carvae-gate"], stop)
    return None


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; expected 0 to 65535")
    return int(text)


def _fail(reason: str) -> int:
    print(f"serve: {reason}", file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
