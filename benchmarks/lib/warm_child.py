"""One engine's process of warm_latency.py: calls every route and the bare pieces in turn, and prints their times.

Two times for each call: the wall clock's, which is what a visitor waits for, and the processor's, which other
programs on the machine don't change as much and of which ratios are made.
"""

import contextlib
import io
import json
import math
import os
import pathlib
import sys
import time
import typing as t
import warnings

import numpy as np
from PIL import Image, ImageOps

from benchmarks.lib import gflop, payload
from handler import images, png
from handler.app import create_app
from handler.settings import ENGINES, Settings

warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)

PHOTOGRAPH = payload.photograph()
Functions: t.TypeAlias = tuple[t.Callable[[t.Any], t.Any], t.Callable[[t.Any], t.Any]]


def main() -> None:
    engine, bundle, repeats = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    app = create_app(Settings(str(bundle), engine))
    app.extensions["carvae"].wait(60)
    size = json.loads((bundle / "manifest.json").read_text())["image_size"]
    encode, decode = bare_torchscript(bundle) if engine == "torchscript" else bare_onnx(bundle, engine)
    pixels = images.read(PHOTOGRAPH, size, 3, "image").pixels
    latent = encode(pixels)
    calls: dict[str, t.Callable[[], object]] = {name: route(app, *asked) for name, asked in routes(latent).items()}
    calls |= {
        "bare engine and codec": lambda: bare(encode, decode, size),
        "bare codec": lambda: bare(lambda _: latent, lambda _: pixels, size),
        "bare encode": lambda: encode(pixels),
        "bare decode": lambda: decode(latent),
    }
    wall: dict[str, list[float]] = {name: [] for name in calls}
    cpu: dict[str, list[float]] = {name: [] for name in calls}
    rates = []
    for number in range(repeats + 3):
        for name, call in calls.items():
            begun, worked = time.perf_counter(), time.process_time()
            call()
            if number >= 3:
                cpu[name].append((time.process_time() - worked) * 1000)
                wall[name].append((time.perf_counter() - begun) * 1000)
        if number % 5 == 0:
            rates.append(gflop.gemm_rate())
    print(json.dumps({"wall": wall, "cpu": cpu, "gemm": rates}))


def routes(latent: t.Any) -> dict[str, tuple[str, str, str, bytes, str]]:
    """Method, address, Accept, body and its type of what is measured."""
    png, json_type = "image/png", "application/json"
    decode = json.dumps({"latents": [latent[0].tolist()]}).encode()
    ends = json.dumps({"start": {"seed": 7, "index": 0}, "end": {"seed": 7, "index": 1}}).encode()
    return {
        "POST /reconstruct": ("POST", "/reconstruct", png, PHOTOGRAPH, "image/jpeg"),
        "POST /reconstruct, JSON": ("POST", "/reconstruct", json_type, PHOTOGRAPH, "image/jpeg"),
        "POST /encode": ("POST", "/encode", json_type, PHOTOGRAPH, "image/jpeg"),
        "POST /decode": ("POST", "/decode", png, decode, json_type),
        "GET /random": ("GET", "/random?count=1&seed=7", png, b"", ""),
        "GET /random, 16 cars": ("GET", "/random?count=16&seed=7", png, b"", ""),
        "POST /interpolate, 8 steps": ("POST", "/interpolate?steps=8", png, ends, json_type),
        "GET /directions": ("GET", "/directions", json_type, b"", ""),
        "GET /health": ("GET", "/health", json_type, b"", ""),
    }


def route(app: t.Any, method: str, address: str, accept: str, body: bytes, kind: str) -> t.Callable[[], None]:
    """A call of the app by WSGI, as any server makes it."""
    path, _, query = address.partition("?")
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": kind,
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_ACCEPT": accept,
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
    }

    def call() -> None:
        answers: list[str] = []
        answer = app(environ | {"wsgi.input": io.BytesIO(body)}, lambda status, *_: answers.append(status))
        b"".join(answer)
        with contextlib.suppress(AttributeError):
            answer.close()
        if answers != ["200 OK"]:
            raise RuntimeError(f"{method} {address}: {answers}")

    return call


def bare(encode: t.Callable[[t.Any], t.Any], decode: t.Callable[[t.Any], t.Any], size: int) -> bytes:
    """What any server has to do: JPEG to square, encoder, decoder, PNG; nothing else."""
    image: Image.Image = Image.open(io.BytesIO(PHOTOGRAPH))
    share = 2 * size / max(image.size)
    image.draft(None, (math.ceil(image.width * share), math.ceil(image.height * share)))
    small = ImageOps.contain(image.convert("RGB"), (size, size), Image.Resampling.LANCZOS)
    left, top = (size - small.width) // 2, (size - small.height) // 2
    square = Image.new("RGB", (size, size), "white")
    square.paste(small, (left, top))
    pixels = np.ascontiguousarray((np.asarray(square, np.float32) / np.float32(255)).transpose(2, 0, 1))[None]
    rebuilt = decode(encode(pixels))[0, :, top : top + small.height, left : left + small.width]
    return png.encode(Image.fromarray(np.rint(rebuilt.transpose(1, 2, 0) * 255).astype(np.uint8)))


def bare_onnx(bundle: pathlib.Path, engine: str = "onnx") -> Functions:
    """ONNX Runtime's sessions as its tutorial makes them, on one thread."""
    _, decoder_file, encoder_file = ENGINES[engine]
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    sessions = [
        onnxruntime.InferenceSession(bundle / name, options, providers=["CPUExecutionProvider"])
        for name in (encoder_file, decoder_file)
    ]
    encoder, decoder = ((session, session.get_inputs()[0].name) for session in sessions)
    return (
        lambda pixels: encoder[0].run(None, {encoder[1]: pixels})[0],
        lambda latent: decoder[0].run(None, {decoder[1]: latent})[0],
    )


def bare_torchscript(bundle: pathlib.Path) -> Functions:
    """The traced functions, called as PyTorch's tutorial does it."""
    import torch

    encoder = torch.jit.load(bundle / "encoder.ts").eval()  # type: ignore[no-untyped-call]
    decoder = torch.jit.load(bundle / "decoder.ts").eval()  # type: ignore[no-untyped-call]

    def encode(pixels: t.Any) -> t.Any:
        with torch.inference_mode():
            return encoder(torch.from_numpy(pixels))[0].numpy()

    def decode(latent: t.Any) -> t.Any:
        with torch.inference_mode():
            return decoder(torch.from_numpy(latent)).numpy()

    return encode, decode


if __name__ == "__main__":
    main()
