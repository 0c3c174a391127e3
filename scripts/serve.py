"""Serve the API and the page on one address of this machine.

    python scripts/serve.py --bundle build/bundle --port 8000
    python scripts/serve.py --bundle build/bundle --processes 4

``GET /`` is the page for a browser and the API's discovery for any other client. Other settings (CARVAE_THREADS,
CARVAE_ORIGINS, ...) come from the environment as they do on AWS. Each process has a model and limits of its own; on
many cores several answer more requests than one.
"""

import argparse
import dataclasses
import functools
import logging
import math
import os
import pathlib
import signal
import socket
import sys
from collections.abc import Callable

from handler import logs
from handler.app import create_app
from handler.loading import Loader
from handler.settings import Settings, SettingsError
from server import connections, page, processes

ROOT = pathlib.Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    default = os.environ.get("CARVAE_BUNDLE", "build/bundle")
    parser.add_argument("--bundle", default=default, help="model bundle, a folder or s3:// (%(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=_port, default=8000, help="port, 0 for any free one (%(default)s)")
    parser.add_argument("--processes", type=_count, default=1, help="1 to 64; one per core is enough (%(default)s)")
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
        settings = _settings(args.bundle, args.processes)
    except SettingsError as error:
        return _fail(str(error))
    if args.processes == 1:
        status = _serve(listener, settings)
    else:
        status = processes.run(args.processes, listener, functools.partial(_serve, listener, settings))
    if not status:
        print("\nstopped")
    sys.stdout.flush()
    # At once: a thread in the middle of importing torch would crash in the interpreter's own clean-up.
    os._exit(status)


def _settings(bundle: str, count: int) -> Settings:
    """From the environment; `count` processes share the cores."""
    settings = Settings.from_environment(os.environ | {"CARVAE_BUNDLE": bundle})
    if count == 1:
        return settings
    if settings.rate:
        rate = f"CARVAE_RATE={settings.rate}"
        raise SettingsError(f"{rate}: {count} processes can't count together; expected --processes 1")
    if "CARVAE_CONCURRENCY" in os.environ:
        return settings
    # By default it is one more than there are cores.
    return dataclasses.replace(settings, concurrency=math.ceil((settings.concurrency - 1) / count) + 1)


def _serve(
    listener: socket.socket, settings: Settings, *, first: bool = True, ready: Callable[[], None] = lambda: None
) -> int:
    """Serve until a signal; the first process says where. Returns the exit status."""
    try:
        failure = _served(listener, settings, first, ready)
    except KeyboardInterrupt:
        return 0
    return _fail(failure) if failure else 0


def _served(listener: socket.socket, settings: Settings, first: bool, ready: Callable[[], None]) -> str | None:
    """Load the model and serve it; returns what went wrong, if anything did."""
    app = create_app(settings)
    loader: Loader = app.extensions["carvae"]
    if first:
        print(f"loading the model from {settings.bundle}", flush=True)
    loader.wait(120)
    if loader.model is None:
        return "there is no model to serve" if loader.detail else f"{settings.bundle}: not loaded after two minutes"
    host, port = listener.getsockname()[:2]
    manifest = loader.model.manifest
    server = connections.create(page.Site(app, ROOT / "static"), listener, loader.settings.concurrency)
    signals: list[int] = []  # no Event, whose lock a second signal would wait for in the handler of the first

    def end(signum: int, _: object) -> None:
        if signals and signum != processes.PARENT_ENDS:  # asked twice: at once
            raise KeyboardInterrupt
        signals.append(signum)
        server.pull_trigger()

    for each in (signal.SIGINT, signal.SIGTERM, processes.PARENT_ENDS):
        signal.signal(each, end)
    ready()
    if first:
        print(f"{manifest.name} {manifest.version} on http://{host}:{port} (Ctrl-C ends it)", flush=True)
    connections.run(server, app.extensions["carvae-gate"], lambda: bool(signals))
    return None


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; expected 0 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of processes; expected 1 to 64")
    return int(text)


def _fail(reason: str) -> int:
    print(f"serve: {reason}", file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
