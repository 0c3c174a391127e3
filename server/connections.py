"""The local HTTP server: waitress with limits on slow, silent and too many clients, and problem+json for its errors."""

import contextlib
import ctypes
import errno
import json
import logging
import re
import resource
import socket
import time
import typing as t
from collections.abc import Callable

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import create_server
from waitress.task import ErrorTask
from waitress.utilities import BadRequest, RequestEntityTooLarge

from handler.admission import WAITING, Gate

#: Seconds within which a request must arrive completely, however slowly its bytes come.
RECEIVE_S = 20

#: Seconds after which an answer is given up if the client takes no byte of it, and within which it must take all.
STALLED_S = 20
SEND_S = 120

#: Connections at once; a slow client holds one, never a thread. The one that was quiet for longest makes room.
CONNECTIONS = 1000

#: Requests that one connection may have under way; the last of them closes it.
PIPELINED = 8

#: Threads for what needs no model while all others compute or wait for their turn.
SPARE_THREADS = 4

#: Bodies above it are not even received; below it the app says by how much they are too large.
MAX_BODY = 16_000_000

#: Bytes of all headers of a request, and spaces in a row in them: waitress takes quadratic time for either.
MAX_HEADERS = 16_000
_SPACES = re.compile(rb"[ \t]{100}")

#: Bytes of a chunked body that are none of its content: sizes, extensions, line ends, trailers.
MAX_FRAMING = 100_000

#: Seconds that requests have to be finished after the server was told to end.
DRAIN_S = 20

#: Seconds for which a stopping server still accepts connections, in order to refuse those in the queue.
REFUSING_S = 0.5

#: Seconds for which a remark of the server is not repeated.
QUIET_S = 60.0

#: Seconds between two calls that return free memory inside the heaps to the system.
TRIM_S = 30.0

#: mallopt's parameters: number of heaps, free bytes kept at a heap's end, least size of a block with its own mapping.
_ARENA_MAX, _TRIM_THRESHOLD, _MMAP_THRESHOLD = -8, -1, -3

#: Larger blocks return to the system when they are freed. The limit is above a tensor of 256 pixels with 32 channels,
#: which is needed again at once, and below the 16 MB blocks that Pillow decodes large pictures into.
LARGE_BLOCK = 9_000_000


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
    """Refuses requests that are slow to parse, and too large chunks by their announced size, before they come."""

    completed: bool
    path = ""  # which waitress logs when a client goes, whether or not its request could be parsed

    def parse_header(self, header_plus: bytes) -> None:
        """Parse the first line and the headers."""
        if _SPACES.search(header_plus):
            raise ParsingError("a hundred spaces in a row in the headers")
        super().parse_header(header_plus)
        # Proxies disagree about which of the two counts, so that a request could hide in another's body.
        if b"\ntransfer-encoding" in header_plus.lower() and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("both Content-Length and Transfer-Encoding")

    def received(self, data: bytes) -> int:
        """Take bytes of the request; returns how many were used."""
        taken = int(super().received(data))
        if self.chunked and self.body_rcv is not None and not self.error:
            if self.body_rcv.chunk_remainder > MAX_BODY:
                self._refuse(RequestEntityTooLarge(f"exceeds max_body of {MAX_BODY}"))
            elif self.body_bytes_received - len(self.body_rcv) > MAX_FRAMING:
                self._refuse(BadRequest(f"more than {MAX_FRAMING} bytes of chunk sizes, extensions and trailers"))
        return taken

    def _refuse(self, error: t.Any) -> None:
        self.error = error
        self.completed = True


class _Rest(HTTPRequestParser):  # type: ignore[misc]
    """Takes what comes and makes no request of it."""

    def received(self, data: bytes) -> int:
        self.completed = self.empty = True
        return len(data)


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection.

    It must deliver each request within `RECEIVE_S`. A request is started once the client has taken the previous
    answer, so a client that never reads holds one answer and no thread.
    """

    error_task_class = ProblemTask
    began: float | None = None  # when the first byte of the current request came
    answered: float | None = None  # when the latest answer was computed; the client may not have taken all of it
    waiting = False  # whether a request waits until the client has taken the previous answer

    def parser_class(self, adj: t.Any) -> HTTPRequestParser:
        """Make a parser of the next request."""
        if len(self.requests) < PIPELINED:
            return Parser(adj)
        # HTTP's way to say that the requests after this one were not looked at (RFC 9112, 9.6).
        self.requests[-1].headers["CONNECTION"] = "close"
        return _Rest(adj)

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

    def service(self) -> None:
        """Answer the next request, in a thread, unless the answer before it waits to be taken."""
        with self.outbuf_lock:
            self.waiting = bool(self.total_outbufs_len and self.connected)
        if not self.waiting:
            super().service()
            self.answered = time.monotonic()

    def handle_write(self) -> None:
        """Send what the client takes, and go on with its next request when that was all."""
        super().handle_write()
        with self.outbuf_lock:
            resume = self.waiting and not self.total_outbufs_len
            self.waiting = self.waiting and not resume
        if resume:
            self.server.add_task(self)

    def stalled(self, now: float) -> bool:
        """Tell whether its client takes nothing of an answer, or too little."""
        if not self.total_outbufs_len or (self.requests and not self.waiting):
            return False
        quiet = time.time() - self.last_activity
        return quiet > STALLED_S or (self.answered is not None and now - self.answered > SEND_S)

    def idle_since(self) -> float:
        """When its client last said or took anything; never, while an answer is computed."""
        return float("inf") if self.requests and not self.waiting else float(self.last_activity)


def create(app: t.Any, listener: socket.socket, concurrency: int) -> t.Any:
    """Make a server of `app` on a bound socket, for `run`.

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
        connection_limit=2 * CONNECTIONS,  # never reached: above ours the quietest makes room
        channel_timeout=RECEIVE_S,
        cleanup_interval=2,
        max_request_body_size=MAX_BODY,
        max_request_header_size=MAX_HEADERS,
        channel_request_lookahead=1,  # else nobody notices that a client has gone away
        log_socket_errors=False,  # clients' own
        asyncore_use_poll=True,  # select() ends at 1024 descriptors
    )
    most, maintain = connection_limit(), server.maintenance
    trimmed = time.monotonic()

    def maintenance(now: float) -> None:
        nonlocal trimmed
        maintain(now)
        if time.monotonic() - trimmed > TRIM_S:
            trim_heaps()
            trimmed = time.monotonic()
        for channel in [each for each in server.active_channels.values() if each.stalled(time.monotonic())]:
            channel.handle_close()  # at once: the rest will never be sent

    def connect(*arguments: t.Any, **options: t.Any) -> Channel:
        if len(server.active_channels) >= most:
            min(server.active_channels.values(), key=Channel.idle_since).handle_close()
        return Channel(*arguments, **options)

    server.maintenance, server.channel_class = maintenance, connect
    logging.getLogger("waitress").addFilter(OncePerMinute())
    return server


def run(server: t.Any, gate: Gate, stopped: Callable[[], bool]) -> None:
    """Serve until `stopped`; then refuse those who wait with 503, finish what is computed, and end within `DRAIN_S`."""

    def turn(seconds: float) -> None:
        wasyncore.loop(timeout=seconds, use_poll=True, map=server._map, count=1)

    while not stopped():
        turn(1)
    gate.close()
    end = time.monotonic() + DRAIN_S
    refusing = time.monotonic() + REFUSING_S
    while time.monotonic() < refusing:
        turn(0.1)
    wasyncore.dispatcher.close(server)  # the listener; what is connected stays
    while time.monotonic() < end and any(each.requests or each.total_outbufs_len for each in _channels(server)):
        turn(0.1)
    close(server)


def close(server: t.Any) -> None:
    """Close the listener, every connection and what wakes the loop; in the loop's own thread."""
    server.close()
    for channel in _channels(server):
        channel.handle_close()


def _channels(server: t.Any) -> list[Channel]:
    return list(server.active_channels.values())


class OncePerMinute(logging.Filter):
    """Passes each kind of message once per `QUIET_S`, whatever its details: a client can cause thousands."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write it."""
        now = time.monotonic()
        # Not its message: that may have an address or a path in it.
        cause = f"{record.pathname}:{record.lineno}"
        if now - self._said.get(cause, -QUIET_S) < QUIET_S:
            return False
        self._said[cause] = now
        return True


def connection_limit() -> int:
    """How many connections the process has descriptors for: each may have a body or an answer in a file."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * CONNECTIONS + 100
    able = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    resource.setrlimit(resource.RLIMIT_NOFILE, (able, hard))
    return max(10, (able - 100) // 2)


def bound_heaps() -> None:
    """Let the threads share two heaps, in which no large picture leaves a hole.

    By default each thread has a heap of its own, and blocks as large as one that was freed once come from these heaps,
    which then keep room for the largest upload they saw.
    """
    with contextlib.suppress(AttributeError):  # glibc alone has it
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_ARENA_MAX, 2)
        mallopt(_MMAP_THRESHOLD, LARGE_BLOCK)
        mallopt(_TRIM_THRESHOLD, 4 * LARGE_BLOCK)


def trim_heaps() -> None:
    """Give free memory back to the system, also that in the middle of a heap; takes some milliseconds."""
    with contextlib.suppress(AttributeError):  # glibc alone has it
        ctypes.CDLL(None).malloc_trim(0)


def listen(host: str, port: int) -> socket.socket | str:
    """Bind an address; returns the socket, or in a sentence what prevents it."""
    try:
        return socket.create_server((host, port))
    except OSError as error:
        reason = "is in use; choose another with --port" if error.errno == errno.EADDRINUSE else error.strerror
        return f"{host}:{port} {reason}"
