"""The page on one origin, the packaged function behind serverless-offline's gateway on another."""

import functools
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import typing as t
import urllib.request
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from deploy import site

from .. import BUILT, osls
from . import visitor

ROOT = Path(__file__).parent.parent.parent
OFFLINE = Path(__file__).parent / "offline"


@pytest.fixture(scope="module")
def programs() -> Path:
    """What its ``package-lock.json`` pins, installed once for all runs."""
    osls.need_node()
    folder = BUILT / "offline"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(OFFLINE / name, folder / name)
    return osls.install(folder)


@pytest.fixture(scope="module")
def page_address(tmp_path_factory: pytest.TempPathFactory, api_port: int) -> Iterator[str]:
    """The site as it is deployed, on an origin of its own."""
    folder = tmp_path_factory.mktemp("site")
    for name, data in site.files(ROOT / "static", f"http://127.0.0.1:{api_port}").items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    handler = functools.partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def api_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def gateway(
    function_zip: t.Callable[[str], Path],
    programs: Path,
    page_address: str,
    api_port: int,
    bundle: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """Address of the API."""
    folder = tmp_path_factory.mktemp("service")
    with zipfile.ZipFile(function_zip("onnx")) as archive:
        archive.extractall(folder)
    shutil.copyfile(OFFLINE / "serverless.yml", folder / "serverless.yml")
    (folder / "package.json").write_text("{}")
    (folder / "node_modules").symlink_to(programs)
    environment = os.environ | {
        "RUNTIME": f"python{sys.version_info.major}.{sys.version_info.minor}",
        "VIRTUAL_ENV": sys.prefix,
        "BUNDLE": str(bundle),
        "ORIGIN": page_address,
        "HTTP_PORT": str(api_port),
        "LAMBDA_PORT": str(free_port()),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    address = f"http://127.0.0.1:{api_port}"
    log = (folder / "log").open("w")
    command = [str(programs / ".bin" / "osls"), "offline"]
    with log, subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log) as process:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/health", timeout=60).close()
                break
            except OSError:
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.25)
        yield address
        process.terminate()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def open_site(open_page: t.Callable[..., Page], page_address: str, gateway: str) -> t.Callable[[str], Page]:
    return lambda hash_: open_page(hash_, address=page_address)


def test_an_upload_comes_back_across_origins(open_site: t.Callable[[str], Page], car_png: bytes) -> None:
    page = open_site("#reconstruct")
    visitor.upload(page, car_png)
    expect(page.locator("#result")).to_have_class(re.compile("is-full"))
    before, after = visitor.pictures(page, "#compare img")
    assert before.startswith("data:image/png")
    assert before != after


def test_random_cars_come_across_origins(open_site: t.Callable[[str], Page]) -> None:
    page = open_site("#random?seed=7&count=4")
    visitor.wait_for_cars(page, 4)
    assert len(set(visitor.pictures(page))) == 4


def test_a_json_request_asks_first_and_a_morph_follows(open_site: t.Callable[[str], Page], gateway: str) -> None:
    page = open_site("#random?seed=7&count=1")
    visitor.wait_for_cars(page, 1)
    script = """async (url) => {
        const headers = { "Content-Type": "application/json" };
        const body = JSON.stringify({ start: { seed: 7, index: 0 }, end: { seed: 7, index: 1 } });
        const answer = await fetch(url, { method: "POST", headers, body });
        return [answer.status, (await answer.json()).frames.length];
    }"""
    assert page.evaluate(script, f"{gateway}/interpolate?steps=5") == [200, 5]


def test_an_image_comes_through_the_gateway_intact(gateway: str, car_png: bytes) -> None:
    # Apart from forms, serverless-offline keeps a body's bytes only for this type; AWS's gateway also for image/*.
    headers = {"Content-Type": "application/octet-stream", "Accept": "image/png"}
    request = urllib.request.Request(f"{gateway}/reconstruct", car_png, headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        data = response.read()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert data.endswith(b"IEND\xaeB`\x82")
