"""The local HTTP server: waitress, bounded against slow and many clients, its own errors as problems, too."""

import contextlib
import ctypes
import errno
import json
import socket
import time
import typing as t

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import create_server
from waitress.task import ErrorTask
from waitress.utilities import RequestEntityTooLarge

from handler.admission import WAITING

#: Seconds within which a request must have come in whole, however slowly its bytes follow each other.
RECEIVE_S = 20

#: Connections at once; a slow client holds one, never a thread.
CONNECTIONS = 1000

#: Threads for what needs no model while all others compute or wait for their turn.
SPARE_THREADS = 4

#: Bodies above it are not even received; below it the app says by how much they are too large.
MAX_BODY = 16_000_000

#: Bytes of all headers of a request. Joining them takes quadratic time.
MAX_HEADERS = 16_000

#: glibc's M_ARENA_MAX.
_ARENA_MAX = -8


class ProblemTask(ErrorTask):  # type: ignore[misc]
    """What waitress itself refuses, as problem+json."""

    def execute(self) -> None:
        """Write the problem and close the connection."""
        error = self.request.error
        # The text may repeat what was sent, so it stays short; JSON escapes the rest.
        problem = {"type": "about:blank", "title": error.reason, "status": error.code, "detail": str(error.body)[:200]}
        body = json.dumps(problem).encode() + b"\n"
        self.status = f"{error.code} {error.reason}"
        self.response_headers += [
            ("Content-Type", "application/problem+json"),
            ("X-Content-Type-Options", "nosniff"),
            ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
        ]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class Parser(HTTPRequestParser):  # type: ignore[misc]
    """Refuses a chunk by the size that it announces, as it does a body, instead of waiting for its bytes."""

    completed: bool

    def received(self, data: bytes) -> int:
        """Take bytes of the request; returns how many were used."""
        taken = int(super().received(data))
        if not self.completed and getattr(self.body_rcv, "chunk_remainder", 0) > MAX_BODY:
            self.error = RequestEntityTooLarge(f"exceeds max_body of {MAX_BODY}")
            self.completed = True
        return taken


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection that must deliver each request within `RECEIVE_S`."""

    error_task_class = ProblemTask
    parser_class = Parser
    began: float | None = None

    def received(self, data: bytes) -> bool:
        """Take bytes of a connection, and close it after the deadline, which begins with a request's first byte.

        Returns whether any were used.
        """
        if self.began is None:
            self.began = time.monotonic()
        taken = bool(super().received(data))
        if self.request is None:
            self.began = None
        elif time.monotonic() - self.began > RECEIVE_S:
            self.will_close = True
        return taken


def create(app: t.Any, listener: socket.socket, concurrency: int) -> t.Any:
    """Make a server of `app` on a bound socket; its ``run()`` serves until an interrupt.

    Parameters
    ----------
    app : WSGI application
        Answers the requests.
    listener : socket
        Where they come in.
    concurrency : int
        Requests that compute at once (`handler.settings.Settings.concurrency`); threads for those that wait and
        for the quick ones come on top.
    """
    server = create_server(
        app,
        sockets=[listener],
        ident="carvae",
        threads=concurrency + WAITING + SPARE_THREADS,
        connection_limit=CONNECTIONS,
        channel_timeout=RECEIVE_S,
        cleanup_interval=5,
        max_request_body_size=MAX_BODY,
        max_request_header_size=MAX_HEADERS,
        asyncore_use_poll=True,  # select() ends at 1024 descriptors
    )
    server.channel_class = Channel
    return server


def bound_heaps() -> None:
    """Let the threads share two heaps: by default each keeps its own, with room for the largest upload it saw."""
    with contextlib.suppress(AttributeError):  # glibc alone has it
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 2)


def listen(host: str, port: int) -> socket.socket | str:
    """Bind an address; returns the socket, or in a sentence what prevents it."""
    try:
        return socket.create_server((host, port))
    except OSError as error:
        reason = "is in use; choose another with --port" if error.errno == errno.EADDRINUSE else error.strerror
        return f"{host}:{port} {reason}"
