"""The packaged function, unpacked and read-only, under AWS's runtime client."""

import base64
import gzip
import io
import json
import os
import signal
import time
import typing as t
import zipfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import flask
import pytest
from PIL import Image

from deploy.emulated import lambda_runtime
from deploy.emulated.lambda_runtime import RuntimeApi
from handler.settings import ENGINES

EVENTS = Path(lambda_runtime.__file__).parent / "events"
MB = 1_000_000


@pytest.fixture(scope="module")
def unpacked(
    function_zip: t.Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[t.Callable[[str], Path]]:
    """Unpack the function of an engine as it lies in /var/task."""
    folders: dict[str, Path] = {}

    def unpack(engine: str) -> Path:
        if engine not in folders:
            folders[engine] = tmp_path_factory.mktemp("task")
            with zipfile.ZipFile(function_zip(engine)) as archive:
                archive.extractall(folders[engine])
            for path in (folders[engine], *folders[engine].rglob("*")):
                path.chmod(0o555)
        return folders[engine]

    yield unpack
    for folder in folders.values():
        for path in (folder, *folder.rglob("*/")):
            path.chmod(0o755)


@pytest.fixture(scope="module")
def code(unpacked: t.Callable[[str], Path]) -> Path:
    """The TorchScript function's code."""
    return unpacked("torchscript")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lambda_runtime.copy_client(tmp_path_factory.mktemp("client"))


@pytest.fixture
def start(code: Path, client: Path, tmp_path: Path, bundle: Path) -> t.Callable[..., t.Any]:
    """Start the function with the tiny bundle and this test's own /tmp."""

    def start(**environment: str) -> t.Any:
        variables = {"CARVAE_BUNDLE": str(bundle), "CARVAE_ORIGINS": "https://cars.example"} | environment
        return lambda_runtime.start(code, client, tmp_path, **variables)

    return start


class Running(t.NamedTuple):
    api: RuntimeApi
    engine: str
    pid: int
    tmp: Path
    peak: t.Callable[[], int]


@pytest.fixture(scope="module", params=ENGINES)
def running(
    request: pytest.FixtureRequest,
    unpacked: t.Callable[[str], Path],
    client: Path,
    bundle: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Running]:
    """One function for all tests that only ask it something."""
    tmp = tmp_path_factory.mktemp("tmp")
    variables = {"CARVAE_BUNDLE": str(bundle), "CARVAE_ORIGINS": "https://cars.example", "CARVAE_ENGINE": request.param}
    with lambda_runtime.start(unpacked(request.param), client, tmp, **variables) as (api, process):
        api.invoke(event("v2-random"))
        yield Running(api, request.param, process.pid, tmp, lambda: lambda_runtime.peak_memory(process))


def event(name: str, **changes: t.Any) -> t.Any:
    return json.loads((EVENTS / f"{name}.json").read_text()) | changes


def header(answer: t.Any, name: str) -> str:
    headers = answer.get("headers") or {key: values[0] for key, values in answer["multiValueHeaders"].items()}
    return t.cast(str, headers[name])


def libraries(tmp: Path) -> list[str]:
    return sorted(path.name for path in tmp.glob("carvae-*/*.so"))


def test_keys_that_are_not_in_the_environment_are_found_by_the_runtimes_boto3(
    unpacked: t.Callable[[str], Path], bundle: Path, s3_server: str, serve: t.Callable[[t.Any], str], tmp_path: Path
) -> None:
    # With SnapStart, Lambda gives an address for them.
    keys = {"AccessKeyId": "test", "SecretAccessKey": "test", "Token": "test", "Expiration": "2100-01-01T00:00:00Z"}
    asked: list[str | None] = []
    app = flask.Flask("credentials")

    @app.get("/")
    def credentials() -> flask.Response:
        asked.append(flask.request.headers.get("Authorization"))
        return flask.jsonify(keys)

    given = {"region_name": "us-east-1", "aws_access_key_id": "test", "aws_secret_access_key": "test"}
    bucket = boto3.resource("s3", endpoint_url=s3_server, **given).create_bucket(Bucket="cars")
    for path in bundle.iterdir():
        bucket.upload_file(str(path), f"models/test-1/{path.name}")
    runtime = lambda_runtime.copy_client(tmp_path / "runtime", lambda_runtime.CLIENT + lambda_runtime.BOTO3)
    environment = {
        "CARVAE_BUNDLE": "s3://cars/models/test-1",
        "CARVAE_ENGINE": "onnx",
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": serve(app),
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "of this function",
    }
    with lambda_runtime.start(unpacked("onnx"), runtime, tmp_path, **environment) as (api, _):
        assert api.invoke(event("v2-random"))["statusCode"] == 200
    assert set(asked) == {"of this function"}


@pytest.mark.parametrize("name", ["v2-reconstruct-multipart", "v1-reconstruct-raw"])
def test_an_uploaded_car_comes_back_as_a_png(running: Running, name: str) -> None:
    answer = running.api.invoke(event(name))
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, True)
    assert header(answer, "Content-Type") == "image/png"
    with Image.open(io.BytesIO(base64.b64decode(answer["body"], validate=True))) as image:
        image.load()
        assert (image.format, image.size) == ("PNG", (32, 21))


@pytest.mark.parametrize("name", ["v2-random", "v1-random"])
def test_random_cars_come_back_as_json(running: Running, name: str) -> None:
    answer = running.api.invoke(event(name))
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, True)  # compressed, as the event allows
    assert len(json.loads(gzip.decompress(base64.b64decode(answer["body"])))["cars"]) == 2


@pytest.mark.parametrize("name", ["v2-no-file", "v1-no-file"])
def test_a_mistake_comes_back_as_a_problem(running: Running, name: str) -> None:
    answer = running.api.invoke(event(name))
    assert answer["statusCode"] == 400
    assert header(answer, "Content-Type") == "application/problem+json"
    assert json.loads(answer["body"])["parameter"] == "image"


def test_a_preflight_names_the_origin(running: Running) -> None:
    answer = running.api.invoke(event("v2-preflight"))
    assert header(answer, "Access-Control-Allow-Origin") == "https://cars.example"


def test_an_event_of_no_gateway_is_reported_and_the_next_is_answered(running: Running) -> None:
    running.api.events.put(("1", {"Records": []}))
    kind, body = running.api.report()
    assert (kind, "errorMessage" in body) == ("error", True)
    assert running.api.invoke(event("v2-random"))["statusCode"] == 200


def test_torch_is_there_for_its_engine_only_and_from_the_packed_libraries(running: Running) -> None:
    maps = Path(f"/proc/{running.pid}/maps").read_text()
    loaded = {line.split()[-1] for line in maps.splitlines() if "libtorch_cpu" in line or "libtorch_python" in line}
    expected = running.tmp.glob("carvae-*/*.so")
    assert loaded == {str(path) for path in expected}
    assert bool(loaded) == (running.engine == "torchscript")


def test_tmp_and_memory_stay_within_what_is_configured(running: Running) -> None:
    used = sum(path.stat().st_size for path in running.tmp.rglob("*") if path.is_file())
    assert used <= 450 * MB
    assert running.peak() <= 1000 * MB


def test_a_second_start_takes_the_libraries_that_are_there(start: t.Callable[..., t.Any], tmp_path: Path) -> None:
    inodes = []
    for _ in range(2):
        with start() as (api, _):
            assert api.invoke(event("v2-random"))["statusCode"] == 200
        inodes.append([path.stat().st_ino for path in sorted(tmp_path.glob("carvae-*/*.so"))])
    assert inodes[0] == inodes[1]
    assert libraries(tmp_path) == ["libtorch_cpu.so", "libtorch_python.so"]


def test_two_starts_at_once_do_not_clash(start: t.Callable[..., t.Any], tmp_path: Path) -> None:
    with start() as (one, _), start() as (other, _):
        for api in (one, other):
            api.events.put(("1", event("v2-random")))
        assert [api.report().body["statusCode"] for api in (one, other)] == [200, 200]
    assert libraries(tmp_path) == ["libtorch_cpu.so", "libtorch_python.so"]
    assert not list(tmp_path.glob("carvae-*/*.part"))


def test_a_start_finishes_what_a_killed_one_left(start: t.Callable[..., t.Any], tmp_path: Path) -> None:
    with start() as (_, process):
        while not list(tmp_path.glob("carvae-*/*.part")):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.001)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert "libtorch_python.so" not in libraries(tmp_path)
    with start() as (api, _):
        assert api.invoke(event("v2-random"))["statusCode"] == 200
    assert libraries(tmp_path) == ["libtorch_cpu.so", "libtorch_python.so"]


def test_a_wrong_setting_is_reported_as_a_failed_init(start: t.Callable[..., t.Any]) -> None:
    with start(CARVAE_ENGINE="tensorflow") as (api, _):
        kind, body = api.report()
    assert kind == "init/error"
    assert "CARVAE_ENGINE='tensorflow'" in body["errorMessage"]


def test_a_temporary_folder_without_room_is_a_503_that_says_when_to_ask_again(
    start: t.Callable[..., t.Any], code: Path, tmp_path: Path
) -> None:
    key = json.loads((code / "libraries" / "index.json").read_text())["key"]
    (tmp_path / f"carvae-{key}").write_text("a file where the libraries' folder should be")
    with start() as (api, _):
        answer = api.invoke(event("v2-random"))
    assert answer["statusCode"] == 503
    assert int(header(answer, "Retry-After")) >= 1
