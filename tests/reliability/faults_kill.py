"""SIGKILL in the middle of whatever writes."""

import contextlib
import itertools
import json
import os
import pathlib
import subprocess
import sys
import time
import typing as t

import boto3

from handler import zstd

from .. import bundles, drawings
from . import disk

UNPACK = "import sys, pathlib; from handler import unpack; unpack.load_libraries(pathlib.Path(sys.argv[1]))"

#: By its path: importing the package would import torch each time.
REPLACE = """
import importlib.util, pathlib, sys
spec = importlib.util.spec_from_file_location("files", "model/data/files.py")
files = importlib.util.module_from_spec(spec)
spec.loader.exec_module(files)
print("begins", flush=True)
with files.whole_folder(pathlib.Path(sys.argv[1])) as work:
    for index in range(300):
        (work / f"{index}").write_bytes(sys.argv[2].encode() * 100)
"""

CHECKPOINT = """
import sys, torch
from model.training.runs import AtomicCheckpointIO
print("begins", flush=True)
for step in range(100):
    AtomicCheckpointIO().save_checkpoint({"step": step, "weights": torch.full((4_000_000,), float(step))}, sys.argv[1])
"""


def packed(folder: pathlib.Path, megabytes: int = 24) -> tuple[pathlib.Path, bytes]:
    """A folder as the function has it, with a library of random bytes; and those bytes."""
    folder.mkdir()
    content = os.urandom(megabytes << 20)
    halves = [content[: len(content) // 2], content[len(content) // 2 :]]
    pieces = [zstd.compress(half, options={zstd.CompressionParameter.checksum_flag: 1}) for half in halves]
    (folder / "thing.so.zst").write_bytes(b"".join(pieces))
    sizes = [(len(small), len(large)) for small, large in zip(pieces, halves, strict=True)]
    (folder / "index.json").write_text(json.dumps({"key": "k1", "packed": {"thing.so": sizes}, "load": []}))
    return folder, content


def unpacking(folder: pathlib.Path, times: int = 8) -> None:
    """A start that is killed while unpacking leaves no incomplete library and no lock; the next one unpacks it."""
    source, content = packed(folder / "packed")
    temporary = folder / "tmp"
    temporary.mkdir()
    library = temporary / "carvae-k1" / "thing.so"

    def written() -> int:
        with contextlib.suppress(FileNotFoundError):  # renamed just now
            return max((part.stat().st_size for part in library.parent.glob("*.part")), default=-1)
        return -1

    command, killed = disk.python(UNPACK, source), 0
    for least in itertools.islice(itertools.cycle((0, 1 << 20, 8 << 20, 20 << 20)), times):
        library.unlink(missing_ok=True)
        for part in library.parent.glob("*.part"):
            part.unlink()
        process = disk.start(command, TMPDIR=str(temporary))
        killed += disk.kill_when(process, lambda least=least: written() >= least)
        assert not library.exists() or library.read_bytes() == content
        status, error = disk.finish(command, TMPDIR=str(temporary))
        assert status == 0, error
        assert library.read_bytes() == content
    assert killed, "unpacking was never caught in the middle"


def replacing_a_folder(folder: pathlib.Path, times: int = 20) -> None:
    """A folder that is being replaced, as an exported bundle is, is the old one or the new one at any moment."""
    out = folder / "out"
    assert disk.finish(disk.python(REPLACE, out, "old"))[0] == 0
    old = disk.snapshot(out)
    assert disk.finish(disk.python(REPLACE, folder / "new", "new"))[0] == 0
    new = disk.snapshot(folder / "new")
    for number in range(times):
        process = disk.start(disk.python(REPLACE, out, "new"))
        assert process.stdout
        process.stdout.readline()
        time.sleep(number * 0.004)
        process.kill()
        process.communicate()
        assert disk.snapshot(out) in (old, new), f"after {number * 4} ms {out} is neither the old nor the new folder"
    disk.kill_when(disk.start(disk.python(REPLACE, out, "old")), lambda: not (out / "0").exists())
    assert disk.snapshot(out) in (old, new), f"{out} was taken away before the new folder took its place"
    assert disk.finish(disk.python(REPLACE, out, "new"))[0] == 0
    assert disk.snapshot(out) == new


def a_checkpoint(folder: pathlib.Path, times: int = 2) -> None:
    """The previous checkpoint is complete, and training can continue from it."""
    import torch

    path = folder / "last.ckpt"
    unfinished = path.with_name(".last.unfinished.ckpt")
    for _ in range(times):
        process = disk.start(disk.python(CHECKPOINT, path))
        assert process.stdout
        process.stdout.readline()

        def writing() -> bool:
            with contextlib.suppress(FileNotFoundError):
                return path.exists() and unfinished.stat().st_size > 1 << 20
            return False

        assert disk.kill_when(process, writing), "never caught in the middle"
        kept = torch.load(path, weights_only=True)
        assert (kept["weights"] == kept["step"]).all()


def preparing_data(folder: pathlib.Path) -> None:
    """A killed run leaves no output folder; the next run makes the same data as an uninterrupted one."""
    photographs = folder / "photographs"
    photographs.mkdir()
    for number in range(150):
        drawings.car(number, 320, 200).save(photographs / f"{number:03}.png")
    script = str(disk.ROOT / "scripts" / "prepare_data.py")
    command = [sys.executable, "-W", "ignore", script, str(photographs)]
    out = folder / "data" / "cars"
    process = disk.start([*command, str(out)])
    assert disk.kill_when(process, lambda: any(out.parent.glob(".cars-*/spool.npy"))), "never caught in the middle"
    assert not out.exists()
    status, error = disk.finish([*command, str(out)])
    assert status == 0, error
    assert disk.finish([*command, str(folder / "reference")])[0] == 0
    assert disk.snapshot(out) == disk.snapshot(folder / "reference")


@contextlib.contextmanager
def s3() -> t.Iterator[t.Any]:
    """A stand-in for S3 in a process of its own, and the environment of those who use it."""
    command = [sys.executable, "-m", "tests.packaged.moto_aws"]
    with subprocess.Popen(command, cwd=disk.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        url = server.stdout.readline().strip()
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
        client = boto3.client(
            "s3",
            endpoint_url=url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            region_name="us-east-1",
        )
        client.create_bucket(Bucket="cars")
        yield client, {"AWS_ENDPOINT_URL": url, **keys}
        server.kill()


def publishing(folder: pathlib.Path, stops: t.Sequence[int] = (1, 3, 6)) -> None:
    """The pointer never names an incomplete version; publishing again completes it."""
    script = str(disk.ROOT / "scripts" / "publish.py")
    with s3() as (client, environment):

        def keys() -> set[str]:
            return {entry["Key"] for entry in client.list_objects_v2(Bucket="cars").get("Contents", [])}

        def served() -> str:
            return str(
                json.loads(client.get_object(Bucket="cars", Key="models/current.json")["Body"].read())["version"]
            )

        first = bundles.make(folder / "first", version="v0")
        assert disk.finish([sys.executable, script, str(first), "s3://cars"], **environment)[0] == 0
        for stop in stops:
            bundles.edit_manifest(first, version=f"v{stop}")
            command = [sys.executable, script, str(first), "s3://cars"]
            before, prefix = served(), f"models/v{stop}/"
            process = disk.start(command, **environment)
            disk.kill_when(process, lambda: sum(key.startswith(prefix) for key in keys()) >= stop)  # noqa: B023
            whole = {prefix + path.name for path in first.iterdir()} <= keys()
            assert served() == before or (served() == f"v{stop}" and whole)
            status, error = disk.finish(command, **environment)
            assert status == 0, error
            assert served() == f"v{stop}"
            assert {prefix + path.name for path in first.iterdir()} <= keys()


FAULTS: dict[str, t.Callable[[pathlib.Path], None]] = {
    "killed while unpacking": unpacking,
    "killed while replacing a folder": replacing_a_folder,
    "killed while writing a checkpoint": a_checkpoint,
    "killed while preparing data": preparing_data,
    "killed while publishing": publishing,
}
