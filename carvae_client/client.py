"""A client of the API: streamed uploads, patience with a busy server, every failure in a sentence."""

import contextlib
import datetime
import email.utils
import json
import logging
import pathlib
import random
import threading
import time
import typing as t

import requests
from requests_toolbelt import MultipartEncoder, MultipartEncoderMonitor

from . import answers, connections
from .errors import ClientError, Refused

log = logging.getLogger("carvae.client")

ATTEMPTS = 6
LONGEST_PAUSE_S = 120.0
#: Seconds until a connection stands, and without a byte of an answer.
TIMEOUT_S = (10, 60)
TRIED_AGAIN = {429, 503}

Body = dict[str, t.Any]


class Client:
    """The API of one server; may be used from several threads.

    Answers are bytes: of an image, or of JSON for ``application/json``. `encode` gives the JSON read. `size` is the
    longest side of their pictures in pixels, 32 to 1024; by default, and at most, they are as the model draws them.

    Parameters
    ----------
    url : str
        Address of the server.
    progress : callable, optional
        Hears how many bytes of an upload have gone and how many there are.

    Raises
    ------
    ValueError
        The address is none of HTTP.
    """

    def __init__(self, url: str, progress: t.Callable[[int, int], None] | None = None) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"{url!r} is not an address; expected http:// or https://")
        self._url = url.rstrip("/")
        self._progress = progress or (lambda sent, total: None)
        self._local = threading.local()  # a session is not safe to share

    def reconstruct(self, image: pathlib.Path, form: str = "image/png", size: int | None = None) -> bytes:
        """Rebuild a photograph."""
        return self._ask("/reconstruct", form, {"size": size}, files={"image": image})

    def random(
        self,
        count: int = 1,
        seed: int | None = None,
        temperature: float | None = None,
        form: str = "image/png",
        first: int | None = None,
        size: int | None = None,
        latents: bool = True,
    ) -> bytes:
        """Draw `count` cars that never existed, from car `first` (0) of the seed on; JSON can do without `latents`."""
        query: Body = {"count": count, "first": first, "seed": seed, "temperature": temperature, "size": size}
        if not latents:
            query["latents"] = "false"
        return self._ask("/random", form, query)

    def interpolate(
        self,
        start: pathlib.Path | Body,
        end: pathlib.Path | Body,
        steps: int | None = None,
        method: str | None = None,
        form: str = "image/gif",
        size: int | None = None,
        back: bool = False,
    ) -> bytes:
        """Morph between two photographs, or between ``{"seed", "index"}`` or ``{"latent"}`` and another of them.

        An animation goes on to its start again where `back` is wanted.
        """
        query: Body = {"steps": steps, "method": method, "size": size}
        if back:
            query["back"] = "true"
        if isinstance(start, pathlib.Path) and isinstance(end, pathlib.Path):
            return self._ask("/interpolate", form, query, files={"start": start, "end": end})
        ends = {"start": self._end(start), "end": self._end(end)}
        return self._ask("/interpolate", form, query, body=ends)

    def encode(self, image: pathlib.Path) -> Body:
        """Turn a photograph into its latent: ``mean`` and ``log_variance``."""
        code = t.cast(Body, json.loads(self._ask("/encode", "application/json", files={"image": image})))
        for name in ("mean", "log_variance"):
            if not isinstance(code.get(name), list):
                raise Refused(200, f"the answer holds no {name!r}")
        return code

    def decode(self, latents: list[list[float]], form: str = "image/png", size: int | None = None) -> bytes:
        """Turn latents into a grid of cars."""
        return self._ask("/decode", form, {"size": size}, body={"latents": latents})

    def _end(self, end: pathlib.Path | Body) -> Body:
        return {"latent": self.encode(end)["mean"]} if isinstance(end, pathlib.Path) else end

    def _ask(
        self,
        path: str,
        form: str,
        query: Body | None = None,
        files: dict[str, pathlib.Path] | None = None,
        body: Body | None = None,
    ) -> bytes:
        """Send one request, and again where that may help."""
        for attempt in range(ATTEMPTS):
            last = attempt == ATTEMPTS - 1
            try:
                answer = self._send(path, form, query, files, body)
                content = answers.read(answer)
            except (requests.ConnectionError, requests.Timeout) as error:
                if last:
                    raise ClientError(f"{self._url}: {_reason(error)} at the last of {ATTEMPTS} attempts") from error
                pause, why = _back_off(attempt), _reason(error)
            except requests.RequestException as error:
                raise ClientError(f"{self._url}: {error}") from error
            else:
                if answer.ok:
                    answers.check(answer, content, form)
                    return content
                pause, why = _pause(answer, attempt), answers.detail(answer, content)
                if last or answer.status_code not in TRIED_AGAIN or pause > LONGEST_PAUSE_S:
                    raise Refused(answer.status_code, why)
            log.warning("%s; again in %.0f s", why, pause)
            time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _send(
        self, path: str, form: str, query: Body | None, files: dict[str, pathlib.Path] | None, body: Body | None
    ) -> requests.Response:
        if not hasattr(self._local, "session"):
            self._local.session = connections.Session()
        headers = {"Accept": form}
        with contextlib.ExitStack() as stack:
            data = None
            if files:
                opened = {name: (each.name, stack.enter_context(each.open("rb"))) for name, each in files.items()}
                data = MultipartEncoderMonitor(
                    MultipartEncoder(opened), lambda monitor: self._progress(monitor.bytes_read, monitor.len)
                )
                headers["Content-Type"] = data.content_type
            return t.cast(
                requests.Response,
                self._local.session.request(
                    "POST" if files or body else "GET",
                    self._url + path,
                    params=query,
                    data=data,
                    json=body,
                    headers=headers,
                    timeout=TIMEOUT_S,
                    stream=True,  # bodies are read within bounds
                ),
            )


def _back_off(attempt: int) -> float:
    # With jitter, so that clients which were refused together don't come back together.
    return float(2**attempt) * random.uniform(0.5, 1.5)  # noqa: S311 - no secret


def _pause(answer: requests.Response, attempt: int) -> float:
    """Seconds that the server asks for, as a number or as a date; else our own."""
    asked = answer.headers.get("Retry-After", "")
    if asked.isdecimal():
        return float(asked)
    try:
        until = email.utils.parsedate_to_datetime(asked)
    except (ValueError, OverflowError):
        return _back_off(attempt)
    return max(0.0, (until - datetime.datetime.now(until.tzinfo)).total_seconds())


def _reason(error: requests.RequestException) -> str:
    return "no answer in time" if isinstance(error, requests.Timeout) else "no connection"
