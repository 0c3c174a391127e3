"""No space left, and a clock that jumps."""

import json
import pathlib
import sys
import time
import typing as t
from unittest import mock

import pytest

from handler import admission, loading
from handler.errors import Problem
from handler.settings import Settings

from .. import bundles, drawings
from . import disk, faults_kill

SPACE = "No space left on device"


class NoSmallDisk(Exception):  # noqa: N818 - an outcome
    """The user may not mount a small file system."""


def unpacking(folder: pathlib.Path) -> None:
    """The start fails with the system's own words, leaves no library, and works once there is room."""
    source, content = faults_kill.packed(folder / "packed", 8)
    (folder / "tmp").mkdir()
    command = disk.python(faults_kill.UNPACK, source)
    status, error = disk.finish(command, 3 << 20, TMPDIR=str(folder / "tmp"))
    assert status != 0
    assert "File too large" in error or SPACE in error, error
    library = folder / "tmp" / "carvae-k1" / "thing.so"
    assert not library.exists()
    assert disk.finish(command, TMPDIR=str(folder / "tmp"))[0] == 0
    assert library.read_bytes() == content


def caching(folder: pathlib.Path) -> None:
    """A model from S3 is served although its cache can't be written, and /health says so."""
    bundle = bundles.make(folder / "bundle")
    with faults_kill.s3() as (client, environment):
        for path in bundle.iterdir():
            client.put_object(Bucket="cars", Key=f"models/v/{path.name}", Body=path.read_bytes())
        (folder / "file").write_text("no folder")
        with mock.patch.dict("os.environ", environment):
            settings = Settings("s3://cars/models/v", engine="onnx", cache=folder / "file" / "cache")
            loader = loading.Loader(settings)
            loader.wait(60)
    assert loader.model, loader.detail
    assert loader.state == "degraded"
    assert "the cache can't be written" in (loader.detail or "")


def preparing_data(folder: pathlib.Path) -> None:
    """The command says that the disk is full, in a line, and leaves nothing; with room it works."""
    photographs = folder / "photographs"
    photographs.mkdir()
    for number in range(60):
        drawings.car(number, 200, 140).save(photographs / f"{number:03}.png")
    command = [sys.executable, "-W", "ignore", str(disk.ROOT / "scripts" / "prepare_data.py"), str(photographs)]
    with disk.small_disk(1) as small:
        if small is None:
            raise NoSmallDisk("mounting one needs root")
        status, error = disk.finish([*command, str(small / "cars")])
        assert status == 1, (status, error)
        assert "the disk is full; nothing was written" in error
        assert "Traceback" not in error
        assert not list(small.iterdir())
    assert disk.finish([*command, str(folder / "cars")])[0] == 0


def clock_jumps(folder: pathlib.Path) -> None:
    """Retries and limits go by the monotonic clock: a day back or forth changes nothing."""
    loader = loading.Loader(Settings(str(folder / "nowhere")))
    loader.wait(60)
    bucket = admission.Rate(1)
    bucket.take("a")
    now = time.time()
    for jump in (-86_400, 86_400):
        with mock.patch("time.time", return_value=now + jump):
            assert 1 <= loader.retry_after() <= loading.BACK_OFF_S[1]
            with pytest.raises(Problem) as caught:
                bucket.take("a")
            assert 1 <= int(caught.value.headers["Retry-After"]) <= 61
    time.sleep(1.1)
    bundles.make(folder / "nowhere")
    with mock.patch("time.time", return_value=now - 86_400):
        end = time.monotonic() + 60
        while loader.model is None and time.monotonic() < end:
            loader.retry_if_due()
            loader.wait(60)
            time.sleep(0.1)
    assert loader.model, json.dumps(loader.detail)


FAULTS: dict[str, t.Callable[[pathlib.Path], None]] = {
    "no space while unpacking": unpacking,
    "no space for the cache": caching,
    "no space while preparing data": preparing_data,
    "clock jumps": clock_jumps,
}
