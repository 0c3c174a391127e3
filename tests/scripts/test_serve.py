"""The local server in a process of its own."""

import gzip
import json
import os
import re
import signal
import socket
import subprocess
import sys
import typing as t
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "serve.py"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"


def run(*arguments: str) -> "subprocess.Popen[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CARVAE_")}
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def started(process: "subprocess.Popen[str]") -> str:
    """The address that it prints."""
    assert process.stdout
    for line in process.stdout:
        if found := re.search(r"on (http://\S+)", line):
            return found[1]
    assert process.stderr
    raise AssertionError(process.stderr.read())


@pytest.fixture(scope="module")
def address(bundle: Path) -> Iterator[str]:
    with run("--bundle", str(bundle), "--port", "0") as process:
        yield started(process)
        process.terminate()
        process.communicate(timeout=30)


def get(url: str, accept: str = "*/*", data: bytes | None = None) -> t.Any:
    headers = {"Accept": accept, "Content-Type": "image/png"}
    request = urllib.request.Request(url, data, headers)
    try:
        return urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        return error


def test_a_browser_gets_the_page_and_a_client_the_discovery(address: str) -> None:
    with get(f"{address}/", BROWSER) as page:
        assert page.headers["Content-Type"].startswith("text/html")
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert set(page.headers["Vary"].split(", ")) == {"Accept-Encoding", "Accept"}
        assert b"<html" in page.read()
    for accept in ("*/*", "application/json"):
        with get(f"{address}/", accept) as discovery:
            assert json.load(discovery)["model"]["name"] == "tiny"


def test_files_come_compressed_to_those_who_take_it(address: str) -> None:
    request = urllib.request.Request(f"{address}/style.css", headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=30) as packed, get(f"{address}/style.css") as plain:
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.read()) == plain.read()


def test_the_api_answers_beside_the_page(address: str, car_png: bytes) -> None:
    with get(f"{address}/reconstruct", "image/png", car_png) as answer:
        assert answer.read().startswith(b"\x89PNG")
    with get(f"{address}/health") as answer:
        assert json.load(answer)["status"] == "ready"
    with get(f"{address}/openapi.json") as answer:
        assert json.load(answer)["openapi"]


def test_a_file_that_is_not_there_and_a_large_upload_are_problems(address: str) -> None:
    for path, data, status in (
        ("/none.js", None, 404),
        ("/../serverless.yml", None, 404),
        ("/encode", bytes(5_000_000), 413),
    ):
        with get(address + path, data=data) as answer:
            assert answer.status == status
            assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_cleanly(bundle: Path, how: signal.Signals) -> None:
    with run("--bundle", str(bundle), "--port", "0") as process:
        started(process)
        process.send_signal(how)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out.endswith("stopped\n")
    assert "Traceback" not in err


def test_a_port_in_use_is_one_line(bundle: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with run("--bundle", str(bundle), "--port", str(port)) as process:
            out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (1, "")
    assert err == f"serve: 127.0.0.1:{port} is in use; choose another with --port\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--bundle", "nowhere"], "nowhere: manifest.json: No such file or directory in the bundle's folder"),
        (["--bundle", "http://cars"], "serve: CARVAE_BUNDLE='http://cars': expected a folder"),
        (["--port", "70000"], "'70000' is no port"),
        (["--processes", "0"], "'0' is no number of processes; expected 1 to 64"),
        (["--host", "192.0.2.1"], "serve: 192.0.2.1:0 "),
    ],
)
def test_a_wrong_argument_is_said_without_a_traceback(arguments: list[str], said: str) -> None:
    with run("--port", "0", *arguments) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert said in err
    assert "Traceback" not in err


def test_two_processes_answer_on_one_address_and_one_signal_ends_them(bundle: Path) -> None:
    with run("--bundle", str(bundle), "--port", "0", "--processes", "2") as process:
        address = started(process)
        for _ in range(4):
            with get(f"{address}/random?count=1&seed=1", "image/png") as answer:
                assert answer.read().startswith(b"\x89PNG")
        process.terminate()
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out.endswith("stopped\n")
    assert "Traceback" not in err


def test_of_two_processes_only_one_complains_of_a_bundle(tmp_path: Path) -> None:
    with run("--bundle", str(tmp_path), "--port", "0", "--processes", "2") as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.count("serve: there is no model to serve") == 1
    assert out.count("loading the model") == 1


def test_processes_that_cannot_count_together_refuse_a_rate(bundle: Path) -> None:
    environment = {**os.environ, "CARVAE_RATE": "60"}
    command = [sys.executable, str(SCRIPT), "--bundle", str(bundle), "--port", "0", "--processes", "2"]
    said = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert said.returncode == 1
    assert said.stderr == "serve: CARVAE_RATE=60: 2 processes can't count together; expected --processes 1\n"


@pytest.mark.parametrize("bundle", ["s3://cars/models/one", "build/mine"])
def test_make_makes_no_bundle_but_its_own(bundle: str) -> None:
    command = ["make", "--dry-run", "run", f"BUNDLE={bundle}"]
    said = subprocess.run(command, cwd=SCRIPT.parent.parent, text=True, capture_output=True, check=False)
    assert (said.returncode, said.stderr) == (0, "")
    assert f"--bundle {bundle} " in said.stdout
    assert "export.py" not in said.stdout


def test_make_serves_with_the_engine_that_is_asked_for() -> None:
    command = ["make", "--dry-run", "run", "BUNDLE=build/mine"]
    asked, plain = (
        subprocess.run([*command, *more], cwd=SCRIPT.parent.parent, text=True, capture_output=True, check=True).stdout
        for more in (["ENGINE=onnx-int8"], [])
    )
    assert "CARVAE_ENGINE=onnx-int8 exec" in asked
    assert "CARVAE_ENGINE" not in plain
