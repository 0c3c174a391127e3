"""The local server in a process of its own, watched from outside: is it alive, what does it cost."""

import contextlib
import gzip
import http.client
import json
import os
import pathlib
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]

#: Seconds without an answer after which it counts as lost; a busy machine may take a minute for 64 cars.
LOST_S = 300.0


#: Descriptors that the server may have, the least that a Linux gives.
DESCRIPTORS = 1024


def _few_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))


class Answer(t.NamedTuple):
    """What came back; status 0: nothing did, and the body says why."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float


class Server:
    """``scripts/serve.py`` with a bundle; a context manager.

    Parameters
    ----------
    bundle : Path
        What it serves.
    engine : str
        One of `handler.settings.ENGINES`.
    settings
        Further ``CARVAE_*`` variables, in lower case and without the prefix.
    """

    def __init__(self, bundle: pathlib.Path, engine: str = "torchscript", **settings: object) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CARVAE_")}
        environment |= {"CARVAE_ENGINE": engine, "OMP_NUM_THREADS": "1"}
        environment |= {f"CARVAE_{name.upper()}": str(value) for name, value in settings.items()}
        # The answers to millions of requests don't fit into a pipe that nobody reads.
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the server
        command = [sys.executable, str(ROOT / "scripts" / "serve.py"), "--bundle", str(bundle), "--port", "0"]
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=environment,
            start_new_session=True,
            preexec_fn=_few_descriptors,  # noqa: PLW1509 - it makes one system call
        )
        assert self._process.stdout
        for line in self._process.stdout:
            if found := re.search(r"on http://([\d.]+):(\d+)", line):
                self.address = found[1], int(found[2])
                return
        raise RuntimeError(f"the server did not start: {self.log()[-2000:]}")

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(20)
        self._process.kill()
        self._process.communicate()
        self._log.close()

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def end(self, seconds: float) -> int:
        """Tell it to end (SIGTERM) and wait so long for it; returns its exit status."""
        self._process.terminate()
        return self._process.wait(seconds)

    def log(self) -> str:
        """What it wrote to standard error."""
        self._log.seek(0)
        return self._log.read()

    def traceback(self) -> str | None:
        """The beginning of the first traceback in that, if there is any."""
        found = self.log().partition("Traceback")
        return f"a traceback in the log: {found[1]}{found[2]:.3000}" if found[1] else None

    def cpu(self) -> float:
        """Seconds of CPU that it has used."""
        fields = pathlib.Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> tuple[float, float]:
        """Megabytes of memory: now, and at most so far."""
        status = pathlib.Path(f"/proc/{self._process.pid}/status").read_text()
        now, peak = (re.search(rf"{name}:\s+(\d+) kB", status) for name in ("VmRSS", "VmHWM"))
        assert now
        assert peak
        return int(now[1]) / 1e3, int(peak[1]) / 1e3

    def descriptors(self) -> int:
        """How many files and connections it has open."""
        return len(list(pathlib.Path(f"/proc/{self._process.pid}/fd").iterdir()))

    def threads(self) -> int:
        """How many threads it has."""
        return len(list(pathlib.Path(f"/proc/{self._process.pid}/task").iterdir()))

    def connect(self, timeout: float = LOST_S) -> socket.socket:
        """A connection to it."""
        return socket.create_connection(self.address, timeout)

    def send(self, data: bytes, method: str = "GET", timeout: float = LOST_S) -> Answer:
        """Send the bytes of one request and read the answer."""
        started = time.perf_counter()
        try:
            with self.connect(timeout) as connection:
                # It may answer, and close, before it has read all.
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    connection.sendall(data)
                answer = http.client.HTTPResponse(connection, method=method)
                answer.begin()
                body = answer.read()
                headers = {name.lower(): value for name, value in answer.getheaders()}
        except (OSError, http.client.HTTPException) as error:
            return Answer(0, {}, repr(error).encode(), time.perf_counter() - started)
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        return Answer(answer.status, headers, body, time.perf_counter() - started)

    def get(self, path: str, accept: str = "application/json") -> Answer:
        """Ask for `path`."""
        return self.send(request("GET", path, {"Accept": accept}))

    def health(self) -> t.Any:
        """What ``/health`` says."""
        return json.loads(self.get("/health").body)


def request(method: str, path: str, headers: t.Mapping[str, str] | None = None, body: bytes = b"") -> bytes:
    """The bytes of a request; a length is added where the headers name none."""
    fields = {"Host": "localhost", "Connection": "close", **(headers or {})}
    if body and "Content-Length" not in fields and "Transfer-Encoding" not in fields:
        fields["Content-Length"] = str(len(body))
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
