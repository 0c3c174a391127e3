"""The client against servers that answer with anything at all."""

import contextlib
import http.server
import json
import logging
import threading
import typing as t
from pathlib import Path

import pytest

from carvae_client import Client, ClientError, Refused, answers, connections
from carvae_client import client as api
from scripts.client import main

from .. import drawings

Say = t.Callable[[t.BinaryIO], None]

DEEP = b"[" * 200_000
ESCAPE = "\x1b]0;owned\x07\x1b[31m\x9b2J\u202e"


def answer(body: bytes, form: str = "image/png", status: str = "200 OK", *headers: str) -> bytes:
    """An answer that announces the connection's end, so that no request follows on a connection about to close."""
    length = f"Content-Length: {len(body)}"
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {form}", length, "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


@pytest.fixture
def server() -> t.Iterator[t.Callable[[bytes | Say], str]]:
    """Serve the same bytes whatever is asked; returns the address."""
    started = []

    def start(says: bytes | Say) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.close_connection = True
                with contextlib.suppress(OSError):  # the client has had enough
                    self.wfile.write(says) if isinstance(says, bytes) else says(t.cast(t.BinaryIO, self.wfile))

            do_POST = do_GET  # noqa: N815 - http.server's names

            def log_message(self, *_: object) -> None:
                pass

        served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=served.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        started.append((served, thread))
        return f"http://127.0.0.1:{served.server_port}"

    yield start
    for served, thread in started:
        served.shutdown()
        served.server_close()
        thread.join(10)


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that the client would have made."""
    made: list[float] = []
    monkeypatch.setattr(api.time, "sleep", made.append)
    return made


@pytest.fixture
def cars(tmp_path: Path) -> Path:
    folder = tmp_path / "cars"
    folder.mkdir()
    for seed in range(3):
        drawings.car(seed).save(folder / f"{seed}.jpg")
    return folder


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (answer(b"<html>Sign in to the hotel</html>", "text/html"), "200: the answer is text/html; expected image/png"),
        (answer(b"<html>Sign in to the hotel</html>"), "says it is image/png, but it is not"),
        (answer(b""), "200: the answer is empty; expected image/png"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "204: the answer is empty; expected image/png"),
        (answer(b"\x89PNG\r\n\x1a\n and no more"), "says it is image/png, but it is not, or is incomplete"),
        (answer(b"moved", "text/html", "302 Found", "Location: https://b.example/"), "redirects to https://b.example/"),
    ],
    ids=["html", "html called png", "empty", "204", "half", "redirect"],
)
def test_what_is_no_picture_is_not_done(
    server: t.Any, cars: Path, capsys: pytest.CaptureFixture[str], said: bytes, why: str
) -> None:
    out = cars.parent / "out"
    assert main(["reconstruct", str(cars), str(out), "--url", server(said)]) == 1
    assert list(out.iterdir()) == []
    stderr = capsys.readouterr().err
    assert "3 of 3 files came to nothing" in stderr
    assert why in stderr


@pytest.mark.parametrize("body", [b"{}", b"[1]", b'{"mean": 3, "log_variance": []}', b"{", DEEP])
def test_json_that_is_no_latent_is_not_done(
    server: t.Any, cars: Path, capsys: pytest.CaptureFixture[str], body: bytes
) -> None:
    out = cars.parent / "out"
    assert main(["encode", str(cars), str(out), "--url", server(answer(body, "application/json"))]) == 1
    assert list(out.iterdir()) == []
    assert "3 of 3 files came to nothing" in capsys.readouterr().err


def endless(start: bytes, piece: bytes, pause: float = 0) -> tuple[Say, threading.Event]:
    """Bytes until the client hangs up, which sets the event."""
    gone = threading.Event()

    def say(file: t.BinaryIO) -> None:
        try:
            file.write(start)
            while True:
                file.write(piece)
                threading.Event().wait(pause)
        finally:
            gone.set()

    return say, gone


LENGTH_UNKNOWN = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n"
CHUNKED = LENGTH_UNKNOWN[:-2] + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("status", ["200 OK", "503 Service Unavailable", "302 Found\r\nLocation: /"])
def test_a_body_without_end_is_given_up(server: t.Any, monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    monkeypatch.setattr(answers, "LARGEST_BODY", 1_000_000)
    say, gone = endless(LENGTH_UNKNOWN.replace(b"200 OK", status.encode()), b"\0" * 65_536)
    with pytest.raises(Refused, match="larger than 1,000,000 bytes"):
        Client(server(say)).random()
    assert gone.wait(30)


@pytest.mark.parametrize("start", [LENGTH_UNKNOWN, CHUNKED], ids=["plain", "chunk size"])
def test_a_body_that_drips_is_given_up(server: t.Any, monkeypatch: pytest.MonkeyPatch, start: bytes) -> None:
    monkeypatch.setattr(answers, "LONGEST_BODY_S", 0.3)
    say, gone = endless(start, b"0", 0.01)
    with pytest.raises(Refused, match=r"took longer than 0\.3 s"):
        Client(server(say)).random()
    assert gone.wait(30)


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (LENGTH_UNKNOWN[:-2] + b"A: ", b"b"),
        (b"HTTP/1.1 ", b" "),
    ],
    ids=["continue", "header", "status"],
)
def test_a_head_that_does_not_end_is_given_up(
    server: t.Any, monkeypatch: pytest.MonkeyPatch, start: bytes, piece: bytes
) -> None:
    monkeypatch.setattr(connections, "LONGEST_HEAD_S", 0.1)
    say, gone = endless(start, piece, 0.01)
    with pytest.raises(ClientError):
        Client(server(say)).random()
    assert gone.wait(30)


@pytest.mark.parametrize("body", [DEEP, b'{"detail": ' + DEEP, b"[]", b'"detail"', b"1" * 5_000])
def test_an_error_in_strange_json_keeps_its_reason(server: t.Any, body: bytes) -> None:
    url = server(answer(body, "application/problem+json", "418 I'm a teapot"))
    with pytest.raises(Refused, match="418: I'm a teapot"):
        Client(url).random()


@pytest.mark.parametrize(
    ("asked", "waits"),
    [
        ("100000000000000000000", False),
        ("9" * 5_000, False),
        ("Mon, 01 Jan 100000000000000000000 00:00:00 GMT", True),
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999999999", True),
        ("Mon, 01 Jan 9999 00:00:00 -0001", False),
        ("-5", True),
        ("nan", True),
        ("²", True),
    ],
)
def test_no_retry_after_is_too_strange(server: t.Any, pauses: list[float], asked: str, waits: bool) -> None:
    with pytest.raises(Refused, match="503: busy"):
        Client(server(answer(b'{"detail": "busy"}', "text/plain", "503 No", f"Retry-After: {asked}"))).random()
    assert len(pauses) == (5 if waits else 0)
    assert all(0 <= pause <= 120 for pause in pauses)


@contextlib.contextmanager
def logged_to_stderr() -> t.Iterator[None]:
    """Log to standard error, as the command does in its own process; pytest's handlers prevent that here."""
    handler = logging.StreamHandler()
    logging.getLogger().addHandler(handler)
    yield
    logging.getLogger().removeHandler(handler)


@pytest.mark.parametrize("status", ["422 No", "503 No", f"422 {ESCAPE[:-2]}"])
@pytest.mark.parametrize("where", ["detail", "parameter", "reason"])
def test_terminal_escapes_are_not_shown(
    server: t.Any, tmp_path: Path, capfd: pytest.CaptureFixture[str], status: str, where: str
) -> None:
    problem = {"detail": "no", "parameter": "p", "value": ESCAPE}
    if where == "detail":
        problem = {"detail": ESCAPE}
    body = b"" if where == "reason" else json.dumps(problem).encode()
    url = server(answer(body, "text/plain", status))
    with logged_to_stderr():
        assert main(["random", str(tmp_path / "a.png"), "--url", url]) == 1
    stderr = capfd.readouterr().err
    assert not [each for each in stderr if not each.isprintable() and each != "\n"]
    assert len(stderr.splitlines()) <= 6


@pytest.mark.parametrize(
    "said",
    [
        answer(b"x", ESCAPE[:-2]),
        answer(b"x", "image/png", "302 Found", f"Location: {ESCAPE[:-2]}"),
        answer(b"x", "image/png", "200 OK", f"no colon {ESCAPE[:-2]}", "Content-Encoding: gzip"),
        f"{ESCAPE[:-2]}\r\n\r\n".encode("latin-1"),
    ],
    ids=["type", "location", "broken header", "status line"],
)
def test_terminal_escapes_of_headers_are_not_shown(
    server: t.Any, tmp_path: Path, capfd: pytest.CaptureFixture[str], said: bytes
) -> None:
    url = server(said)
    with logged_to_stderr():
        assert main(["random", str(tmp_path / "a.png"), "--url", url]) == 1
    stderr = capfd.readouterr().err
    assert not [each for each in stderr if not each.isprintable() and each != "\n"]
    assert "Traceback" not in stderr


@pytest.mark.parametrize("character", ["a", "\x1b", "\U000e0001"])
def test_a_reason_is_short_once_escaped(server: t.Any, character: str) -> None:
    body = json.dumps({"detail": character * 1_000}).encode()
    with pytest.raises(Refused) as failure:
        Client(server(answer(body, "text/plain", "422 No"))).random()
    assert str(failure.value).isprintable()
    assert len(str(failure.value)) <= 303


def test_only_the_last_attempt_is_told(server: t.Any, pauses: list[float]) -> None:
    attempts = iter([answer(b'{"detail": "busy"}', "text/plain", "503 No")] * 5)
    with pytest.raises(ClientError, match="no connection at the last of 6 attempts"):
        Client(server(lambda file: file.write(next(attempts, b"")))).random()
    assert len(pauses) == 5


def test_an_answer_that_breaks_off_is_asked_for_again(server: t.Any, pauses: list[float]) -> None:
    said = answer(b"\x89PNG").replace(b"Length: 4", b"Length: 400")
    with pytest.raises(ClientError, match="at the last of 6 attempts"):
        Client(server(said)).random()
    assert len(pauses) == 5
