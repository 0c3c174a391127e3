"""Admission control: limits on requests at once, and on requests per minute from one client."""

import contextlib
import threading
import time
import typing as t
from collections import OrderedDict
from collections.abc import Iterator

from flask import Flask, g, request

from .errors import Problem
from .middleware import check_client
from .settings import Settings

#: Requests that wait for their turn; one more is refused at once.
WAITING = 32

#: Seconds that a request waits before it is refused.
PATIENCE_S = 5.0

#: Clients whose requests are counted; the one that was quiet for longest is forgotten first.
CLIENTS = 10_000


class Gate:
    """Lets `size` requests in at once and `WAITING` more wait.

    On Lambda each copy of the function gets one request at a time, so nobody waits: reserved concurrency and the
    gateway's throttling do there what this does on one machine.

    Attributes
    ----------
    inside, waiting : int
        Requests that are let in, and those that wait for a place.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self.inside = self.waiting = 0
        self._closed = False
        self._changed = threading.Condition()
        self._one_large = threading.Lock()
        self._refused_at = -float("inf")

    def enter(self) -> None:
        """Wait for a place.

        Raises
        ------
        Problem
            503 with Retry-After, if too many wait already, none became free in time, or the gate is closed.
        """
        with self._changed:
            if self.inside + self.waiting >= self._size + WAITING or not self._wait():
                self._refused_at = time.monotonic()
                raise Problem(503, "too many requests at once; try again shortly", headers={"Retry-After": "1"})

    def leave(self) -> None:
        """Give the place back."""
        with self._changed:
            self.inside -= 1
            self._changed.notify()

    def close(self) -> None:
        """Refuse all who wait and whoever comes; those inside go on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Do something large while nobody else does; a request that has to wait for this gives up its place meanwhile.

        Raises
        ------
        Problem
            503 with Retry-After, if the wait takes too long. The request then counts as inside again, until `leave`.
        """
        if not self._one_large.acquire(blocking=False):
            with self._changed:
                self.inside -= 1
                self.waiting += 1
                self._changed.notify()
            got = self._one_large.acquire(timeout=PATIENCE_S)
            with self._changed:
                self.waiting -= 1
                back = got and self._wait()
                if not back:
                    self.inside += 1  # it leaves at once
            if got and not back:
                self._one_large.release()
            if not back:
                detail = "too many large pictures at once; try again shortly, or send smaller ones"
                raise Problem(503, detail, headers={"Retry-After": "5"})
        try:
            yield
        finally:
            self._one_large.release()

    def refused_within(self, seconds: float) -> bool:
        """Tell whether anybody was refused in the last `seconds`."""
        return time.monotonic() - self._refused_at < seconds

    def _wait(self) -> bool:
        """Wait until there is a place and take it; false if none became free in time."""
        self.waiting += 1
        free = self._changed.wait_for(lambda: self._closed or self.inside < self._size, PATIENCE_S)
        self.waiting -= 1
        if not free or self._closed:
            return False
        self.inside += 1
        return True


class Rate:
    """`limit` requests per minute per client: a token bucket of that size that refills evenly."""

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
