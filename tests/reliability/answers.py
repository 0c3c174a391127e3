"""What a server may answer the client: drawn, sent, and judged by what the client makes of it."""

import contextlib
import functools
import gzip
import json
import random
import socket
import threading
import typing as t
from unittest import mock

from carvae_client import Client, ClientError, connections
from carvae_client import answers as bounds
from carvae_client import client as api
from carvae_client.errors import LONGEST_TEXT

from . import mutations, pictures
from .case import Case

#: Bounds of the client while it is tried: two attempts, and a server in this process that sends as fast as it can, take
#: less than the CPU time that a case may.
LARGEST_BODY, LONGEST_S = 2_000_000, 0.5

FORMS = {"image/png": "png", "image/jpeg": "jpeg", "image/webp": "webp", "image/gif": "gif"}
STATUSES = ("99 x", "999 x", "-1 x", "x", "200", "600 y")
ESCAPES = "\x1b]0;owned\x07\x1b[31m\x9b2J\u202e"


def draw(dice: random.Random) -> Case:
    """An answer to a client that asked for a form; its `method` is that form."""
    form = dice.choice((*FORMS, "application/json"))
    odd = {
        "right": lambda: (_answer(_body(form), form), ""),
        "changed": lambda: (_changed(dice, form), ""),
        "another form": lambda: (_answer(_body(dice.choice(tuple(FORMS))), form), ""),
        "html": lambda: (_answer(b"<html>Sign in to the hotel</html>", dice.choice((form, "text/html"))), ""),
        "empty": lambda: (_answer(b"", form, dice.choice(("200 OK", "204 No", "304 No", "205 No"))), ""),
        "redirect": lambda: (_answer(b"moved", form, "302 Found", f"Location: {ESCAPES[:-1]}"), ""),
        "odd status": lambda: (_answer(_body(form), form, dice.choice(STATUSES)), ""),
        "deep json": lambda: (_answer(b"[" * 200_000, "application/json", dice.choice(("200 OK", "422 No"))), ""),
        "odd json": lambda: (_answer(_json(dice), "application/json", dice.choice(("200 OK", "422 No", "500 No"))), ""),
        "told to wait": lambda: (_answer(b"{}", "application/json", "503 No", f"Retry-After: {_wait(dice)}"), ""),
        "escapes": lambda: (_answer(json.dumps({"detail": ESCAPES}).encode(), "text/plain", f"422 {ESCAPES[:-1]}"), ""),
        "gzip bomb": lambda: (_answer(_bomb(), form, "200 OK", "Content-Encoding: gzip"), ""),
        "no gzip": lambda: (_answer(_body(form), form, "200 OK", "Content-Encoding: gzip"), ""),
        "many headers": lambda: (_answer(_body(form), form, "200 OK", *["A: b"] * dice.choice((90, 1000))), ""),
        "long header": lambda: (_answer(_body(form), form, "200 OK", "A: " + "b" * 70_000), ""),
        "two lengths": lambda: (_answer(_body(form), form, "200 OK", "Content-Length: 7"), ""),
        "odd chunks": lambda: (_chunked(form) + dice.choice((b"-1\r\n", b"xyz\r\n", b"f" * 30 + b"\r\n", b"1")), ""),
        "noise": lambda: (dice.randbytes(dice.choice((1, 100, 5000))), ""),
        "nothing": lambda: (b"", ""),
        "body without end": lambda: (_head(form), "\0" * 65_536),
        "chunks without end": lambda: (_chunked(form), "400\r\n" + "\0" * 1024 + "\r\n"),
        "headers without end": lambda: (_head(form)[:-2], "A: b\r\n"),
        "extension without end": lambda: (_chunked(form) + b"1;", "a" * 1000),
        "continues without end": lambda: (b"", "HTTP/1.1 100 Continue\r\n\r\n"),
    }
    (name,) = dice.choices(list(odd), [8, 40] + [2] * (len(odd) - 7) + [1] * 5)
    data, repeated = odd[name]()
    return Case(f"answer, {name}", form, "", data, target="client", repeated=repeated)


def judge(case: Case) -> str | None:
    """Ask for the case's form and get its answer; returns what is wrong with the client's reaction, if anything."""
    with (
        _served(case) as url,
        mock.patch.object(bounds, "LARGEST_BODY", LARGEST_BODY),
        mock.patch.object(bounds, "LONGEST_BODY_S", LONGEST_S),
        mock.patch.object(connections, "LONGEST_HEAD_S", LONGEST_S),
        mock.patch.object(api, "ATTEMPTS", 2),
        mock.patch.object(api.time, "sleep"),
        mock.patch.object(api.log, "warning"),
    ):
        try:
            taken = Client(url).random(form=case.method)
        except ClientError as error:
            text = str(error)
            shown = text.isprintable() and len(text) <= LONGEST_TEXT + 100
            return None if shown else f"its reason is not fit for a terminal: {text[:200]!r}"
        except Exception as error:
            return f"the client let {error!r:.200} through"
    if case.method == "application/json":
        return None if isinstance(json.loads(taken), dict) else f"taken for JSON: {taken[:100]!r}"
    signature = bounds.ENDS[case.method][0]
    return None if taken.startswith(signature) else f"taken for {case.method}: {taken[:100]!r}"


def _head(form: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: {form}\r\n\r\n".encode()


def _chunked(form: str) -> bytes:
    return _head(form)[:-2] + b"Transfer-Encoding: chunked\r\n\r\n"


def _answer(body: bytes, form: str, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {form}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def _body(form: str) -> bytes:
    return b'{"seed": 1, "cars": []}' if form == "application/json" else pictures.good(FORMS[form])


def _changed(dice: random.Random, form: str) -> bytes:
    """A right answer with its body, or all of it, changed."""
    change = dice.choice(mutations.ALL)
    if dice.random() < 0.5:
        return _answer(bytes(change(dice, bytearray(_body(form)))), form)
    head, _, body = _answer(_body(form), form).partition(b"\r\n\r\n")
    return bytes(change(dice, bytearray(head))) + b"\r\n\r\n" + body


def _json(dice: random.Random) -> bytes:
    values: tuple[t.Any, ...] = (
        [],
        "x",
        None,
        1e400,
        {"detail": {}},
        {"detail": ESCAPES, "parameter": [], "value": {}},
    )
    return dice.choice((json.dumps(dice.choice(values)).encode(), b"1" * 5_000, b'{"detail": ', b"\xff\xfe", b"NaN"))


def _wait(dice: random.Random) -> str:
    return dice.choice(("9" * 5_000, "-5", "nan", "\xb2", "1e9", "Mon, 01 Jan 9999 00:00:00 -0001", "0", ""))


@functools.cache
def _bomb() -> bytes:
    return gzip.compress(bytes(50_000_000), 9)


@contextlib.contextmanager
def _served(case: Case) -> t.Iterator[str]:
    """Answer every request with the case's bytes, and with its repeated ones for as long as the client listens."""
    listener = socket.create_server(("127.0.0.1", 0))
    repeated = case.repeated.encode("latin-1")

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(10)
                request = b""
                while not request.endswith(b"\r\n\r\n") and (piece := connection.recv(65_536)):
                    request += piece
                connection.sendall(case.data)
                while repeated:
                    connection.sendall(repeated)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(20)
