"""The same model and image codec behind BentoML."""

import os
import pathlib
import typing as t

import bentoml
import torch
from bentoml.validators import ContentType

from handler import images

FOLDER = pathlib.Path(os.environ["CARVAE_BUNDLE"])
SIZE = int(os.environ["IMAGE_SIZE"])


@bentoml.service(workers=int(os.environ["WORKERS"]), metrics={"enabled": False})
class Cars:
    """Decode, encode and decode again, and answer with a PNG."""

    def __init__(self) -> None:
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        self.encoder = torch.jit.load(FOLDER / "encoder.ts").eval()  # type: ignore[no-untyped-call]
        self.decoder = torch.jit.load(FOLDER / "decoder.ts").eval()  # type: ignore[no-untyped-call]

    @bentoml.api(route="/reconstruct")  # type: ignore[untyped-decorator]
    def reconstruct(
        self, image: pathlib.Path, context: bentoml.Context
    ) -> t.Annotated[pathlib.Path, ContentType("image/png")]:
        upload = images.read(image.read_bytes(), SIZE, 3, "image")
        with torch.inference_mode():
            rebuilt = self.decoder(self.encoder(torch.from_numpy(upload.pixels))[0])[0].numpy()
        # Files are how BentoML takes and gives bytes; this folder is the request's own.
        path = pathlib.Path(context.temp_dir) / "rebuilt.png"
        path.write_bytes(images.encode(images.picture(upload.crop(rebuilt)), "image/png"))
        return path
