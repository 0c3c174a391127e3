"""The arm64 function on an x86 machine: one car rebuilt under emulation, and how far the picture is from x86's.

    make package ENGINE=onnx ARCHITECTURE=arm64
    python -m tests.packaged.arm64 ROOT CLIENT

ROOT is an arm64 Debian 13 with Python 3.13 (debootstrap --arch=arm64 --foreign --variant=minbase --include=python3.13
trixie ROOT, then dpkg-deb -x of each archive in it), CLIENT a folder with awslambdaric's wheels for arm64. It wants
qemu-aarch64 10 (Debian 13's qemu-user; under 7.2 ONNX Runtime crashes). No test: it takes minutes; where tests run on
arm64, they run this function without emulation.
"""

import argparse
import base64
import json
import sys
import tempfile
import typing as t
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from deploy.emulated import lambda_runtime
from handler.app import create_app
from handler.settings import Settings
from model.data import drawings

ROOT = Path(__file__).parent.parent.parent


def upload(folder: Path) -> bytes:
    """A drawn car as PNG."""
    drawings.car(1).save(folder / "car.png")
    return (folder / "car.png").read_bytes()


def emulated(archive: Path, root: Path, client: Path, bundle: Path, folder: Path, body: bytes) -> dict[str, t.Any]:
    """What the function answers under emulation."""
    code, tmp = folder / "task", folder / "tmp"
    tmp.mkdir()
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(code)
    python = ["qemu-aarch64", "-cpu", "neoverse-n1", "-L", str(root), str(root / "usr/bin/python3.13")]
    event = {
        "version": "2.0",
        "rawPath": "/reconstruct",
        "rawQueryString": "image=png",
        "headers": {"content-type": "image/png", "accept": "application/json"},
        "requestContext": {"http": {"method": "POST", "path": "/reconstruct", "sourceIp": "127.0.0.1"}},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }
    variables = {"CARVAE_BUNDLE": str(bundle), "CARVAE_ENGINE": "onnx"}
    with lambda_runtime.start(code, client, tmp, python, **variables) as (api, _):
        answer = api.invoke(event)
        while answer["statusCode"] == 503:  # it loads for longer than a request waits
            answer = api.invoke(event)
    return t.cast(dict[str, t.Any], answer)


def picture(url: str, folder: Path) -> np.ndarray[t.Any, t.Any]:
    """Pixels of a data URL, in [0, 1]."""
    (folder / "picture").write_bytes(base64.b64decode(url.partition(",")[2]))
    with Image.open(folder / "picture") as image:
        return np.asarray(image.convert("RGB"), np.float32) / 255


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("client", type=Path)
    parser.add_argument("--bundle", type=Path, default=ROOT / "build" / "bundle")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        body = upload(folder)
        app = create_app(Settings(str(args.bundle.resolve()), engine="onnx"))
        app.extensions["carvae"].wait(60)
        headers = {"Accept": "application/json", "Content-Type": "image/png"}
        here = app.test_client().post("/reconstruct?image=png", data=body, headers=headers).json
        archive = ROOT / "build" / "onnx-arm64" / "function.zip"
        answer = emulated(archive, args.root, args.client, args.bundle.resolve(), folder, body)
        there = json.loads(answer["body"])
        pixels = np.abs(picture(here["reconstruction"], folder) - picture(there["reconstruction"], folder))
        latents = np.abs(np.subtract(here["latent"], there["latent"]))
    print(f"pixels: mean {pixels.mean():.1e}, largest {pixels.max():.1e}; latents: largest {latents.max():.1e}")
    return int(pixels.mean() > 1e-3)


if __name__ == "__main__":
    sys.exit(main())
