"""Who may ask now: at most so many requests at once, at most so many per minute from one client."""

import threading
import time
import typing as t
from collections import OrderedDict

from flask import Flask, g, request

from .errors import Problem
from .middleware import check_client
from .settings import Settings

#: Requests that wait for their turn; one more is refused at once.
WAITING = 32

#: Seconds that one waits before it is refused, too.
PATIENCE_S = 5.0

#: Clients whose requests are counted; the one that was quiet for longest is forgotten first.
CLIENTS = 10_000


class Gate:
    """Lets `size` requests in at once and `WAITING` more wait.

    On Lambda each copy of the function gets one request at a time, so nobody waits: reserved concurrency and the
    gateway's throttling do there what this does on one machine.
    """

    def __init__(self, size: int) -> None:
        self._places = threading.Semaphore(size)
        self._room = threading.Semaphore(size + WAITING)
        self._refused_at = -float("inf")

    def enter(self) -> None:
        """Wait for a place.

        Raises
        ------
        Problem
            503 with Retry-After, if too many wait already or none became free in time.
        """
        if self._room.acquire(blocking=False):
            if self._places.acquire(timeout=PATIENCE_S):
                return
            self._room.release()
        self._refused_at = time.monotonic()
        raise Problem(503, "more requests than can be answered; please come back", headers={"Retry-After": "1"})

    def leave(self) -> None:
        """Give the place back."""
        self._places.release()
        self._room.release()

    def refused_within(self, seconds: float) -> bool:
        """Tell whether anybody was refused in the last `seconds`."""
        return time.monotonic() - self._refused_at < seconds


class Rate:
    """`limit` requests per minute from one client: a bucket that holds as many and fills evenly."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, client: str) -> None:
        """Count a request of `client`.

        Raises
        ------
        Problem
            429 with Retry-After, if that is one too many.
        """
        now = time.monotonic()
        with self._lock:
            left, then = self._buckets.pop(client, (float(self._limit), now))
            left = min(float(self._limit), left + (now - then) * self._limit / 60)
            self._buckets[client] = (left - 1 if left >= 1 else left, now)
            if len(self._buckets) > CLIENTS:
                self._buckets.popitem(last=False)
        if left < 1:
            wait = str(int((1 - left) * 60 / self._limit) + 1)
            detail = f"more than {self._limit} requests per minute from one address"
            raise Problem(429, detail, headers={"Retry-After": wait})


def install(app: Flask, settings: Settings, costly: t.Callable[[], bool]) -> Gate:
    """Admit requests to `app` as `settings` say; `costly` tells whether the present one needs the model."""
    gate, rate = Gate(settings.concurrency), Rate(settings.rate) if settings.rate else None

    @app.before_request
    def admit() -> None:
        if not costly():
            return
        if rate:
            rate.take(request.remote_addr or "")
        gate.enter()
        g.admitted = True
        check_client()  # it may have waited long

    @app.teardown_request
    def dismiss(_: BaseException | None) -> None:
        if g.pop("admitted", False):
            gate.leave()

    return gate
