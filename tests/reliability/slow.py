"""Kinds of clients that are silent or slow, by what each does with its connection."""

import contextlib
import socket
import struct
import threading
import typing as t

from .server import Server, request

_CHUNKED = request("POST", "/encode", {"Transfer-Encoding": "chunked", "Content-Type": "image/png"})
_BODY = request("POST", "/encode", {"Content-Length": "100000", "Content-Type": "image/png"})
_LARGE = b"GET /random?count=64&seed=1 HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n"
_FILE = b"GET /app.js HTTP/1.1\r\nHost: a\r\n\r\n"
_EXPECT = b"POST /encode HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 100000\r\n\r\n"


class Kind(t.NamedTuple):
    """What such a client sends first, what it sends each second after that, and whether it reads a byte then."""

    first: bytes
    then: bytes = b""
    reads: bool = False
    leaves: bool = False

    @property
    def works(self) -> bool:
        """Whether it makes the model work, so that others may be told to come back."""
        return _LARGE in self.first


KINDS: dict[str, Kind] = {
    "says nothing": Kind(b""),
    "sends half a first line": Kind(b"GET /ran"),
    "trickles a header": Kind(b"GET /random HTTP/1.1\r\nX-Slow: ", b"a"),
    "trickles many headers": Kind(b"GET /random HTTP/1.1\r\n", b"A: b\r\n"),
    "trickles a body": Kind(_BODY, b"a"),
    "trickles a chunk's extension": Kind(_CHUNKED + b"1;", b"a"),
    "is told to continue and does not": Kind(_EXPECT),
    "asks for cars and reads nothing": Kind(_LARGE),
    "asks for many things and reads nothing": Kind((_LARGE + _FILE) * 200),
    "reads an answer byte by byte": Kind(_LARGE, reads=True),
    "asks and goes away": Kind(_LARGE, leaves=True),
}


@contextlib.contextmanager
def clients(server: Server, kind: Kind, number: int) -> t.Iterator[None]:
    """Keep `number` clients of a kind busy with `server`; one that is hung up on comes back."""
    stop = threading.Event()

    def come() -> socket.socket | None:
        with contextlib.suppress(OSError):
            connection = server.connect(10)
            connection.setblocking(False)
            with contextlib.suppress(OSError):
                connection.send(kind.first)
            return connection
        return None

    def work() -> None:
        present = [come() for _ in range(number)]
        while not stop.wait(1):
            for index, connection in enumerate(present):
                if connection is None or kind.leaves or not _goes_on(connection, kind):
                    _leave(connection)
                    present[index] = come()
        for connection in present:
            _leave(connection)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _goes_on(connection: socket.socket, kind: Kind) -> bool:
    try:
        connection.send(kind.then)
        return not kind.reads or connection.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def _leave(connection: socket.socket | None) -> None:
    """Reset the connection instead of closing it properly."""
    if connection:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
