"""The model's way from loading to ready, and back from failures without a restart."""

import json
import shutil
import socket
import threading
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

import handler.status
from handler import engines, loading
from handler.app import create_app
from handler.bundle import Bundle
from handler.settings import ENGINES, Settings

from .. import bundles

Start = t.Callable[..., Flask]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No back-off: the next request may try again."""
    monkeypatch.setattr(loading, "BACK_OFF_S", (0,))


def test_while_it_loads_health_says_so_and_requests_may_come_back(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "WAIT_S", 0)
    go = threading.Event()
    load = engines.load

    def slowly(*arguments: t.Any) -> engines.Engine:
        go.wait(60)
        return load(*arguments)

    monkeypatch.setattr(engines, "load", slowly)
    app = create_app(Settings(str(bundle)))
    client = app.test_client()
    health, random = client.get("/health"), client.get("/random")
    assert (health.status_code, health.json["status"], health.json["model"]) == (503, "loading", None)
    assert (random.status_code, json.loads(random.data)["detail"]) == (503, "the model is still being loaded")
    assert int(health.headers["Retry-After"]) >= 1
    assert int(random.headers["Retry-After"]) >= 1
    assert client.get("/").json["model"] is None
    go.set()
    app.extensions["carvae"].wait(60)
    assert client.get("/health").json["status"] == "ready"
    assert client.get("/random").status_code == 200


class Held:
    """A bundle whose encoder can't be read until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go = threading.Event()
        read = Bundle.read

        def slowly(bundle: Bundle, name: str) -> bytes:
            if name.startswith("encoder"):
                self.go.wait(60)
            return read(bundle, name)

        monkeypatch.setattr(Bundle, "read", slowly)
        monkeypatch.setattr(handler.status, "ENCODER_S", 0)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    found = Held(monkeypatch)
    yield found
    found.go.set()


@pytest.mark.parametrize("engine", ENGINES)
def test_what_draws_does_not_wait_for_the_encoder(bundle: Path, held: Held, engine: str, car_png: bytes) -> None:
    app = create_app(Settings(str(bundle), engine))
    client = app.test_client()
    latent = client.get("/random").json["cars"][0]["latent"]
    assert client.post("/decode", json={"latents": [latent]}).status_code == 200
    ends = {"start": {"seed": 1, "index": 0}, "end": {"latent": latent}}
    assert client.post("/interpolate", json=ends).status_code == 200
    health = client.get("/health")
    assert (health.status_code, health.json["status"]) == (503, "loading")
    held.go.set()
    assert client.post("/reconstruct", data=car_png, content_type="image/png").status_code == 200
    assert client.get("/health").json["status"] == "ready"


def test_what_encodes_waits_for_the_encoder(
    bundle: Path, held: Held, car_png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = create_app(Settings(str(bundle))).test_client()
    assert client.get("/random").status_code == 200
    monkeypatch.setattr(loading, "WAIT_S", 0)
    answer = client.post("/reconstruct", data=car_png, content_type="image/png")
    assert (answer.status_code, json.loads(answer.data)["detail"]) == (503, "the model is still being loaded")


def test_a_model_whose_encoder_fails_is_not_served(start_app: Start, own_bundle: Path) -> None:
    bundles.replace(own_bundle, "encoder.ts", b"no model")
    answer = start_app(own_bundle).test_client().get("/random")
    assert (answer.status_code, json.loads(answer.data)["detail"].partition(":")[0]) == (503, "no model")


def test_a_request_waits_for_a_model_that_is_being_loaded(bundle: Path) -> None:
    assert create_app(Settings(str(bundle))).test_client().get("/random").status_code == 200


def test_a_failure_is_said_with_retry_after_and_not_repeated_at_once(
    start_app: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "BACK_OFF_S", (40,))
    client = start_app(tmp_path).test_client()
    health, random = client.get("/health"), client.get("/random")
    detail = "manifest.json: No such file or directory in the bundle's folder"
    assert (health.status_code, health.json["status"], health.json["detail"]) == (503, "unavailable", detail)
    assert (random.status_code, json.loads(random.data)["detail"]) == (503, f"no model: {detail}")
    for answer in (health, random):
        assert 30 < int(answer.headers["Retry-After"]) <= 40


def test_back_off_grows_with_each_failure(start_app: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = start_app(tmp_path).extensions["carvae"]
    now = loading.time.monotonic()
    monkeypatch.setattr(loading.time, "monotonic", lambda: now)
    waits = []
    for _ in range(9):
        now += loader.retry_after()
        loader.retry_if_due()
        loader.wait(60)
        waits.append(loader.retry_after())
    assert waits == [2, 4, 8, 16, 30, 60, 60, 60, 60]


def test_rounding_adds_no_second_to_the_wait(start_app: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 9.8765424
    assert now + 60 - now > 60
    monkeypatch.setattr(loading.time, "monotonic", lambda: now)
    monkeypatch.setattr(loading, "BACK_OFF_S", (60,))
    assert start_app(tmp_path).extensions["carvae"].retry_after() == 60


@pytest.mark.usefixtures("at_once")
def test_it_recovers_when_the_folder_is_mended(start_app: Start, bundle: Path, tmp_path: Path) -> None:
    client = start_app(tmp_path / "late").test_client()
    assert client.get("/random").status_code == 503
    shutil.copytree(bundle, tmp_path / "late")
    assert client.get("/random").status_code == 200
    assert client.get("/health").json["status"] == "ready"


def test_an_unforeseen_failure_is_told_without_its_text(
    start_app: Start, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: t.Any) -> t.NoReturn:
        raise MemoryError("secret")

    monkeypatch.setattr(engines, "load", broken)
    assert (
        start_app(bundle).test_client().get("/health").json["detail"] == "the model can't be loaded; the log says why"
    )


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("fault", ["missing", "truncated", "wrong checksum", "refusing"])
def test_a_fault_of_s3_is_said_and_survived(
    s3: t.Any, start_app: Start, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    key, good = "models/test-1/decoder.ts", (bundle / "decoder.ts").read_bytes()
    s3.upload(bundle, "models/test-1")
    said = {
        "missing": "decoder.ts: S3 answered NoSuchKey",
        "truncated": f"decoder.ts: 1000 bytes, the manifest says {len(good)}",
        "wrong checksum": "decoder.ts: its SHA-256 is not the one in the manifest",
        "refusing": "manifest.json: S3 answered EndpointConnectionError",
    }[fault]
    with monkeypatch.context() as patch:
        if fault == "missing":
            s3.delete(key)
        elif fault == "truncated":
            s3.put(key, good[:1000])
        elif fault == "wrong checksum":
            s3.put(key, bytes(len(good)))
        else:
            patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        app = start_app("s3://cars/models/test-1", cache=tmp_path / "cache")
        client = app.test_client()
        answer = client.get("/random")
        assert (answer.status_code, json.loads(answer.data)["detail"]) == (503, f"no model: {said}")
        assert "Retry-After" in answer.headers
        assert app.extensions["carvae"].detail == said
    s3.put(key, good)
    assert client.get("/random").status_code == 200
    assert client.get("/health").status_code == 200


@pytest.fixture
def silent_server() -> Iterator[str]:
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.usefixtures("s3")
def test_slow_s3_keeps_nobody_waiting_for_long(
    silent_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "WAIT_S", 0)
    monkeypatch.setenv("AWS_ENDPOINT_URL", silent_server)
    client = create_app(Settings("s3://cars/models/test-1", cache=tmp_path)).test_client()
    assert client.get("/random").status_code == 503
    assert client.get("/health").json["status"] == "loading"


def test_current_json_on_s3_is_served(s3: t.Any, start_app: Start, tmp_path: Path) -> None:
    s3.upload(bundles.make(tmp_path / "v7", version="v7"), "models/v7")
    s3.put("models/current.json", b'{"version": "v7"}')
    client = start_app("s3://cars/models/current.json", cache=tmp_path / "cache").test_client()
    assert client.get("/random").headers["Carvae-Model-Version"] == "v7"


def test_a_cache_that_cannot_be_written_is_degraded_not_fatal(
    s3: t.Any, start_app: Start, bundle: Path, tmp_path: Path
) -> None:
    s3.upload(bundle, "models/test-1")
    (tmp_path / "file").touch()
    client = start_app("s3://cars/models/test-1", cache=tmp_path / "file" / "cache").test_client()
    health = client.get("/health")
    assert (health.status_code, health.json["status"]) == (200, "degraded")
    assert health.json["detail"].startswith("the cache can't be written: Not a directory")
    assert client.get("/random").status_code == 200
