import dataclasses
import pathlib
import typing as t

import lightning as L
import numpy as np
import pytest
import torch
from lightning.pytorch.accelerators import CPUAccelerator

from model.data.prepared import open_split
from model.prior.flow import Flow, FlowConfig
from model.release import released
from model.training import flow_training
from model.training.flow_training import FlowRun
from model.training.optimizers import OptimizerConfig
from model.vae.networks import Encoder

from ..conftest import TINY
from ..prior.test_flow import SMALL, two_clouds


class Stopping(flow_training.FlowTraining):
    """Stops after its second epoch."""

    def on_train_epoch_end(self) -> None:
        self.trainer.should_stop = self.current_epoch == 1


def trained(
    out: pathlib.Path,
    epochs: int,
    kind: t.Any = flow_training.FlowTraining,
    resume: bool = False,
    config: FlowConfig = SMALL,
) -> Flow:
    torch.manual_seed(0)
    training = kind(config, OptimizerConfig("adamw", 4e-3, schedule="cosine"))
    training.flow.standardise(torch.from_numpy(two_clouds(400)))
    flow_training.fit(training, two_clouds(400), two_clouds(50), 200, epochs, out, resume)
    return released.load_flow(out / flow_training.LAST)


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Flow:
    return trained(tmp_path_factory.mktemp("run"), 100)


@torch.inference_mode()
def test_samples_are_distributed_as_the_codes(flow: Flow) -> None:
    samples = flow(torch.randn(4000, 6, generator=torch.Generator().manual_seed(0)))
    # No single Gaussian has two clouds with nothing between them.
    assert (samples.mean(1).abs() < 1.5).float().mean().item() < 0.03
    assert (samples[:, 0] < 0).float().mean().item() == pytest.approx(0.75, abs=0.06)
    assert samples[samples[:, 0] > 0].mean().item() == pytest.approx(3, abs=0.3)


@torch.inference_mode()
def test_less_noise_on_narrow_axes_leaves_the_wide_one(flow: Flow) -> None:
    noise = torch.randn(500, 6, generator=torch.Generator().manual_seed(0))
    full = flow.placed(flow(noise))
    flow.reduce_noise(1, 0.2)
    reduced = flow.placed(flow(noise))
    flow.reduce_noise(1, 1.0)
    assert torch.allclose(flow.placed(flow(noise)), full, atol=1e-4)
    assert reduced[:, 0].std().item() == pytest.approx(full[:, 0].std().item(), rel=0.1)
    assert reduced[:, 1:].std().item() < 0.8 * full[:, 1:].std().item()


def test_a_run_that_stopped_goes_on_bit_for_bit(tmp_path: pathlib.Path) -> None:
    config = FlowConfig(6, width=32, depth=2, dropout=0.2)
    whole = trained(tmp_path / "whole", 4, config=config)
    half = trained(tmp_path / "parts", 4, Stopping, config=config)
    again = trained(tmp_path / "parts", 4, resume=True, config=config)
    assert not torch.equal(half.velocity.outward.weight, whole.velocity.outward.weight)
    for name, value in whole.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name


@pytest.mark.unit
def test_varied_codes_are_new_and_the_same_again(prepared: pathlib.Path) -> None:
    torch.manual_seed(0)
    encoder, images = Encoder(TINY).eval(), open_split(prepared, "train")
    one, other = (flow_training.varied_codes(encoder, images, seed) for seed in (0, 1))
    assert one.shape == (len(images), TINY.latent_dim)
    assert not np.allclose(one, other)
    assert np.array_equal(one, flow_training.varied_codes(encoder, images, 0))


@pytest.mark.unit
@pytest.mark.parametrize(("name", "value"), [("epochs", 0), ("batch", 0), ("variations", -1)])
def test_a_setting_out_of_range_is_named(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{name}: {value} is not at least"):
        FlowRun(**{name: value})


@pytest.mark.unit
@pytest.mark.parametrize(
    ("config", "epochs", "named"),
    [(FlowConfig(6, width=16, depth=2), 2, "width: 16, but the run to resume has 32"), (SMALL, 3, "epochs: ")],
)
def test_a_run_is_not_resumed_with_other_settings(
    tmp_path: pathlib.Path, config: FlowConfig, epochs: int, named: str
) -> None:
    optimizer = OptimizerConfig("adamw", 4e-3, schedule="one-cycle")

    def run(config: FlowConfig, epochs: int, resume: bool) -> None:
        training = flow_training.FlowTraining(config, optimizer)
        flow_training.fit(training, two_clouds(40), two_clouds(10), 80, epochs, tmp_path, resume)

    run(dataclasses.replace(SMALL, dropout=0.0), 2, False)
    with pytest.raises(ValueError, match=named):
        run(config, epochs, True)


@pytest.mark.unit
def test_a_flow_is_trained_on_one_device_however_many_there_are(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two would see the same batches with the same noise."""
    monkeypatch.setattr(CPUAccelerator, "auto_device_count", staticmethod(lambda: 2))
    training = flow_training.FlowTraining(SMALL, OptimizerConfig())
    trainers: list[int] = []
    monkeypatch.setattr(L.Trainer, "fit", lambda self, *_, **__: trainers.append(self.num_devices))
    flow_training.fit(training, two_clouds(40), two_clouds(10), 80, 1, tmp_path, False)
    assert trainers == [1]
