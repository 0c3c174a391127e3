"""The client against a real server; a layer in front of it does what a healthy server never does."""

import email.utils
import io
import json
import socket
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import pytest
from flask import Flask
from PIL import Image

from carvae_client import Client, ClientError, Refused
from carvae_client import client as api
from scripts.client import main

from .. import bundles, drawings

ROOT = Path(__file__).parent.parent.parent


class Front:
    """A layer in front of an app that counts requests, in all and at once, and refuses some."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        self.asked: list[str] = []
        self.refusals: list[tuple[str, dict[str, str]]] = []
        self.now = self.most = 0

    def __call__(self, environ: dict[str, t.Any], start_response: t.Any) -> t.Any:
        with self._lock:
            self.asked.append(environ["PATH_INFO"])
            refusal = self.refusals.pop(0) if self.refusals else None
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            if refusal is None:
                return self._app(environ, start_response)
            status, headers = refusal
            start_response(status, [*headers.items(), ("Content-Type", "application/problem+json")])
            return [b'{"detail": "not now"}']
        finally:
            with self._lock:
                self.now -= 1


@pytest.fixture(scope="module")
def served(start_app: t.Callable[..., Flask], serve: t.Callable[[t.Any], str], bundle: Path) -> tuple[Front, str]:
    front = Front(start_app(bundle))
    return front, serve(front)


@pytest.fixture
def front(served: tuple[Front, str]) -> Front:
    served[0].reset()
    return served[0]


@pytest.fixture
def url(front: Front, served: tuple[Front, str]) -> str:
    return served[1]


@pytest.fixture(scope="module")
def big_url(
    serve: t.Callable[[t.Any], str], start_app: t.Callable[..., t.Any], tmp_path_factory: pytest.TempPathFactory
) -> str:
    """Address of a server whose model draws 64 pixels."""
    return serve(start_app(bundles.make(tmp_path_factory.mktemp("big") / "bundle", size=64)))


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that the client would have made."""
    made: list[float] = []
    monkeypatch.setattr(api.time, "sleep", made.append)
    return made


@pytest.fixture
def car(tmp_path: Path, car_png: bytes) -> Path:
    path = tmp_path / "car.png"
    path.write_bytes(car_png)
    return path


@pytest.fixture
def cars(tmp_path: Path) -> Path:
    folder = tmp_path / "cars"
    folder.mkdir()
    for seed in range(6):
        drawings.car(seed).save(folder / f"{seed}.jpg")
    (folder / "notes.txt").write_text("no picture")
    return folder


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def run(*arguments: object) -> int:
    return main([str(each) for each in arguments])


def test_the_module_gives_what_the_api_does(url: str, car: Path) -> None:
    client = Client(url)
    assert opened(client.reconstruct(car)).size == (32, 21)
    assert opened(client.random(count=4, seed=7, form="image/webp")).size == (68, 68)
    latent = client.encode(car)["mean"]
    assert opened(client.decode([latent, latent])).size == (68, 32)
    ends = {"latent": latent}, {"seed": 7, "index": 1}
    assert json.loads(client.interpolate(*ends, steps=3, form="application/json"))["steps"] == 3
    assert t.cast(t.Any, opened(client.interpolate(car, ends[1], steps=5))).n_frames == 5


def test_cars_come_small_and_without_latents(big_url: str, car: Path, tmp_path: Path) -> None:
    client = Client(big_url)
    assert opened(client.reconstruct(car, size=32)).width == 32
    assert opened(client.decode([[0.5] * 192], size=32)).size == (32, 32)
    ends = {"seed": 7, "index": 0}, {"seed": 7, "index": 1}
    assert opened(client.interpolate(*ends, steps=2, size=40)).size == (40, 40)
    (listed,) = json.loads(client.random(form="application/json", size=40, latents=False))["cars"]
    assert sorted(listed) == ["image", "index"]
    assert run("random", tmp_path / "small.png", "--size", 40, "--url", big_url) == 0
    with Image.open(tmp_path / "small.png") as image:
        assert image.size == (40, 40)


def test_each_command_writes_what_the_suffix_says(url: str, car: Path, tmp_path: Path) -> None:
    assert run("reconstruct", car, tmp_path / "out.webp", "--url", url) == 0
    assert run("encode", car, tmp_path / "code.json", "--url", url) == 0
    assert run("decode", tmp_path / "code.json", tmp_path / "square.png", "--url", url) == 0
    assert run("random", tmp_path / "cars.json", "--count", 3, "--first", 5, "--seed", 7, "--url", url) == 0
    assert run("interpolate", car, car, tmp_path / "morph.gif", "--steps", 4, "--url", url) == 0
    for name, form in (("out.webp", "WEBP"), ("square.png", "PNG"), ("morph.gif", "GIF")):
        with Image.open(tmp_path / name) as image:
            assert image.format == form
    cars = json.loads((tmp_path / "cars.json").read_text())["cars"]
    assert [car["index"] for car in cars] == [5, 6, 7]


def test_an_upload_is_streamed_and_its_progress_told(url: str, tmp_path: Path) -> None:
    path = tmp_path / "large.tif"
    Image.effect_noise((1200, 1000), 80).save(path)
    heard: list[tuple[int, int]] = []
    Client(url, lambda sent, total: heard.append((sent, total))).encode(path)
    assert len(heard) > 10
    assert heard[-1][0] == heard[-1][1] > path.stat().st_size


def test_a_folder_is_worked_through_and_taken_up_again(
    url: str, front: Front, cars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "2.png").write_bytes(b"from an earlier run")
    assert run("reconstruct", cars, out, "--jobs", 2, "--url", url) == 0
    assert sorted(path.name for path in out.iterdir()) == [f"{seed}.png" for seed in range(6)]
    assert len(front.asked) == 5
    assert front.most <= 2
    assert (out / "2.png").read_bytes() == b"from an earlier run"
    assert "1 of 6 files are done already" in capsys.readouterr().err


def test_codes_of_a_folder_decode_to_a_folder(url: str, cars: Path, tmp_path: Path) -> None:
    assert run("encode", cars, tmp_path / "codes", "--url", url) == 0
    assert run("decode", tmp_path / "codes", tmp_path / "squares", "--url", url) == 0
    assert len(list((tmp_path / "squares").glob("*.png"))) == 6


def test_a_spoilt_file_fails_alone(url: str, cars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (cars / "3.jpg").write_text("these are words")
    assert run("encode", cars, tmp_path / "codes", "--url", url) == 1
    said = capsys.readouterr().err
    assert "3.jpg: 415: expected an image" in said
    assert "1 of 6 files came to nothing" in said
    assert len(list((tmp_path / "codes").iterdir())) == 5


def test_the_pause_is_the_one_that_the_server_asks_for(url: str, front: Front, pauses: list[float]) -> None:
    later = email.utils.formatdate(time.time() + 60, usegmt=True)
    front.refusals = [
        ("429 Too Many Requests", {"Retry-After": "7"}),
        ("503 Service Unavailable", {"Retry-After": later}),
        ("503 Service Unavailable", {}),
        ("503 Service Unavailable", {"Retry-After": "soon"}),
    ]
    assert opened(Client(url).random())
    assert pauses[0] == 7
    assert 30 < pauses[1] <= 60
    assert 2 <= pauses[2] <= 6
    assert 4 <= pauses[3] <= 12


def test_an_upload_is_sent_whole_again(url: str, front: Front, pauses: list[float], car: Path) -> None:
    front.refusals = [("503 Service Unavailable", {"Retry-After": "1"})]
    assert len(Client(url).encode(car)["mean"]) == 192
    assert pauses == [1]


def test_a_server_that_stays_busy_is_given_up(url: str, front: Front, pauses: list[float]) -> None:
    front.refusals = [("429 Too Many Requests", {"Retry-After": "1"})] * 10
    with pytest.raises(Refused, match="429: not now"):
        Client(url).random()
    assert len(pauses) == 5


def test_a_pause_too_long_is_not_waited_for(url: str, front: Front, pauses: list[float]) -> None:
    front.refusals = [("503 Service Unavailable", {"Retry-After": "3600"})]
    with pytest.raises(Refused, match="503"):
        Client(url).random()
    assert pauses == []


def test_a_refusal_names_what_is_wrong(url: str, pauses: list[float]) -> None:
    with pytest.raises(Refused, match=r"422: count must be from 1 to 64 \(count: 65\)") as refused:
        Client(url).random(count=65)
    assert refused.value.status == 422
    assert pauses == []


def test_no_server_is_said_after_some_attempts(pauses: list[float]) -> None:
    with socket.socket() as taken:  # nobody listens on it, and nobody else can
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(ClientError, match="no connection at the last of 6 attempts"):
            Client(f"http://127.0.0.1:{taken.getsockname()[1]}").random()
    assert len(pauses) == 5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["random", "cars.bmp"], "cars.bmp: ends with '.bmp'; expected .png"),
        (["random", "cars.png", "--url", "cars.example"], "'cars.example' is not an address"),
        (["reconstruct", "nowhere.jpg", "out.png"], "nowhere.jpg: No such file"),
        (["reconstruct", "empty", "out"], "empty: holds no .avif"),
        (["reconstruct", "twins", "out"], "two files are called 'car'"),
        (["encode", "twins", "out", "--jobs", "0"], "--jobs is 0; expected 1 or more"),
        (["encode", "twins/car.png", "out.png"], "a latent is written as .json"),
        (["decode", "empty.json", "out.png"], "empty.json: no JSON with 'mean' or 'latents'"),
    ],
)
def test_a_wrong_argument_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("empty", "twins"):
        (tmp_path / folder).mkdir()
    (tmp_path / "empty.json").write_text("{}")
    for suffix in ("jpg", "png"):
        drawings.car(1).save(tmp_path / "twins" / f"car.{suffix}")
    assert run(*arguments) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_the_command_explains_itself() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "client.py"), "--help"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    for name in ("reconstruct", "random", "interpolate", "encode", "decode"):
        assert name in result.stdout
