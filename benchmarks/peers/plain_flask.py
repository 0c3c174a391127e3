"""The originals' handler in its plain form: the model loaded at import, one route, one picture at a time."""

import os
import pathlib

import torch
from flask import Flask, Response, request

from handler import images

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
FOLDER = pathlib.Path(os.environ["CARVAE_BUNDLE"])
encoder = torch.jit.load(FOLDER / "encoder.ts").eval()  # type: ignore[no-untyped-call]
decoder = torch.jit.load(FOLDER / "decoder.ts").eval()  # type: ignore[no-untyped-call]
SIZE = int(os.environ["IMAGE_SIZE"])

app = Flask(__name__)


@app.post("/reconstruct")
def reconstruct() -> Response:
    upload = images.read(request.files["image"].read(), SIZE, 3, "image")
    with torch.inference_mode():
        rebuilt = decoder(encoder(torch.from_numpy(upload.pixels))[0])[0].numpy()
    return Response(images.encode(images.picture(upload.crop(rebuilt)), "image/png"), content_type="image/png")


if __name__ == "__main__":
    app.run("127.0.0.1", int(os.environ["PORT"]), threaded=True)
