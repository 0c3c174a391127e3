"""From released weights to a bundle: traced functions, manifest with checksums, model card."""

import hashlib
import json
import pathlib
import typing as t

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from ..data import files, prepared
from ..prior.flow import Flow
from ..vae.folding import fold_batch_norm, shuffle_by_convolution
from ..vae.networks import channels_last
from . import eight_bit, loops
from .released import Release

#: Largest difference between a traced function and the eager one it was traced from, absolute.
TOLERANCE = 1e-4

#: Batch sizes a traced function is checked at; it is traced with the first.
BATCHES = (2, 1, 5)

#: Version of ONNX's operators. From 19 on, ONNX Runtime takes five times as long for an average pooling.
OPSET = 18

#: Names of each function's argument and results in its ONNX file.
SIGNATURES = {
    "encoder": ("images", ("mean", "log_variance")),
    "decoder": ("latents", ("images",)),
    "prior": ("noise", ("latents",)),
}


def write_bundle(
    release: Release,
    version: str,
    card: str,
    out: pathlib.Path,
    photographs: prepared.Images | None = None,
    progress: eight_bit.Progress = lambda _: None,
) -> dict[str, t.Any]:
    """Write the bundle folder ``out``, replacing a bundle that is there, and return its manifest.

    Parameters
    ----------
    photographs, progress
        As of `eight_bit.add_twins`, which may change the release's facts.

    Raises
    ------
    ValueError
        ``out`` exists and is no bundle, or a traced function fails or differs from the eager one.
    """
    if out.exists() and not (out / "manifest.json").is_file():
        raise ValueError(f"{out}: exists and is not a bundle; choose another folder")
    with files.whole_folder(out) as work:
        return _write(release, version, card, work, photographs, progress)


def _write(
    release: Release,
    version: str,
    card: str,
    work: pathlib.Path,
    photographs: prepared.Images | None,
    progress: eight_bit.Progress,
) -> dict[str, t.Any]:
    network = release.network
    shapes = {
        "encoder": (network.channels, network.image_size, network.image_size),
        "decoder": (network.latent_dim,),
        "prior": (release.prior.noise_dim,),
    }
    for name, module in release.parts().items():
        trace(name, module, shapes[name]).save(str(work / f"{name}.ts"))
        write_onnx(name, module, shapes[name], work / f"{name}.onnx")
    # The other functions' matrices are not exact in half precision, because batch norm was folded into them.
    halve(work / "prior.onnx")
    eight_bit.add_twins(release, work, photographs, progress)
    (work / "MODEL_CARD.md").write_text(card, encoding="utf-8")
    manifest = {
        "format": 1,
        "version": version,
        **release.facts,
        "image_size": network.image_size,
        "channels": network.channels,
        "latent_dim": network.latent_dim,
        "noise_dim": release.prior.noise_dim,
        "files": {
            file.name: {"sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "bytes": file.stat().st_size}
            for file in sorted(work.iterdir())
        },
    }
    (work / "manifest.json").write_text(json.dumps(manifest) + "\n", encoding="utf-8")
    return manifest


@torch.inference_mode()
def trace(name: str, module: nn.Module, shape: tuple[int, ...]) -> torch.jit.ScriptModule:
    """Trace a function with its batch norms folded away, and compare it with the eager one.

    Raises
    ------
    ValueError
        It fails at another batch size, or an output differs by more than `TOLERANCE`.
    """
    # The layout is stored with the weights, so nothing is rearranged at start.
    folded = channels_last(fold_batch_norm(module))
    traced = torch.jit.trace(folded, _example(name, shape, BATCHES[0]), check_trace=False)  # type: ignore[no-untyped-call]
    for batch in BATCHES:
        example = _example(name, shape, batch)
        try:
            outputs = _as_tuple(traced(example))
        except RuntimeError as error:
            raise ValueError(f"{name}: the traced function fails at batch size {batch}: {error}") from error
        for output, expected in zip(outputs, _as_tuple(module(example)), strict=True):
            difference = float((output - expected).abs().max()) if output.shape == expected.shape else float("inf")
            if not difference <= TOLERANCE:
                raise ValueError(f"{name}: traced and eager differ by {difference:.2g} at batch size {batch}")
    return t.cast(torch.jit.ScriptModule, torch.jit.freeze(traced))


@torch.inference_mode()
def write_onnx(name: str, module: nn.Module, shape: tuple[int, ...], path: pathlib.Path) -> None:
    """Write the ONNX twin of a traced function, and compare it with the eager one in ONNX Runtime.

    Raises
    ------
    ValueError
        It fails at another batch size, or an output differs by more than `TOLERANCE`.
    """
    import onnxruntime

    argument, results = SIGNATURES[name]
    if isinstance(module, Flow):
        loops.write(module, path, OPSET)
    else:
        # The TorchScript-based exporter traces what is traced above, in a fiftieth of the newer exporter's time.
        torch.onnx.export(
            shuffle_by_convolution(fold_batch_norm(module)),
            (_example(name, shape, BATCHES[0]),),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=[argument],
            output_names=list(results),
            dynamic_axes={key: {0: "N"} for key in (argument, *results)},
        )
    # Constants are folded here rather than at every start.
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    for batch in BATCHES:
        example = _example(name, shape, batch)
        try:
            outputs = session.run(None, {argument: example.numpy()})
        except Exception as error:
            raise ValueError(f"{name}: the ONNX function fails at batch size {batch}: {error}") from error
        for output, expected in zip(outputs, _as_tuple(module(example)), strict=True):
            difference = float((torch.from_numpy(output) - expected).abs().max())
            if not difference <= TOLERANCE:
                raise ValueError(f"{name}: ONNX and eager differ by {difference:.2g} at batch size {batch}")


def halve(path: pathlib.Path) -> None:
    """Store matrices of an ONNX file in half precision where that holds them exactly, as it does released weights.

    The function computes the same to the bit, as the matrices are widened when it is loaded.
    """
    model = onnx.load(str(path))
    bodies = [attribute.g for node in model.graph.node if node.op_type == "Loop" for attribute in node.attribute]
    for graph in (*bodies, model.graph):  # a graph's nodes are copied when it is changed
        _halve(graph)
    onnx.save(model, str(path))


def _halve(graph: onnx.GraphProto) -> None:
    stored, widened = [], []
    for matrix in graph.initializer:
        values = onnx.numpy_helper.to_array(matrix)
        with np.errstate(over="ignore"):  # values that overflow keep their matrix in single precision
            half = values.astype(np.float16) if values.dtype == np.float32 and values.ndim > 1 else values
        if half.dtype == values.dtype or not np.array_equal(half.astype(np.float32), values):
            stored.append(matrix)
            continue
        stored.append(onnx.numpy_helper.from_array(half, f"{matrix.name}.half"))
        widened.append(onnx.helper.make_node("Cast", [f"{matrix.name}.half"], [matrix.name], to=onnx.TensorProto.FLOAT))
    nodes = [*widened, *graph.node]
    for field, content in ((graph.initializer, stored), (graph.node, nodes)):
        del field[:]
        field.extend(content)


def _example(name: str, shape: tuple[int, ...], batch: int) -> Tensor:
    generator = torch.Generator().manual_seed(batch)
    if name != "encoder":
        return torch.randn(batch, *shape, generator=generator)
    images = torch.rand(batch, *shape, generator=generator)
    # Each image gets bars of a different height; without them, the tracer would see none.
    for index, image in enumerate(images):
        image[:, : index + 1] = 1
        image[:, shape[1] - index - 1 :] = 1
    return images


def _as_tuple(outputs: t.Any) -> tuple[Tensor, ...]:
    return outputs if isinstance(outputs, tuple) else (outputs,)
