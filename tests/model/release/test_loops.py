import dataclasses
import pathlib

import pytest
import torch

from model.prior.flow import Flow, FlowConfig
from model.release import export

GRID = FlowConfig(64, side=4, width=64, depth=1)


def flow_in_half_precision(config: FlowConfig) -> Flow:
    torch.manual_seed(0)
    flow = Flow(config).eval()
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter)).copy_(parameter.half())
    return flow


def write(flow: Flow, path: pathlib.Path) -> int:
    export.write_onnx("prior", flow, (flow.noise_dim,), path)  # compares the file with the flow
    return path.stat().st_size


@pytest.mark.parametrize("side", [0, 4])
def test_a_flows_file_hardly_grows_with_its_steps(tmp_path: pathlib.Path, side: int) -> None:
    few, many = (dataclasses.replace(GRID, side=side, steps=steps) for steps in (2, 12))
    sizes = [write(flow_in_half_precision(config), tmp_path / "prior.onnx") for config in (few, many)]
    assert sizes[1] < 2 * sizes[0]


def test_the_matrices_in_a_loop_are_halved_too(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "prior.onnx"
    before = write(flow_in_half_precision(GRID), path)
    export.halve(path)
    assert path.stat().st_size < 0.65 * before


def test_writing_a_flow_leaves_it_as_it_was(tmp_path: pathlib.Path) -> None:
    """The exporter would leave its dropout on."""
    flow, noise = flow_in_half_precision(GRID), torch.randn(2, 64)
    with torch.inference_mode():
        before = flow(noise)
        write(flow, tmp_path / "prior.onnx")
        assert torch.equal(flow(noise), before)
