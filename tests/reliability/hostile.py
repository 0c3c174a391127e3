"""Model files that would read or write other files."""

import io
import pathlib
import typing as t

import onnx
import torch
from torch import Tensor, nn

from .. import bundles

#: What the target of an attack holds before it.
UNTOUCHED = b"untouched".ljust(16)


def torchscript(target: pathlib.Path) -> dict[str, bytes]:
    """Files that overwrite `target` when they are loaded or called, by where that stands."""
    path = str(target)

    @torch.jit.script
    def write(path: str) -> Tensor:
        return torch.from_file(path, True, 16, dtype=torch.uint8).fill_(65)

    class Straight(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.path = path

        def forward(self, images: Tensor) -> Tensor:
            return images + torch.from_file(self.path, True, 16, dtype=torch.uint8).fill_(65).sum()

    class Branch(Straight):
        def forward(self, images: Tensor) -> Tensor:
            for _ in range(images.shape[0]):
                if images.sum() > -1:
                    images = images + torch.from_file(self.path, True, 16, dtype=torch.uint8).fill_(65).sum()
            return images

    class Function(Straight):
        def forward(self, images: Tensor) -> Tensor:
            return images + write(self.path).sum()

    class Inside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Straight()

        def forward(self, images: Tensor) -> Tensor:
            return self.inner(images)  # type: ignore[no-any-return]

    class Loading(Straight):
        def forward(self, images: Tensor) -> Tensor:
            return images

        @torch.jit.export
        def __getstate__(self) -> tuple[str, bool]:
            return self.path, self.training

        @torch.jit.export
        def __setstate__(self, state: tuple[str, bool]) -> None:
            self.path = state[0]
            self.training = state[1]
            write(self.path)

    files = {}
    for kind in (Straight, Branch, Function, Inside, Loading):
        buffer = io.BytesIO()
        torch.jit.save(torch.jit.script(kind()), buffer)
        files[kind.__name__.lower()] = buffer.getvalue()
    return files


def onnx_with(place: str) -> bytes:
    """A decoder whose weights are said to be the bytes of the file `place`."""
    latent = 3 * bundles.GRID**2
    tensor = onnx.TensorProto(name="secret", data_type=onnx.TensorProto.FLOAT, dims=[latent])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": place, "offset": "0", "length": str(4 * latent)}.items():
        tensor.external_data.add(key=key, value=value)
    node = onnx.helper.make_node("Add", ["rows", "secret"], ["out"])
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", latent]) for name in ("rows", "out")]
    graph = onnx.helper.make_graph([node], "hostile", ends[:1], ends[1:], [tensor])
    opset = [onnx.helper.make_opsetid("", 20)]
    return t.cast(bytes, onnx.helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString())
