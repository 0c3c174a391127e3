"""Bundles that somebody else wrote, and an S3 that misbehaves."""

import contextlib
import functools
import http.server
import io
import pathlib
import pickle
import shutil
import threading
import time
import typing as t
import zipfile
from unittest import mock

from handler import loading
from handler.bundle import Bundle, BundleError
from handler.settings import Settings

from .. import bundles
from . import hostile


class Payload:
    """What a pickle that is loaded would do."""

    def __init__(self, marker: pathlib.Path) -> None:
        self._marker = marker

    def __reduce__(self) -> t.Any:
        return pathlib.Path.touch, (self._marker,)


def refused(folder: pathlib.Path, engine: str, said: str) -> None:
    """The bundle is not loaded, for the reason `said`."""
    loader = loading.Loader(Settings(str(folder), engine=engine))
    loader.wait(60)
    assert loader.model is None
    assert said in (loader.detail or ""), loader.detail


def _put(folder: pathlib.Path, name: str, data: bytes) -> None:
    """Put `data` under `name`, with a manifest that vouches for it, as whoever may write the bundle can."""
    import json

    (folder / name).write_bytes(data)
    files = json.loads((folder / "manifest.json").read_text())["files"]
    bundles.edit_manifest(folder, files={**files, name: bundles.checksum(data)})


def swapped(folder: pathlib.Path) -> None:
    """A swapped file is refused by its checksum or, if the manifest vouches for it, by what it computes."""
    for engine, kind in (("torchscript", "ts"), ("onnx", "onnx"), ("onnx-int8", "int8.onnx")):
        bundle = bundles.make(folder / kind)
        encoder = (bundle / f"encoder.{kind}").read_bytes()
        (bundle / f"decoder.{kind}").write_bytes(encoder)
        refused(bundle, engine, f"decoder.{kind}")
        _put(bundle, f"decoder.{kind}", encoder)
        refused(bundle, engine, "")


def truncated(folder: pathlib.Path) -> None:
    """A file cut short is refused before it is read, vouched for or not."""
    for engine, kind in (("torchscript", "ts"), ("onnx", "onnx")):
        bundle = bundles.make(folder / kind)
        half = (bundle / f"prior.{kind}").read_bytes()[:1000]
        (bundle / f"prior.{kind}").write_bytes(half)
        refused(bundle, engine, f"prior.{kind}: 1000 bytes")
        _put(bundle, f"prior.{kind}", half)
        refused(bundle, engine, f"prior.{kind}: not ")


def pickles(folder: pathlib.Path) -> None:
    """A pickle in place of TorchScript, bare or in PyTorch's archive, is not run even with a right checksum."""
    marker = folder / "executed"
    bundle = bundles.make(folder / "bundle")
    bare = pickle.dumps(Payload(marker), protocol=2)  # the one that PyTorch reads
    archive = io.BytesIO()
    with zipfile.ZipFile(bundle / "encoder.ts") as source, zipfile.ZipFile(archive, "w") as target:
        for name in source.namelist():
            target.writestr(name, bare if name.endswith(("data.pkl", "constants.pkl")) else source.read(name))
    for data in (bare, archive.getvalue()):
        _put(bundle, "encoder.ts", data)
        refused(bundle, "torchscript", "encoder.ts: not TorchScript")
    assert not marker.exists()


def hostile_torchscript(folder: pathlib.Path) -> None:
    """TorchScript that would write to a file is refused before it does, wherever in the model that stands."""
    target = folder / "target"
    bundle = bundles.make(folder / "bundle")
    for kind, data in hostile.torchscript(target).items():
        target.write_bytes(hostile.UNTOUCHED)
        _put(bundle, "encoder.ts", data)
        refused(bundle, "torchscript", "is not allowed in a model")
        assert target.read_bytes() == hostile.UNTOUCHED, kind
    _put(bundle, "encoder.ts", b"PK\3\4PTMF" + bytes(100))
    refused(bundle, "torchscript", "not an archive")


def hostile_onnx(folder: pathlib.Path) -> None:
    """ONNX whose weights lie in another file is refused, wherever that file is."""
    bundle = bundles.make(folder / "bundle")
    (folder / "secret").write_bytes(bytes(4 * 3 * bundles.GRID**2))
    with contextlib.chdir(folder):
        for place in ("secret", str(folder / "secret"), "../secret"):
            _put(bundle, "decoder.onnx", hostile.onnx_with(place))
            refused(bundle, "onnx", "decoder.onnx: not ONNX")


def checkpoints(folder: pathlib.Path) -> None:
    """A checkpoint that would run code is refused."""
    import torch

    from model.release import released

    marker = folder / "executed"
    torch.save({"state_dict": Payload(marker)}, folder / "evil.ckpt")
    try:
        released.load_checkpoint(folder / "evil.ckpt")
    except Exception:  # whatever it is called, nothing may have run
        assert not marker.exists()
        return
    raise AssertionError("it was loaded")


def climbing(folder: pathlib.Path) -> None:
    """No name in a manifest leads out of the bundle, and a link to another file is not that file."""
    bundle = bundles.make(folder / "bundle")
    good = (bundle / "manifest.json").read_text()
    for name in ("../decoder.ts", "/etc/passwd", "a/b", "..", ".", "", "a\0b", "a\nb", "C:\\x"):
        bundles.edit_manifest(bundle, files={name: bundles.checksum(b"x")})
        refused(bundle, "onnx", "expected a plain file name")
    (bundle / "manifest.json").write_text(good)
    (bundle / "decoder.onnx").unlink()
    (bundle / "decoder.onnx").symlink_to("/etc/hostname")
    refused(bundle, "onnx", "decoder.onnx: ")
    (bundle / "decoder.onnx").unlink()
    (bundle / "decoder.onnx").symlink_to("/dev/zero")
    refused(bundle, "onnx", "decoder.onnx: more than")


class _S3(http.server.BaseHTTPRequestHandler):
    """A folder as a bucket, with a fault in one of several ways."""

    def __init__(self, fault: dict[str, str], root: pathlib.Path, *arguments: t.Any) -> None:
        self._fault, self._root = fault, root
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """Answer an object, or not."""
        data = (self._root / pathlib.Path(self.path.partition("?")[0]).name).read_bytes()
        fault = self._fault["kind"] if self.path.partition("?")[0].endswith(".onnx") else ""
        if fault == "slow":
            time.sleep(1)
        self.send_response(500 if fault == "500" else 200)
        if fault == "damaged":
            data = bytes(len(data))
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if fault == "broken off" else data)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def s3_faults(folder: pathlib.Path) -> None:
    """Errors, broken transfers and damaged bytes are reported and not cached, and the next attempt works."""
    bundle = bundles.make(folder / "bundle")
    fault = {"kind": ""}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_S3, fault, bundle))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    environment = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}", **keys}
    with mock.patch.dict("os.environ", environment), mock.patch.object(loading, "BACK_OFF_S", (0,)):
        for kind in ("500", "broken off", "damaged", "slow"):
            fault["kind"] = kind
            cache = folder / f"cache {kind}"
            loader = loading.Loader(Settings("s3://cars/models/v", engine="onnx", cache=cache))
            loader.wait(60)
            assert (loader.model is not None) == (kind == "slow"), (kind, loader.detail)
            for path in cache.glob("*") if cache.exists() else ():
                assert bundles.checksum(path.read_bytes())["sha256"] == path.name
            fault["kind"] = ""
            loader.retry_if_due()
            loader.wait(60)
            assert loader.model, loader.detail
    server.shutdown()
    server.server_close()


def cached_damage(folder: pathlib.Path) -> None:
    """A file damaged in the cache is fetched again; one damaged at its source is refused."""
    bundle = bundles.make(folder / "bundle")
    opened = Bundle.open(str(bundle), folder / "unused")
    cached = Bundle(opened.manifest, opened.source, folder / "cache")
    right = cached.read("decoder.onnx")
    (kept,) = (folder / "cache").iterdir()
    kept.write_bytes(b"x" + right[1:])
    assert cached.read("decoder.onnx") == right
    assert kept.read_bytes() == right
    shutil.rmtree(folder / "cache")
    (bundle / "decoder.onnx").write_bytes(b"x" + right[1:])
    try:
        cached.read("decoder.onnx")
    except BundleError as error:
        assert "SHA-256" in str(error)  # noqa: PT017 - this is no pytest function
    else:
        raise AssertionError("it was taken")


FAULTS: dict[str, t.Callable[[pathlib.Path], None]] = {
    "a swapped file": swapped,
    "a truncated file": truncated,
    "pickles for TorchScript": pickles,
    "TorchScript that writes to a file": hostile_torchscript,
    "ONNX with another file's bytes": hostile_onnx,
    "a checkpoint that runs code": checkpoints,
    "names that lead elsewhere": climbing,
    "faults of S3": s3_faults,
    "a damaged cache": cached_damage,
}
