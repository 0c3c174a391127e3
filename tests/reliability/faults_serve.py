"""What befalls a server that runs: it is told to end, its temporary folder is emptied."""

import concurrent.futures
import os
import pathlib
import shutil
from unittest import mock

from .. import bundles
from .server import Answer, Server

#: Requests at once when the server is told to end; one of them is computed at a time.
CLIENTS = 24

#: Seconds within which a server that was told to end must have ended: it finishes what is computed for 20 at most.
ENDED_S = 30.0


def told_to_end(folder: pathlib.Path) -> None:
    """On SIGTERM, waiting clients are told to come back, running requests get complete answers, and the server ends."""
    with Server(bundles.make(folder / "bundle"), concurrency=1) as server:

        def ask() -> Answer:
            return server.get("/random?count=64&size=256&seed=0", "image/png")

        right = ask()
        assert right.status == 200, right
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            asked = [pool.submit(ask) for _ in range(CLIENTS)]
            concurrent.futures.wait(asked, 60, concurrent.futures.FIRST_COMPLETED)
            status = server.end(ENDED_S)
            answers = [each.result() for each in asked]
        assert status == 0, f"exit status {status}: {server.log()[-1000:]}"
        # Who connects while the listener closes is refused by the system: status 0.
        told = [answer for answer in answers if answer.status not in (0, 200)]
        assert all(answer.body == right.body for answer in answers if answer.status == 200)
        assert told, "every request was answered before the server was told to end"
        assert all(answer.status == 503 and answer.headers["retry-after"].isdecimal() for answer in told), told


def temporary_folder_emptied(folder: pathlib.Path) -> None:
    """Page and API are served as before when something clears temporary files."""
    temporary = folder / "tmp"
    temporary.mkdir()
    with mock.patch.dict(os.environ, TMPDIR=str(temporary)), Server(bundles.make(folder / "bundle")) as server:
        paths = ("/", "/style.css", "/random?seed=1", "/health")
        before = [server.get(path, "*/*").status for path in paths]
        for entry in temporary.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        assert before == [server.get(path, "*/*").status for path in paths] == [200] * len(paths)


FAULTS = {"told to end": told_to_end, "temporary folder emptied": temporary_folder_emptied}
