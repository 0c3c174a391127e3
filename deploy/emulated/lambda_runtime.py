"""A function as Lambda runs it: AWS's own runtime client in a process of its own, and the Runtime API that it asks."""

import contextlib
import importlib.metadata
import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import threading
import time
import typing as t
import uuid
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from deploy import Failure

PREFIX = "/2018-06-01/runtime"
CLIENT = ("awslambdaric", "simplejson", "snapshot-restore-py")
#: What AWS's runtime has beside it.
BOTO3 = ("boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "six", "urllib3")


class Report(t.NamedTuple):
    """What the runtime client posted: ``response``, ``error`` or ``init/error``, and its body."""

    kind: str
    body: t.Any


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Without these two, Nagle's algorithm and delayed acknowledgements add 40 ms to each call.
    disable_nagle_algorithm = True
    wbufsize = -1
    api: "RuntimeApi"

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # the function was killed
            super().handle()

    def do_GET(self) -> None:
        request_id, event = self.api.events.get()
        headers = {
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 30_000),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:123456789012:function:carvae",
            "Lambda-Runtime-Trace-Id": "Root=1-67891233-abcdef012345678912345678",
            "Content-Type": "application/json",
        }
        self._answer(200, json.dumps(event).encode(), headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kind = self.path.removeprefix(PREFIX).removeprefix("/invocation/")
        kind = "init/error" if kind == "/init/error" else kind.rpartition("/")[2]
        self.api.reports.put(Report(kind, json.loads(body)))
        self._answer(202, b"{}", {})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        pass


class RuntimeApi:
    """The Runtime API of one sandbox."""

    def __init__(self) -> None:
        self.events: queue.Queue[tuple[str, t.Any]] = queue.Queue()
        self.reports: queue.Queue[Report] = queue.Queue()
        handler = type("Handler", (_Handler,), {"api": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._server.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def report(self, patience: float = 300) -> Report:
        """The next report, within `patience` seconds."""
        return self.reports.get(timeout=patience)

    def invoke(self, event: t.Any, patience: float = 300) -> t.Any:
        """Hand out one event and return the function's answer to it, within `patience` seconds.

        Raises
        ------
        Failure
            If the function reports an error; the text is what it says.
        """
        self.events.put((str(uuid.uuid4()), event))
        kind, body = self.report(patience)
        if kind != "response":
            raise Failure(f"the function reports {kind}: {body}")
        return body

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def start(
    code: Path, client: Path, tmp: Path, interpreter: Sequence[str] = (), **environment: str
) -> Iterator[tuple[RuntimeApi, "subprocess.Popen[str]"]]:
    """Start the function in `code`, which it can't write to, with `tmp` for /tmp; it is killed at the end.

    Nothing is on its path but the code, the runtime client and the standard library. `interpreter` is another Python
    than this one, such as one of another architecture with what emulates it.
    """
    api = RuntimeApi()
    variables = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{code}{os.pathsep}{client}",
        "TMPDIR": str(tmp),
        "CARVAE_CACHE": str(tmp / "models"),
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "AWS_REGION": "eu-central-1",
        "AWS_LAMBDA_FUNCTION_NAME": "carvae",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
        "LAMBDA_TASK_ROOT": str(code),
        "LANG": "en_US.UTF-8",
    }
    # The interpreter below the virtual environment, and -S: no site-packages.
    python = interpreter or [getattr(sys, "_base_executable", sys.executable)]
    command = [*_read_only(code), *python, "-S", "-m", "awslambdaric", "handler.lambda_entry.handler"]
    process = subprocess.Popen(
        command, cwd=code, env=variables | environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        yield api, process
    finally:
        process.kill()
        process.communicate()
        api.close()


def _read_only(code: Path) -> list[str]:
    """A command prefix that makes a folder read-only for root, whom permissions don't stop; empty for others."""
    script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && cd "$0" && exec "$@"'
    prefix = ["unshare", "--mount", "sh", "-c", script, str(code)]
    if os.getuid() or not shutil.which("unshare"):
        return []
    return [] if subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode else prefix


def copy_client(folder: Path, packages: Sequence[str] = CLIENT) -> Path:
    """AWS's runtime client, or what else the runtime has beside the function, alone."""
    for name in packages:
        for file in importlib.metadata.distribution(name).files or []:
            if not file.as_posix().startswith("../"):
                target = folder / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(file.locate()), target)
    return folder


def peak_memory(process: "subprocess.Popen[str]") -> int:
    """The most memory that a running function has had resident, in bytes."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) * 1024
