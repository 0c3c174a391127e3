"""Each command of the README is run, or is listed here with the reason why not."""

import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import typing as t
import urllib.error
import urllib.request

import pytest
from PIL import Image

from model.data import drawings

from .scripts.test_learning_commands import run

ROOT = pathlib.Path(__file__).resolve().parent.parent

#: Commands that other tests cover.
ELSEWHERE = {
    "make test": "this is it",
    "make run BUNDLE=build/mine": "the server is tested with a bundle of its own in tests/scripts/test_serve.py",
}

#: Limit until the server is ready: it takes seconds, but longer on a busy machine.
READY_S = 400

#: It asks the server, the learner's commands don't.
CLIENT = "scripts/client.py"

#: What keeps a learner's command within seconds.
SHORTER = {
    "scripts/train.py": ["--data.limit=16", "--data.batch_size=8", "--trainer.max_epochs=1", "--report=false"],
    "scripts/export.py": ["--mixture-axes=8", "--components=2"],
}


def commands(program: str) -> list[list[str]]:
    """The README's commands that begin with ``program``."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line and line not in ELSEWHERE]
    unknown = [line for line in lines if line.split()[0] not in {"make", "curl", "python"}]
    assert not unknown, f"{unknown[0]!r} is neither run here nor excused"
    return [shlex.split(line) for line in lines if line.split()[0] == program]


def need(program: str) -> None:
    if shutil.which(program):
        return
    if os.environ.get("CI"):
        pytest.fail(f"{program} is not installed")
    pytest.skip(f"{program} is not installed")


@pytest.fixture(scope="module")
def address() -> t.Iterator[str]:
    """The address of ``make run``, as the README has it but for the port."""
    need("make")
    assert commands("make") == [["make", "run"]]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        ["make", "run", f"PORT={port}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield _when_ready(server, f"http://127.0.0.1:{port}")
    finally:
        os.killpg(server.pid, signal.SIGINT)
        output = t.cast(t.IO[bytes], server.stdout).read().decode()
        server.wait(30)
        t.cast(t.IO[bytes], server.stdout).close()
    assert "Traceback" not in output


def _when_ready(server: "subprocess.Popen[bytes]", address: str) -> str:
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        assert server.poll() is None, t.cast(t.IO[bytes], server.stdout).read().decode()
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5) as answer:
                assert json.load(answer)["status"] == "ready"
                return address
        except urllib.error.HTTPError as error:
            error.close()
        except OSError:
            pass
        time.sleep(0.25)
    pytest.fail(f"make run was not ready after {READY_S} s")


def test_the_clients_command_rebuilds_a_folder(address: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "PHOTOGRAPHS").mkdir()
    drawings.car(0).save(tmp_path / "PHOTOGRAPHS" / "car.jpg")
    (command,) = (command for command in commands("python") if command[1] == CLIENT)
    arguments = [part.replace("http://127.0.0.1:8000", address) for part in command[2:]]
    subprocess.run([sys.executable, ROOT / CLIENT, *arguments], cwd=tmp_path, check=True)
    assert len(list((tmp_path / "REBUILT").iterdir())) == 1


@pytest.mark.parametrize("command", commands("curl"), ids=lambda command: command[-1])
def test_the_apis_commands_give_what_they_say(command: list[str], address: str, tmp_path: pathlib.Path) -> None:
    need("curl")
    for seed, name in enumerate(("car.jpg", "a.jpg", "b.jpg")):
        drawings.car(seed).save(tmp_path / name)
    command = [part.replace("http://127.0.0.1:8000", address) for part in command]
    subprocess.run([*command, "--fail", "--silent", "--show-error"], cwd=tmp_path, check=True)
    with Image.open(tmp_path / command[command.index("-o") + 1]) as image:
        assert image.format == command[-1].rsplit(".", 1)[1].upper()
        if command[-1] == "reconstruction.png":
            assert max(image.size) == 256
        if command[-1] == "morph.gif":
            assert getattr(image, "n_frames", 1) == 16


def test_the_page_is_served(address: str) -> None:
    request = urllib.request.Request(address, headers={"Accept": "text/html"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert b"<title>carvae" in answer.read()


def test_the_learners_commands_run_one_after_the_other(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    photographs = tmp_path / "PHOTOGRAPHS"
    photographs.mkdir()
    lines = ["file,split"]
    for seed in range(60):  # with 12 for testing only reconstructions are scored; the judge's other sets take minutes
        drawings.car(seed).save(photographs / f"{seed}.png")
        lines.append(f"{seed}.png,{'test' if seed % 5 == 0 else 'val' if seed % 5 == 1 else 'train'}")
    (photographs / "splits.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "model").symlink_to(ROOT / "model")
    learners = [command for command in commands("python") if command[1] != CLIENT]
    # The README tells of the released model's numbers first; here the bundle to score is the one made below.
    learners.sort(key=lambda command: "scripts/evaluate.py" in command)
    for command in learners:
        arguments = ["build/mine" if part == "build/bundle" else part for part in command[1:]]
        assert run(arguments[0].removeprefix("scripts/"), *arguments[1:], *SHORTER.get(command[1], [])) == 0, command
    assert (tmp_path / "build" / "evaluation.json").is_file()
