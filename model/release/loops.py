"""A flow as an ONNX loop: the graph has one step of it rather than all, so it loads in a third of the time."""

import pathlib

import onnx
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from ..prior.flow import Flow


class _Step(nn.Module):
    def __init__(self, flow: Flow) -> None:
        super().__init__()
        self.flow = flow

    def forward(self, places: Tensor, modulations: Tensor, gaussians: Tensor) -> Tensor:
        return self.flow.step(places, modulations, gaussians)


@torch.inference_mode()
def write(flow: Flow, path: pathlib.Path, opset: int) -> None:
    """Write a flow's ONNX file: ``noise`` ``(N, D)`` to ``latents`` ``(N, D)``.

    The step's weights are part of the loop's body: ONNX Runtime arranges those of a convolution for the CPU only there.

    Parameters
    ----------
    path
        A file of this name is replaced.
    opset
        Version of ONNX's operators.
    """
    modulations, gaussians = flow.schedule()
    example = (torch.zeros(2, flow.noise_dim), modulations[0], gaussians[0])
    torch.onnx.export(
        _Step(flow).eval(),
        example,
        str(path),
        dynamo=False,
        opset_version=opset,
        input_names=["places", "modulations", "gaussians"],
        output_names=["moved"],
        dynamic_axes={"places": {0: "N"}, "moved": {0: "N"}},
    )
    step = onnx.load(str(path))

    def rows(name: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", flow.noise_dim])

    def constant(name: str, values: Tensor) -> onnx.TensorProto:
        return onnx.numpy_helper.from_array(values.numpy(), name)

    body = helper.make_graph(
        [
            helper.make_node("Gather", ["schedule.modulations", "index"], ["modulations"], axis=0),
            helper.make_node("Gather", ["schedule.gaussians", "index"], ["gaussians"], axis=0),
            *step.graph.node,
            helper.make_node("Identity", ["more"], ["still more"]),
        ],
        "step",
        [
            helper.make_tensor_value_info("index", TensorProto.INT64, []),
            helper.make_tensor_value_info("more", TensorProto.BOOL, []),
            rows("places"),
        ],
        [helper.make_tensor_value_info("still more", TensorProto.BOOL, []), rows("moved")],
        step.graph.initializer,
    )
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["noise", "noise_scale"], ["start"]),
            helper.make_node("Loop", ["steps", "", "start"], ["end"], body=body),
            helper.make_node("MatMul", ["end", "axes"], ["centred"]),
            helper.make_node("Add", ["centred", "origin"], ["latents"]),
        ],
        "flow",
        [rows("noise")],
        [rows("latents")],
        [
            constant("schedule.modulations", modulations),
            constant("schedule.gaussians", gaussians),
            constant("steps", torch.tensor(flow.config.steps)),
            constant("noise_scale", flow.noise_scale),
            constant("axes", (flow.place_scale * flow.unit)[:, None] * flow.axes),
            constant("origin", flow.origin),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=step.opset_import, ir_version=step.ir_version), str(path))
