"""At most so many at once, at most so many per minute."""

import json
import queue
import threading
import time
import typing as t
from pathlib import Path

import pytest
from flask import Flask

from handler import admission
from handler.errors import Problem

Start = t.Callable[..., Flask]


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock, to be set."""
    clock = [1000.0]
    monkeypatch.setattr(admission.time, "monotonic", lambda: clock[0])
    return clock


def test_more_than_may_wait_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "WAITING", 1)
    gate = admission.Gate(1)
    monkeypatch.setattr(admission, "PATIENCE_S", 300)  # past this test's own limit
    gate.enter()
    told: queue.Queue[Problem | None] = queue.Queue()

    def ask() -> None:
        try:
            gate.enter()
        except Problem as problem:
            told.put(problem)
        else:
            told.put(None)

    waiters = [threading.Thread(target=ask) for _ in range(2)]
    for waiter in waiters:
        waiter.start()
    refused = told.get(timeout=60)
    assert refused
    assert (refused.status, refused.headers) == (503, {"Retry-After": "1"})
    gate.leave()
    assert told.get(timeout=60) is None
    gate.leave()
    gate.enter()


def test_who_waited_too_long_is_refused_and_leaves_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "PATIENCE_S", 0)
    gate = admission.Gate(1)
    gate.enter()
    for _ in range(3 * admission.WAITING):
        with pytest.raises(Problem):
            gate.enter()
    gate.leave()
    gate.enter()


def test_a_bucket_fills_evenly(now: list[float]) -> None:
    rate = admission.Rate(6)
    for _ in range(6):
        rate.take("a")
    with pytest.raises(Problem) as caught:
        rate.take("a")
    assert caught.value.status == 429
    assert int(caught.value.headers["Retry-After"]) == 11
    rate.take("b")
    now[0] += 10
    rate.take("a")
    with pytest.raises(Problem):
        rate.take("a")
    now[0] += 3600
    for _ in range(6):
        rate.take("a")
    with pytest.raises(Problem):
        rate.take("a")


def test_counting_clients_takes_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "CLIENTS", 3)
    rate = admission.Rate(1)
    for client in "abcdef":
        rate.take(client)
    for client in "def":
        with pytest.raises(Problem):
            rate.take(client)
    rate.take("a")  # forgotten, so it may ask again


def test_a_client_above_the_rate_is_told_when_to_come_back(start_app: Start, bundle: Path) -> None:
    client = start_app(bundle, rate=2).test_client()
    statuses = [client.get("/random").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    refused = client.get("/random", headers={"Accept": "image/png"})
    assert refused.content_type == "application/problem+json"
    assert int(refused.headers["Retry-After"]) in range(1, 31)
    assert client.get("/health").status_code == 200
    other = client.get("/random", environ_overrides={"REMOTE_ADDR": "192.0.2.7"})
    assert other.status_code == 200


def test_a_full_server_refuses_says_so_in_health_and_still_answers_what_is_cheap(
    start_app: Start, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "PATIENCE_S", 0)
    app = start_app(bundle, concurrency=1)
    client, gate = app.test_client(), app.extensions["carvae-gate"]
    assert client.get("/health").json["status"] == "ready"
    gate.enter()
    refused = client.get("/random")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert "too many requests at once" in json.loads(refused.data)["detail"]
    health = client.get("/health")
    assert (health.status_code, health.json["status"]) == (200, "degraded")
    assert "refused" in health.json["detail"]
    gate.leave()
    assert client.get("/random").status_code == 200


def test_a_request_that_fails_gives_its_place_back(
    start_app: Start, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "PATIENCE_S", 0)
    client = start_app(bundle, concurrency=1).test_client()
    with monkeypatch.context() as patch:
        patch.setattr("handler.images.picture", lambda _: 1 / 0)
        assert [client.get("/random").status_code for _ in range(3)] == [500] * 3
    assert [client.get("/random?count=x").status_code for _ in range(30)] == [400] * 30
    assert client.get("/random").status_code == 200


def test_large_pictures_wait_for_each_other_and_hold_no_place_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "PATIENCE_S", 300)
    gate = admission.Gate(2)
    began = threading.Event()

    def wait_for_a_turn() -> None:
        gate.enter()
        with gate.alone():
            began.set()
        gate.leave()

    gate.enter()
    with gate.alone():
        second = threading.Thread(target=wait_for_a_turn)
        second.start()
        while not gate.waiting:  # aside
            time.sleep(0.01)
        gate.enter()  # the place that it gave up
        gate.leave()
        assert not began.is_set()
    second.join(60)
    assert began.is_set()
    gate.leave()
    assert (gate.inside, gate.waiting) == (0, 0)


def test_a_large_picture_waits_with_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = admission.Gate(2)
    gate.enter()
    with gate.alone():
        monkeypatch.setattr(admission, "PATIENCE_S", 0)
        gate.enter()
        with pytest.raises(Problem, match="too many large pictures") as caught, gate.alone():
            pass
        assert (caught.value.status, caught.value.headers) == (503, {"Retry-After": "5"})
        gate.leave()
    gate.leave()
    assert (gate.inside, gate.waiting) == (0, 0)


def test_a_closed_gate_refuses_who_waits_and_who_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "PATIENCE_S", 300)
    gate = admission.Gate(1)
    gate.enter()
    told: queue.Queue[Problem] = queue.Queue()

    def ask() -> None:
        try:
            gate.enter()
        except Problem as problem:
            told.put(problem)

    threading.Thread(target=ask).start()
    while not gate.waiting:
        time.sleep(0.01)
    gate.close()
    assert told.get(timeout=60).headers == {"Retry-After": "1"}
    with pytest.raises(Problem):
        gate.enter()
    gate.leave()
