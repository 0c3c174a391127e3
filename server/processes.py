"""Several server processes on one listener, for more than one interpreter lock.

Threads of one process take turns at Python's interpreter lock, so one process can't use many cores to the full.
"""

import contextlib
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
import typing as t
from collections.abc import Callable

#: A process gets it when its parent ends. Unlike a second SIGTERM, it never interrupts an answer.
PARENT_ENDS = signal.SIGUSR1

#: Seconds between two looks at the processes. A signal that comes just before a call that waits does not interrupt it,
#: so none waits for longer.
PERIOD_S = 0.1


class Serve(t.Protocol):
    """Serves until it is told to end; returns the process's exit status."""

    def __call__(self, *, first: bool, ready: Callable[[], None]) -> int: ...


def run(count: int, listener: socket.socket, serve: Serve) -> int:
    """Run `serve` in processes of its own until SIGINT or SIGTERM; returns the exit status.

    One process after another is started, each once the one before it serves. So a model that can't be loaded is
    reported once. A process that serves and then dies is replaced; one that never serves ends them all. They finish
    their answers when this process ends, whatever ends it.

    Parameters
    ----------
    count
        Number of processes.
    listener
        Where they accept connections. This process closes it when they are to end: clients that connect after that
        are refused instead of kept waiting.
    serve
        Called in each of them. `first` tells whether it is the one that prints the address; it calls `ready` when it
        serves. SIGINT, SIGTERM and `PARENT_ENDS` raise KeyboardInterrupt until it sets handlers of its own.
    """
    group = _Group(serve)
    try:
        status = 0 if all(group.start(first=index == 0) for index in range(count)) else 1
        while not status:
            print(f"serve: a process ended, {group.wait()}; it is replaced", file=sys.stderr, flush=True)
            status = 0 if group.start(first=False) else 1
    except KeyboardInterrupt:
        status = 0
    listener.close()
    group.end()
    return status


class _Group:
    """The processes, and a pipe of which they see the end when this process is gone."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._alive, self._held = os.pipe()
        self._children: set[int] = set()

    def start(self, *, first: bool) -> bool:
        """Start a process and wait until it serves; false if it ends before."""
        said, tell = os.pipe()
        child = os.fork()
        if not child:
            os.close(said)
            os.close(self._held)
            self._run(tell, first=first)
        self._children.add(child)
        os.close(tell)
        while not select.select([said], [], [], PERIOD_S)[0]:
            pass
        served = os.read(said, 1) == b"1"
        os.close(said)
        return served

    def _run(self, tell: int, *, first: bool) -> t.NoReturn:
        status = 1
        try:
            signal.signal(PARENT_ENDS, signal.default_int_handler)
            threading.Thread(target=self._follow, daemon=True).start()
            status = self._serve(first=first, ready=lambda: _say(tell))
        except Exception:
            traceback.print_exc()
        finally:
            os._exit(status)  # never on into what the parent does next

    def _follow(self) -> None:
        os.read(self._alive, 1)
        os.kill(os.getpid(), PARENT_ENDS)

    def wait(self) -> str:
        """Wait until a process ends; says how it did."""
        child = 0
        while not child:
            time.sleep(PERIOD_S)
            child, how = os.waitpid(-1, os.WNOHANG)
        self._children.discard(child)
        code = os.waitstatus_to_exitcode(how)
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"with status {code}"

    def end(self) -> None:
        """Let all finish their answers, and wait for them; a further signal kills them."""
        os.close(self._held)
        try:
            while self._children:
                self.wait()
        except KeyboardInterrupt:
            for child in self._children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)


def _say(pipe: int) -> None:
    os.write(pipe, b"1")
    os.close(pipe)
