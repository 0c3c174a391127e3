"""What the local server refuses before a route sees it, and whom it hangs up on."""

import http.client
import json
import socket
import threading
import time
import typing as t

import pytest

from server import connections


def hello(environ: dict[str, t.Any], start_response: t.Any) -> list[bytes]:
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]


@pytest.fixture(scope="module")
def address() -> t.Iterator[tuple[str, int]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connections, "RECEIVE_S", 1)
        listener = connections.listen("127.0.0.1", 0)
        assert isinstance(listener, socket.socket)
        server = connections.create(hello, listener, 1)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        yield listener.getsockname()[:2]
        server.trigger.pull_trigger(server.close)
        thread.join(10)
        server.task_dispatcher.shutdown()


def trickle(connection: socket.socket) -> None:
    for _ in range(600):
        connection.sendall(b"a")
        time.sleep(0.05)


def ask(address: tuple[str, int], data: bytes) -> http.client.HTTPResponse:
    connection = socket.create_connection(address, 30)
    connection.sendall(data)
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    connection.close()
    return answer


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX-A: " + b"a" * 70_000 + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 26 + b"\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    ],
)
def test_what_is_no_request_is_a_problem(address: tuple[str, int], request_: bytes, status: int) -> None:
    answer = ask(address, request_)
    body = json.loads(answer.read())
    assert (answer.status, body["status"]) == (status, status)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert len(body["detail"]) <= 200


@pytest.mark.parametrize("head", [b"GET / HTTP/1.1\r\nX-A: ", b"POST / HTTP/1.1\r\nContent-Length: 9999\r\n\r\n"])
def test_a_request_that_trickles_in_is_hung_up_on(address: tuple[str, int], head: bytes) -> None:
    with socket.create_connection(address, 30) as connection:
        connection.sendall(head)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            trickle(connection)


def test_hundreds_of_connections_that_say_nothing_keep_nobody_waiting(address: tuple[str, int]) -> None:
    idle = [socket.create_connection(address, 30) for _ in range(300)]
    for connection in idle:
        connection.sendall(b"G")
    assert ask(address, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").read() == b"hello"
    for connection in idle:
        connection.close()


def test_a_port_in_use_is_said() -> None:
    taken = connections.listen("127.0.0.1", 0)
    assert isinstance(taken, socket.socket)
    with taken:
        port = taken.getsockname()[1]
        assert connections.listen("127.0.0.1", port) == f"127.0.0.1:{port} is in use; choose another with --port"
