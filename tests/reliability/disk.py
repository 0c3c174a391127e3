"""Faults of disk and process: a command killed with SIGKILL, or out of space, and what it leaves."""

import contextlib
import hashlib
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]


def snapshot(folder: pathlib.Path) -> dict[str, str]:
    """Each file below `folder` and its digest."""
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.exists() else []
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def python(code: str, *arguments: object) -> list[str]:
    """A command line that runs `code` in this interpreter."""
    return [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)]


def start(command: t.Sequence[str], largest_file: int | None = None, **environment: str) -> "subprocess.Popen[str]":
    """Start a command; its files may not grow beyond `largest_file` bytes, as on a disk that is full there."""

    def limit() -> None:
        if largest_file is not None:
            # Ignored, the signal becomes the error EFBIG of the call that writes.
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=limit if largest_file is not None else None,  # noqa: PLW1509 - no threads here yet
    )


def finish(command: t.Sequence[str], largest_file: int | None = None, **environment: str) -> tuple[int, str]:
    """Run a command to its end; returns its status and what it wrote to standard error."""
    process = start(command, largest_file, **environment)
    _, error = process.communicate(timeout=600)
    return process.returncode, error


def kill_when(process: "subprocess.Popen[str]", ready: t.Callable[[], bool], wait_s: float = 120) -> bool:
    """Send SIGKILL as soon as `ready`; false if the process ended before."""
    end = time.monotonic() + wait_s
    while process.poll() is None and time.monotonic() < end:
        if ready():
            process.send_signal(signal.SIGKILL)
            process.communicate()
            return True
        time.sleep(0.0005)
    process.kill()
    process.communicate()
    return False


@contextlib.contextmanager
def small_disk(megabytes: int) -> t.Iterator[pathlib.Path | None]:
    """A file system of that size, or None where this user may not mount one."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder]
        try:
            mounted = os.getuid() == 0 and subprocess.run(command, check=False, capture_output=True).returncode == 0
        except FileNotFoundError:
            mounted = False
        try:
            yield pathlib.Path(folder) if mounted else None
        finally:
            if mounted:
                subprocess.run(["umount", "-l", folder], check=True)
