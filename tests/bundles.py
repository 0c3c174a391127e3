"""A tiny real bundle: traced TorchScript functions of a few lines, with a manifest like an exported one's."""

import hashlib
import json
import shutil
import typing as t
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SIZE = 32
GRID = 8
NOISE = 6


class Encoder(nn.Module):
    """The picture scaled down to 8x8 is its own latent."""

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        mean = F.adaptive_avg_pool2d(images, GRID).flatten(1)
        return mean, torch.full_like(mean, -4)


class Decoder(nn.Module):
    """The latent scaled up again."""

    def __init__(self, channels: int, size: int = SIZE) -> None:
        super().__init__()
        self.channels, self.size = channels, size

    def forward(self, z: Tensor) -> Tensor:
        small = z.unflatten(1, (self.channels, GRID, GRID))
        return F.interpolate(small, size=self.size, mode="bilinear", align_corners=False).clamp(0, 1)


class NoiseDecoder(nn.Module):
    """Noise, another for each latent: no picture takes more bytes."""

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.register_buffer("noise", torch.rand(channels, size, size, generator=torch.Generator().manual_seed(0)))

    def forward(self, z: Tensor) -> Tensor:
        stretched = self.noise * (1 + 9 * z.sum(1).abs()[:, None, None, None])
        return stretched - torch.floor_divide(stretched, 1)  # the operators of handler/operators.py alone


class Prior(nn.Module):
    """Noise mixed by a fixed random matrix."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        weights = torch.randn(NOISE, latent_dim, generator=torch.Generator().manual_seed(0))
        self.register_buffer("weights", weights)

    def forward(self, noise: Tensor) -> Tensor:
        return torch.sigmoid(noise @ self.weights)


def make(folder: Path, channels: int = 3, version: str = "test-1", size: int = SIZE, noise: bool = False) -> Path:
    """Write the bundle into `folder` and return it; its cars have `size` pixels, or are nothing but `noise`."""
    folder.mkdir(parents=True)
    latent_dim = channels * GRID**2
    modules: dict[str, tuple[nn.Module, Tensor]] = {
        "encoder": (Encoder(), torch.zeros(1, channels, size, size)),
        "decoder": ((NoiseDecoder if noise else Decoder)(channels, size), torch.zeros(1, latent_dim)),
        "prior": (Prior(latent_dim), torch.zeros(1, NOISE)),
    }
    for name, (module, example) in modules.items():
        torch.jit.save(torch.jit.trace(module.eval(), example), folder / f"{name}.ts")
        arguments = {"input_names": ["rows"], "dynamic_axes": {"rows": {0: "N"}}}
        torch.onnx.export(module, (example,), str(folder / f"{name}.onnx"), dynamo=False, opset_version=18, **arguments)
    for name in ("encoder", "decoder"):  # without a convolution, nothing is of eight bits
        shutil.copyfile(folder / f"{name}.onnx", folder / f"{name}.int8.onnx")
    manifest = {
        "format": 1,
        "name": "tiny",
        "version": version,
        "created": "2025-01-01T00:00:00Z",
        "image_size": size,
        "channels": channels,
        "latent_dim": latent_dim,
        "noise_dim": NOISE,
        "files": {path.name: checksum(path.read_bytes()) for path in sorted(folder.iterdir())},
        "recipe": {},
        "directions": [lightness(latent_dim), height(latent_dim)],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def lightness(latent_dim: int) -> dict[str, t.Any]:
    """A direction from black to white pictures."""
    return {"name": "lightness", "sd": 4.0, "mean": 0.5 * latent_dim**0.5, "vector": [latent_dim**-0.5] * latent_dim}


def height(latent_dim: int) -> dict[str, t.Any]:
    """A direction from pictures that are light above to those that are light below, at right angles to lightness."""
    half = GRID**2 // 2
    signs = ([-1.0] * half + [1.0] * half) * (latent_dim // GRID**2)
    return {"name": "height", "sd": 2.0, "mean": 0.0, "vector": [sign * latent_dim**-0.5 for sign in signs]}


def checksum(data: bytes) -> dict[str, t.Any]:
    """A manifest's entry of a file."""
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def edit_manifest(folder: Path, **changes: t.Any) -> None:
    """Change keys of the manifest; None removes one."""
    path = folder / "manifest.json"
    values = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))


def replace(folder: Path, name: str, data: bytes) -> None:
    """Give file `name` another content, and the manifest its checksum."""
    (folder / name).write_bytes(data)
    files = json.loads((folder / "manifest.json").read_text())["files"]
    edit_manifest(folder, files=files | {name: checksum(data)})
