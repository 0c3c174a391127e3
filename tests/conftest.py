import gc
import io
import shutil
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

import hypothesis
import pytest
from filelock import FileLock
from waitress.server import create_server

from deploy import function

from . import BUILT

# Modules that take seconds to import are imported where they are used: the process that only hands out tests also reads
# this file.
if t.TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient

ROOT = Path(__file__).parent.parent

#: The mark of the tests in a folder.
MARKS = {
    "benchmarks": "unit",
    "carvae_client": "unit",
    "deploy": "unit",
    "e2e": "browser",
    "handler": "unit",
    "model": "unit",
    "notebooks": "slow",
    "packaged": "packaged",
    "reliability": "reliability",
    "scripts": "slow",
    "server": "unit",
    "training": "slow",
}


#: In which order their files are begun.
LONGEST_FIRST = ("packaged", "slow", "browser", "reliability", "unit")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> t.Generator[None, object, object]:
    """Exempt imported objects from garbage collection, which took a seventh of the unit tests' time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by the innermost folder that `MARKS` names, unless it has a mark of its own, and sort them.

    Workers take file after file. A long file begun last would keep one of them busy while the others are done.
    """
    for item in items:
        if "function_zip" in getattr(item, "fixturenames", ()):
            item.add_marker("packaged")
        if not any(item.get_closest_marker(mark) for mark in set(MARKS.values())):
            folders = [folder.name for folder in item.path.relative_to(ROOT / "tests").parents if folder.name]
            item.add_marker(next((MARKS[name] for name in folders if name in MARKS), "slow"))
    items.sort(key=lambda item: next(rank for rank, mark in enumerate(LONGEST_FIRST) if item.get_closest_marker(mark)))


# No test is about time, and a busy machine must not fail one.
hypothesis.settings.register_profile("carvae", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("carvae")


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny bundle on disk, not to be changed."""
    from . import bundles

    return bundles.make(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture
def own_bundle(bundle: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may spoil."""
    return Path(shutil.copytree(bundle, tmp_path / "bundle"))


@pytest.fixture(scope="session")
def start_app() -> "t.Callable[..., Flask]":
    """Make an app of a bundle and wait until loading it has ended."""
    from handler.app import create_app
    from handler.settings import Settings

    def start(address: Path | str, **settings: t.Any) -> "Flask":
        app = create_app(Settings(bundle=str(address), **settings))
        app.extensions["carvae"].wait(60)
        return app

    return start


@pytest.fixture(scope="session")
def serve() -> t.Iterator[t.Callable[[t.Any], str]]:
    """Serve a WSGI app over HTTP; returns the address."""
    servers = []

    def start(app: t.Any) -> str:
        server = create_server(app, host="127.0.0.1", port=0)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.effective_port}"

    def end(server: t.Any) -> None:
        server.close()
        for channel in list(server.active_channels.values()):  # clients keep them open
            channel.handle_close()

    yield start
    for server, thread in servers:
        # In its own thread, the only one that may touch its sockets.
        server.trigger.pull_trigger(lambda server=server: end(server))
        thread.join(10)
        server.task_dispatcher.shutdown()


@pytest.fixture(scope="session")
def s3_server() -> t.Iterator[str]:
    """S3 over HTTP; returns the address."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def client(start_app: "t.Callable[..., Flask]", bundle: Path) -> "FlaskClient":
    """A client of an app with the tiny bundle."""
    return start_app(bundle).test_client()


@pytest.fixture(scope="session")
def car_png() -> bytes:
    """A drawn car, 176 x 117 pixels."""
    from . import drawings

    buffer = io.BytesIO()
    drawings.car(1).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def function_zip() -> t.Callable[[str], Path]:
    """The function of an engine for this interpreter as ``make package`` builds it, anew only where a part changed."""

    def build(engine: str) -> Path:
        BUILT.mkdir(parents=True, exist_ok=True)
        with FileLock(BUILT / f"{engine}.lock"):  # tests run in several processes
            command = [sys.executable, ROOT / "scripts" / "package.py", "--same-interpreter", "--engine", engine]
            result = subprocess.run([*command, "--out", BUILT], check=False, capture_output=True, text=True)
            assert result.returncode == 0, result.stderr
        return BUILT / f"{engine}-{function.this_architecture()}" / "function.zip"

    return build
