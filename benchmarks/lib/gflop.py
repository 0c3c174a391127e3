"""Floating-point operations of an ONNX function, and the rate of this core's matrix products."""

import math
import pathlib
import time

import numpy as np


def count(path: pathlib.Path) -> float:
    """GFLOP of one row through the layers that have weights, a multiplication and an addition being two.

    Activations, scaling and the resampling to the car's rectangle aren't counted, so a rate made of this is what
    is left for the layers after all that took its time.
    """
    import onnx

    model = onnx.load(str(path))
    for value in model.graph.input:
        value.type.tensor_type.shape.dim[0].dim_value = 1
    model = onnx.shape_inference.infer_shapes(model, data_prop=True)
    known = [*model.graph.value_info, *model.graph.output, *model.graph.input]
    shapes = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in known}
    weights = {each.name: list(each.dims) for each in model.graph.initializer}
    total = 0
    for node in model.graph.node:
        weight = next((weights[name] for name in list(node.input)[1:2] if name in weights), None)
        if weight is None or node.op_type not in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
            continue
        # Each weight of a convolution is used once per output pixel; of a transposed one, once per input pixel.
        grid = shapes[node.input[0] if node.op_type == "ConvTranspose" else node.output[0]]
        if 0 in grid[1:]:
            raise ValueError(f"{path.name}: the shape of {node.name} isn't known")
        total += 2 * math.prod(weight) * (math.prod(grid[2:]) if node.op_type.startswith("Conv") else 1)
    return total / 1e9


def gemm_rate(side: int = 768, repeats: int = 3) -> float:
    """GFLOP per second of a single-precision matrix product, the best of the repeats, in CPU time."""
    random = np.random.default_rng(0)
    a, b = (random.random((side, side), np.float32) for _ in range(2))
    taken = []
    for _ in range(repeats):
        begun = time.process_time()
        a @ b
        taken.append(time.process_time() - begun)
    return 2 * side**3 / min(taken) / 1e9
