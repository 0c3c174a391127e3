r"""A packaged function in another Python than this one: one car rebuilt, and how far the picture is from this one's.

    make package ENGINE=onnx ARCHITECTURE=arm64
    python -m tests.packaged.elsewhere build/onnx-arm64 CLIENT \
      qemu-aarch64 -cpu neoverse-n1 -L ROOT ROOT/usr/bin/python3.13

CLIENT is a folder with awslambdaric's wheels for that Python, unpacked. The rest is the command that starts it. For
arm64 ROOT is a Debian 13 with Python 3.13 (debootstrap --arch=arm64 --foreign --variant=minbase --include=python3.13
trixie ROOT, then dpkg-deb -x of each archive in it), and qemu-aarch64 is version 10 (Debian 13's qemu-user; under 7.2
ONNX Runtime crashes). Emulation is no test: it takes minutes; where tests run on arm64, they run this function without
it. `test_python314.py` does the same for Python 3.14.
"""

import argparse
import base64
import json
import sys
import tempfile
import typing as t
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from deploy.emulated import lambda_runtime
from handler.app import create_app
from handler.settings import Settings

from .. import drawings

ROOT = Path(__file__).parent.parent.parent

#: Emulated, a start takes minutes.
PATIENCE_S = 3600


class Difference(t.NamedTuple):
    """Of a rebuilt picture's pixels, in [0, 1], and of its latents."""

    mean_pixel: float
    largest_pixel: float
    largest_latent: float


def compare(built: Path, client: Path, command: Sequence[str], bundle: Path, folder: Path) -> Difference:
    """Rebuild a drawn car here and by the function in `built`, started by `command`; `folder` is used for it."""
    drawings.car(1).save(folder / "car.png")
    body = (folder / "car.png").read_bytes()
    engine = json.loads((built / "function.json").read_text())["engine"]
    app = create_app(Settings(str(bundle), engine=engine))
    app.extensions["carvae"].wait(60)
    headers = {"Accept": "application/json", "Content-Type": "image/png"}
    here = app.test_client().post("/reconstruct?image=png", data=body, headers=headers).json
    there = json.loads(_elsewhere(built / "function.zip", client, command, bundle, engine, folder, body)["body"])
    pixels = np.abs(_picture(here["reconstruction"], folder) - _picture(there["reconstruction"], folder))
    latents = np.abs(np.subtract(here["latent"], there["latent"]))
    return Difference(float(pixels.mean()), float(pixels.max()), float(latents.max()))


def _elsewhere(
    archive: Path, client: Path, command: Sequence[str], bundle: Path, engine: str, folder: Path, body: bytes
) -> dict[str, t.Any]:
    """What the function answers under AWS's runtime client."""
    code, tmp = folder / "task", folder / "tmp"
    tmp.mkdir()
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(code)
    event = {
        "version": "2.0",
        "rawPath": "/reconstruct",
        "rawQueryString": "image=png",
        "headers": {"content-type": "image/png", "accept": "application/json"},
        "requestContext": {"http": {"method": "POST", "path": "/reconstruct", "sourceIp": "127.0.0.1"}},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }
    variables = {"CARVAE_BUNDLE": str(bundle), "CARVAE_ENGINE": engine}
    with lambda_runtime.start(code, client, tmp, command, **variables) as (api, _):
        answer = api.invoke(event, PATIENCE_S)
        while answer["statusCode"] == 503:  # it loads for longer than a request waits
            answer = api.invoke(event, PATIENCE_S)
    assert answer["statusCode"] == 200, answer
    return t.cast(dict[str, t.Any], answer)


def _picture(url: str, folder: Path) -> np.ndarray[t.Any, t.Any]:
    """Pixels of a data URL, in [0, 1]."""
    (folder / "picture").write_bytes(base64.b64decode(url.partition(",")[2]))
    with Image.open(folder / "picture") as image:
        return np.asarray(image.convert("RGB"), np.float32) / 255


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("built", type=Path, help="folder with function.zip and function.json")
    parser.add_argument("client", type=Path)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    parser.add_argument("--bundle", type=Path, default=ROOT / "build" / "bundle")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = compare(args.built.resolve(), args.client, args.command, args.bundle.resolve(), Path(folder))
    print(
        f"pixels: mean {found.mean_pixel:.1e}, largest {found.largest_pixel:.1e}; "
        f"latents: largest {found.largest_latent:.1e}"
    )
    return int(found.mean_pixel > 1e-3)


if __name__ == "__main__":
    sys.exit(main())
