"""Several server processes, which here only say who they are and sleep."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest

#: Each process appends its number to a file. Told to end, it closes its listener and takes some time to finish.
PROGRAM = """
    import os, signal, socket, sys, time
    from server import processes

    def serve(*, first, ready):
        signals = []
        for each in (signal.SIGTERM, processes.PARENT_ENDS):
            signal.signal(each, lambda signum, _: signals.append(signum))
        if {fails}:
            return 3
        ready()
        with open({started!r}, "a") as file:
            print(os.getpid(), first, file=file)
        while not signals:
            time.sleep(0.01)
        listener.close()
        time.sleep({seconds})
        with open({finished!r}, "a") as file:
            print(os.getpid(), file=file)
        return 0

    for each in (signal.SIGINT, signal.SIGTERM):  # a shell starts background jobs with SIGINT ignored
        signal.signal(each, signal.default_int_handler)
    listener = socket.socket(fileno=int(sys.argv[1]))
    sys.exit(processes.run(2, listener, serve))
"""


class Group:
    """The parent's process, and what its children wrote."""

    def __init__(self, folder: Path, fails: str, seconds: float) -> None:
        self._started, self._finished = folder / "started", folder / "finished"
        code = PROGRAM.format(fails=fails, seconds=seconds, started=str(self._started), finished=str(self._finished))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.address = listener.getsockname()
            self.process = subprocess.Popen(
                [sys.executable, "-c", textwrap.dedent(code), str(listener.fileno())],
                stderr=subprocess.PIPE,
                text=True,
                pass_fds=[listener.fileno()],
                start_new_session=True,
            )

    def started(self, count: int) -> list[int]:
        """Wait for so many processes, those that ended included; their numbers."""
        return [int(line.split()[0]) for line in self._lines(self._started, count)]

    def first(self) -> list[bool]:
        """Whether each was told that it is the first; that one leads here, as they write side by side."""
        return sorted((line.split()[1] == "True" for line in self._lines(self._started, 0)), reverse=True)

    def finished(self, count: int) -> set[int]:
        """Wait until so many have finished in good order; their numbers."""
        return {int(line) for line in self._lines(self._finished, count)}

    @staticmethod
    def _lines(path: Path, count: int) -> list[str]:
        end = time.monotonic() + 60
        while True:
            lines = path.read_text().splitlines() if path.exists() else []
            if len(lines) >= count:
                return lines
            assert time.monotonic() < end, f"{len(lines)} of {count} processes after a minute"
            time.sleep(0.02)


@contextlib.contextmanager
def group(folder: Path, fails: str = "False", seconds: float = 0.2) -> Iterator[Group]:
    running = Group(folder, fails, seconds)
    try:
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.process.pid, signal.SIGKILL)
        running.process.communicate(timeout=30)


def said(running: Group) -> str:
    return t.cast(str, running.process.communicate(timeout=30)[1])


def test_each_process_serves_and_one_is_the_first(tmp_path: Path) -> None:
    with group(tmp_path) as running:
        assert len(set(running.started(2))) == 2
        assert running.first() == [True, False]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_parent_lets_all_finish(tmp_path: Path, how: signal.Signals) -> None:
    with group(tmp_path) as running:
        children = running.started(2)
        running.process.send_signal(how)
        assert said(running) == ""
        assert running.process.returncode == 0
        assert running.finished(2) == set(children)


def test_a_signal_to_the_whole_group_lets_all_finish(tmp_path: Path) -> None:
    with group(tmp_path) as running:
        children = running.started(2)
        os.killpg(running.process.pid, signal.SIGTERM)
        assert said(running) == ""
        assert running.finished(2) == set(children)


def test_a_process_that_dies_is_replaced(tmp_path: Path) -> None:
    with group(tmp_path) as running:
        dead = running.started(2)[1]
        os.kill(dead, signal.SIGKILL)
        alive = running.started(3)[2]
        running.process.terminate()
        assert said(running) == "serve: a process ended, killed by SIGKILL; it is replaced\n"
        assert alive in running.finished(2)
        assert dead not in running.finished(2)


def test_all_finish_when_the_parent_is_killed(tmp_path: Path) -> None:
    with group(tmp_path) as running:
        children = running.started(2)
        running.process.kill()
        assert running.finished(2) == set(children)


def test_a_process_that_never_serves_ends_them_all(tmp_path: Path) -> None:
    with group(tmp_path, fails="not first") as running:
        assert said(running) == ""
        assert running.process.returncode == 1
        assert len(running.finished(1)) == 1


def test_while_they_finish_new_clients_are_refused(tmp_path: Path) -> None:
    with group(tmp_path, seconds=600) as running:
        running.started(2)
        socket.create_connection(running.address).close()
        running.process.terminate()
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                socket.create_connection(running.address, timeout=5).close()
            except ConnectionRefusedError:
                break
            time.sleep(0.02)
        else:
            pytest.fail("clients are still accepted a minute later")
        assert running.process.poll() is None
