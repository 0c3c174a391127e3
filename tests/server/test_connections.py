"""What the local server refuses before a route sees it, and whom it hangs up on."""

import concurrent.futures
import contextlib
import http.client
import json
import logging
import pathlib
import platform
import resource
import socket
import subprocess
import sys
import threading
import time
import typing as t

import pytest

from handler import admission
from handler.errors import Problem
from server import connections

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).resolve().parents[2]

#: What no kernel buffers for a client that doesn't read.
LARGE = 8_000_000


def hello(environ: dict[str, t.Any], start_response: t.Any) -> list[bytes]:
    environ["wsgi.input"].read()
    body = bytes(LARGE) if environ["PATH_INFO"] == "/large" else b"hello"
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


@contextlib.contextmanager
def serving() -> t.Iterator[t.Any]:
    """A server of `hello` in a thread."""
    listener = connections.listen("127.0.0.1", 0)
    assert isinstance(listener, socket.socket)
    server = connections.create(hello, listener, 1)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.trigger.pull_trigger(lambda: connections.close(server))
        thread.join(10)
        server.task_dispatcher.shutdown()


@pytest.fixture(scope="module")
def server() -> t.Iterator[t.Any]:
    with serving() as server:
        yield server


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[t.Any]:
    """A server that hangs up after a second; on a busy machine also on clients that are only slow."""
    monkeypatch.setattr(connections, "RECEIVE_S", 1)
    monkeypatch.setattr(connections, "STALLED_S", 1)
    with serving() as server:
        yield server


def at(server: t.Any) -> tuple[str, int]:
    return "127.0.0.1", int(server.effective_port)


@pytest.fixture
def address(server: t.Any) -> tuple[str, int]:
    return at(server)


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
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.0\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;a=" + b"b" * 110_000, 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1;a=b\r\nx\r\n" * 20_000, 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"A: b\r\n" * 20_000, 400),
        # These took waitress's expression for a header quadratic time.
        (b"GET / HTTP/1.1\r\nX-A:" + b" " * 15_000 + b"\x01\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX-A:" + b"\t" * 15_000 + b"\x01\r\n\r\n", 400),
    ],
)
def test_what_is_no_request_is_a_problem(address: tuple[str, int], request_: bytes, status: int) -> None:
    answer = ask(address, request_)
    body = json.loads(answer.read())
    assert (answer.status, body["status"]) == (status, status)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert len(body["detail"]) <= 200


def test_a_client_that_goes_while_it_is_refused_leaves_no_traceback(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    refuse = connections.ProblemTask.execute

    def when_gone(task: t.Any) -> None:
        task.channel.connected = False
        refuse(task)

    monkeypatch.setattr(connections.ProblemTask, "execute", when_gone)
    with caplog.at_level(logging.INFO, "waitress"), socket.create_connection(address, 30) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nno colon\r\n\r\n")
        until = time.monotonic() + 30
        while not caplog.records and time.monotonic() < until:
            time.sleep(0.05)
    assert [record.levelname for record in caplog.records] == ["INFO"], caplog.text


@pytest.mark.parametrize("head", [b"GET / HTTP/1.1\r\nX-A: ", b"POST / HTTP/1.1\r\nContent-Length: 9999\r\n\r\n"])
def test_a_request_that_trickles_in_is_hung_up_on(impatient: t.Any, head: bytes) -> None:
    with socket.create_connection(at(impatient), 30) as connection:
        connection.sendall(head)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            trickle(connection)


def test_hundreds_of_connections_that_say_nothing_keep_nobody_waiting(address: tuple[str, int]) -> None:
    with contextlib.ExitStack() as idle:
        for _ in range(300):
            idle.enter_context(socket.create_connection(address, 30)).sendall(b"G")
        assert ask(address, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").read() == b"hello"


PIPELINE = b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n" * 200


def test_requests_sent_at_once_are_answered_in_turn_and_the_last_one_answered_says_so(address: tuple[str, int]) -> None:
    with socket.create_connection(address, 30) as connection:
        connection.sendall(PIPELINE.replace(b"/large", b"/"))
        said = b"".join(iter(lambda: connection.recv(65536), b""))
    answers = said.split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [b"200"] * connections.PIPELINED
    assert [b"Connection: close" in answer for answer in answers] == [False] * (connections.PIPELINED - 1) + [True]


def test_clients_that_never_read_hold_no_thread_and_one_answer_each(server: t.Any, address: tuple[str, int]) -> None:
    with contextlib.ExitStack() as silent:
        for _ in range(60):  # more than there are threads
            silent.enter_context(socket.create_connection(address, 30)).sendall(PIPELINE)
        assert ask(address, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").read() == b"hello"
        assert max(channel.total_outbufs_len for channel in list(server.active_channels.values())) <= LARGE + 1000


def known(server: t.Any, connection: socket.socket) -> bool:
    """Whether the server still has a connection."""
    return connection.getsockname() in [channel.addr for channel in list(server.active_channels.values())]


def test_a_client_that_takes_nothing_is_hung_up_on(impatient: t.Any) -> None:
    with socket.create_connection(at(impatient), 300) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        connection.recv(1)
        assert known(impatient, connection)
        while known(impatient, connection):
            time.sleep(0.05)
        assert sum(map(len, iter(lambda: connection.recv(65536), b""))) < LARGE


def test_above_the_most_connections_the_quietest_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "connection_limit", lambda: 3)
    with serving() as server, contextlib.ExitStack() as stack:
        opened = []
        for number in range(5):
            opened.append(stack.enter_context(socket.create_connection(at(server), 300)))
            opened[0].sendall(b"G")  # never quiet
            while not known(server, opened[number]):
                time.sleep(0.01)
        assert [known(server, connection) for connection in opened] == [True, False, False, True, True]


def test_connections_are_as_many_as_there_are_descriptors_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    for hard, most in ((1024, 462), (1_000_000, connections.CONNECTIONS), (resource.RLIM_INFINITY, 1000), (64, 10)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, hard=hard: (64, hard))
        assert connections.connection_limit() == most


def test_told_to_end_it_refuses_who_waits_and_finishes_what_is_computed() -> None:
    gate, stop, computing, may_end = admission.Gate(1), threading.Event(), threading.Event(), threading.Event()

    def app(environ: dict[str, t.Any], start_response: t.Any) -> list[bytes]:
        try:
            gate.enter()
        except Problem as problem:
            start_response(str(problem.status), [("Content-Length", "0"), *problem.headers.items()])
            return [b""]
        computing.set()
        may_end.wait(300)
        gate.leave()
        return hello(environ, start_response)

    listener = connections.listen("127.0.0.1", 0)
    assert isinstance(listener, socket.socket)
    server = connections.create(app, listener, 1)
    thread = threading.Thread(target=connections.run, args=(server, gate, stop.is_set), daemon=True)
    thread.start()
    address = ("127.0.0.1", int(server.effective_port))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask, address, b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        assert computing.wait(60)
        second = pool.submit(ask, address, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        while not gate.waiting:
            time.sleep(0.01)
        stop.set()
        server.pull_trigger()
        refused = second.result(60)
        assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
        assert thread.is_alive()
        may_end.set()
        assert len(first.result(60).read()) == LARGE
    thread.join(60)
    assert not thread.is_alive()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, 10)
    server.task_dispatcher.shutdown()


def test_told_to_end_it_waits_for_nobody_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "DRAIN_S", 0.2)
    listener, stop = connections.listen("127.0.0.1", 0), threading.Event()
    assert isinstance(listener, socket.socket)
    server = connections.create(hello, listener, 1)
    thread = threading.Thread(target=connections.run, args=(server, admission.Gate(1), stop.is_set), daemon=True)
    thread.start()
    with socket.create_connection(("127.0.0.1", int(server.effective_port)), 30) as silent:
        silent.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        silent.recv(1)
        stop.set()
        thread.join(60)
        assert not thread.is_alive()
    server.task_dispatcher.shutdown()


def test_a_remark_is_written_once_a_minute(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    now = [1000.0]
    monkeypatch.setattr(connections.time, "monotonic", lambda: now[0])
    log = logging.getLogger("test_remarks")
    log.addFilter(connections.OncePerMinute())
    for second in range(120):
        now[0] = 1000.0 + second
        log.warning("remark about %s", second)
    log.warning("another")
    assert [record.getMessage() for record in caplog.records] == ["remark about 0", "remark about 60", "another"]


def test_a_port_in_use_is_said() -> None:
    taken = connections.listen("127.0.0.1", 0)
    assert isinstance(taken, socket.socket)
    with taken:
        port = taken.getsockname()[1]
        assert connections.listen("127.0.0.1", port) == f"127.0.0.1:{port} is in use; choose another with --port"


BLOCKS = """
import ctypes, pathlib
from server import connections

connections.bound_heaps()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]

def taken(size):
    block = libc.malloc(size)
    ctypes.memset(block, 1, size)
    return block

def memory():
    return int(pathlib.Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0])

before = memory()
libc.free(taken(30 << 20))
blocks = [(taken(16 << 20), taken(100_000)) for _ in range(6)]
for large, _ in blocks:
    libc.free(large)
print(memory() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators have other ways")
def test_memory_of_large_pictures_is_given_back() -> None:
    # What Pillow decodes into, one after the other, with something between that stays.
    result = subprocess.run([sys.executable, "-c", BLOCKS], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(result.stdout) < 10_000
