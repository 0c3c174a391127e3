"""Answers read within bounds and checked: a server, or what answers in its place, may send anything."""

import contextlib
import json
import threading
import typing as t

import requests
import urllib3

from .errors import Refused, plain

#: Far above what the API sends: 64 cars of 256 pixels as JSON take 12 MB.
LARGEST_BODY = 64_000_000
LONGEST_BODY_S = 300.0

#: How a file of each form begins and ends.
ENDS = {
    "image/png": (b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"),
    "image/jpeg": (b"\xff\xd8\xff", b"\xff\xd9"),
    "image/gif": (b"GIF8", b";"),
    "image/webp": (b"RIFF", b""),
}


def read(answer: requests.Response) -> bytes:
    """Read a whole body, decompressed.

    Raises
    ------
    Refused
        It is larger than `LARGEST_BODY` or takes longer than `LONGEST_BODY_S`.
    requests.ConnectionError
        It broke off.
    """
    late = threading.Event()

    def stop() -> None:
        late.set()
        with contextlib.suppress(OSError, ValueError, RuntimeError):  # it came to its end just now
            answer.raw.shutdown()

    # Timeouts of sockets begin anew with every byte that comes.
    timer = threading.Timer(LONGEST_BODY_S, stop)
    timer.daemon = True
    timer.start()
    body = bytearray()
    try:
        while piece := answer.raw.read1(65_536, decode_content=True):
            body += piece
            if len(body) > LARGEST_BODY:
                raise Refused(answer.status_code, f"the answer is larger than {LARGEST_BODY:,} bytes")
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        if not late.is_set():
            raise requests.ConnectionError(error) from error
    finally:
        timer.cancel()
        answer.close()
    if late.is_set():
        raise Refused(answer.status_code, f"the answer took longer than {LONGEST_BODY_S:g} s")
    return bytes(body)


def check(answer: requests.Response, body: bytes, form: str) -> None:
    """Raise Refused unless an answer is whole and of the form that was asked for."""
    status = answer.status_code
    if 300 <= status < 400:
        raise Refused(status, f"the server redirects to {answer.headers.get('Location', 'nowhere')}; use that address")
    if not body:
        raise Refused(status, f"the answer is empty; expected {form}")
    given = answer.headers.get("Content-Type", "no type").split(";")[0].strip().lower()
    if given != form:
        raise Refused(status, f"the answer is {given}; expected {form}")
    if form == "application/json":
        if not isinstance(parsed(body), dict):
            raise Refused(status, "the answer is not a JSON object")
        return
    start, end = ENDS[form]
    whole = form != "image/webp" or len(body) == int.from_bytes(body[4:8], "little") + 8
    if not (body.startswith(start) and body.endswith(end) and whole):
        raise Refused(status, f"the answer says it is {form}, but it is not, or is incomplete")


def parsed(body: bytes) -> t.Any:
    """What JSON says, or None where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def detail(answer: requests.Response, body: bytes) -> str:
    """What an error's answer says is wrong."""
    problem = parsed(body)
    if not isinstance(problem, dict) or "detail" not in problem:
        return plain(answer.reason or "no reason given")
    parameter, value = problem.get("parameter"), problem.get("value")
    text = str(problem["detail"])
    return plain(f"{text} ({parameter}: {value})" if parameter and value is not None else text)
