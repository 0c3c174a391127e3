"""Functions as Lambda would run them, ready to start: ours packaged, the originals' way, and an installed tree."""

import dataclasses
import os
import pathlib
import shutil
import ssl
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import typing as t
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import trustme
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from deploy import Failure, collect
from deploy.emulated import lambda_runtime
from deploy.function import this_architecture
from handler.files import whole

from . import machine
from .command import ROOT, alone

BUILT = ROOT / "build" / "bench"

#: Environment variables for the stand-in for S3: its address, and the certificate authorities to trust.
Bucket: t.TypeAlias = dict[str, str]

#: What serverless-python-requirements does with `zip: true` when a function starts, and the model at the first call.
_ORIGINALS = """
import os, sys, tempfile, zipfile
packages = os.path.join(tempfile.gettempdir(), "requirements")
zipfile.ZipFile(os.path.join(os.environ["LAMBDA_TASK_ROOT"], ".requirements.zip")).extractall(packages)
sys.path[:0] = [packages]
import serverless_wsgi
app = None
def handler(event, context):
    global app
    if app is None:
        from handler.app import create_app
        app = create_app()
    return serverless_wsgi.handle_request(app, event, context)
"""


@dataclasses.dataclass(frozen=True)
class Function:
    """Code to start, what its environment adds, and whether its model comes from S3."""

    code: pathlib.Path
    environment: dict[str, str]
    fetched: bool


def packaged(engine: str) -> pathlib.Path:
    """The function's archive for this interpreter, built anew if a source is newer."""
    built = BUILT / f"{engine}-{this_architecture()}" / "function.zip"
    sources = [*ROOT.glob("handler/*.py"), *ROOT.glob("deploy/*.py"), *ROOT.glob("handler/requirements*.txt")]
    with alone():
        if not built.exists() or built.stat().st_mtime < max(path.stat().st_mtime for path in sources):
            print(f"packaging {engine}", file=sys.stderr, flush=True)
            command = [sys.executable, str(ROOT / "scripts" / "package.py"), "--same-interpreter"]
            command += ["--engine", engine, "--out", str(BUILT)]
            result = subprocess.run(command, check=False, capture_output=True, text=True)
            if result.returncode:
                raise Failure(f"{engine} can't be packaged: {result.stderr.strip()}")
    return built


def ours(engine: str, folder: pathlib.Path, fetched: bool = True) -> Function:
    """Our archive, unpacked into `folder` as Lambda does it before anything is timed."""
    with zipfile.ZipFile(packaged(engine)) as archive:
        archive.extractall(folder)
    return Function(folder, {"CARVAE_ENGINE": engine}, fetched)


def originals(folder: pathlib.Path) -> Function:
    """The same app with whole wheels in a deflated archive, which the function unpacks into /tmp."""
    archive = BUILT / "requirements.zip"
    with alone():
        if not archive.exists():
            print("zipping whole wheels: a minute or two, once", file=sys.stderr, flush=True)
            with whole(archive) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
                for path, source in sorted(collect.installed("torchscript").items()):
                    target.write(source, path)
    _plain(folder)
    (folder / ".requirements.zip").hardlink_to(archive)
    # Replaces our entry point, whose name the runtime gets.
    (folder / "handler" / "lambda_entry.py").write_text(_ORIGINALS)
    return Function(folder, {"CARVAE_ENGINE": "torchscript"}, True)


def installed(engine: str, folder: pathlib.Path) -> Function:
    """The same app on the packages as pip installed them, its model on disk."""
    _plain(folder)
    packages = sysconfig.get_paths()["purelib"]
    return Function(folder, {"CARVAE_ENGINE": engine, "PYTHONPATH": f"{folder}{os.pathsep}{packages}"}, False)


def _plain(folder: pathlib.Path) -> None:
    for path, file in collect.project().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, folder / path)


@contextmanager
def start(
    function: Function,
    client: pathlib.Path,
    tmp: pathlib.Path,
    bundle: pathlib.Path,
    bucket: Bucket,
    core: int | None,
) -> Iterator[tuple[lambda_runtime.RuntimeApi, "subprocess.Popen[str]", float]]:
    """Start a function on one core; the last of the three is when, by ``time.perf_counter``."""
    environment = machine.one_core() | {"CARVAE_BUNDLE": str(bundle)} | function.environment
    environment |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    if function.fetched:
        environment |= {"CARVAE_BUNDLE": "s3://models/carvae"} | bucket
    with lambda_runtime.start(function.code, client, tmp, **environment) as (api, process):
        begun = time.perf_counter()
        if core is not None:
            os.sched_setaffinity(process.pid, {core})
        yield api, process, begun


@contextmanager
def s3(bundle: pathlib.Path, latency_s: float = 0) -> Iterator[Bucket]:
    """A stand-in for S3 that has the bundle under ``s3://models/carvae``, over TLS as S3 itself.

    Its authority is trusted beside all that a system trusts: reading those is a part of a cold start.

    Parameters
    ----------
    latency_s
        Seconds before each answer.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(latency_s)
            path = bundle / pathlib.PurePosixPath(self.path.partition("?")[0]).name
            body = path.read_bytes() if path.is_file() else b"<Error><Code>NoSuchKey</Code></Error>"
            self.send_response(200 if path.is_file() else 404)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "application/octet-stream")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: t.Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    # Handshakes run in the connections' own threads, not in the accepting thread.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with tempfile.NamedTemporaryFile(suffix=".pem") as trusted:
            trusted.write(pathlib.Path(DEFAULT_CA_BUNDLE_PATH).read_bytes() + authority.cert_pem.bytes())
            trusted.flush()
            yield {"AWS_ENDPOINT_URL": f"https://localhost:{server.server_port}", "SSL_CERT_FILE": trusted.name}
    finally:
        server.shutdown()
        server.server_close()
