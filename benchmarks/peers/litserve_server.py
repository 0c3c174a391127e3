"""The same model and image codec behind LitServe."""

import os
import pathlib

import litserve
import torch
from fastapi import Request, Response

from handler import images

FOLDER = pathlib.Path(os.environ["CARVAE_BUNDLE"])
SIZE = int(os.environ["IMAGE_SIZE"])


class Cars(litserve.LitAPI):  # type: ignore[misc]
    """Decode, encode and decode again, and answer with a PNG."""

    def setup(self, device: str) -> None:
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        self.encoder = torch.jit.load(FOLDER / "encoder.ts").eval()  # type: ignore[no-untyped-call]
        self.decoder = torch.jit.load(FOLDER / "decoder.ts").eval()  # type: ignore[no-untyped-call]

    def decode_request(self, request: Request) -> images.Upload:
        return images.read(request["image"].file.read(), SIZE, 3, "image")

    def predict(self, x: images.Upload) -> bytes:
        with torch.inference_mode():
            rebuilt = self.decoder(self.encoder(torch.from_numpy(x.pixels))[0])[0].numpy()
        return images.encode(images.picture(x.crop(rebuilt)), "image/png")

    def encode_response(self, output: bytes) -> Response:
        return Response(output, media_type="image/png")


if __name__ == "__main__":
    server = litserve.LitServer(
        Cars(api_path="/reconstruct"), accelerator="cpu", workers_per_device=int(os.environ["WORKERS"])
    )
    server.run(host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning", generate_client_file=False)
