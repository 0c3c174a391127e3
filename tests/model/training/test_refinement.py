import pathlib
import typing as t

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from model.data.prepared import Images
from model.prior.flow import FlowConfig
from model.release import released
from model.training import flow_training
from model.training.refinement import Refinement, RefinementRun
from model.vae.networks import Decoder, NetworkConfig

FLOW = FlowConfig(4, width=8, depth=1)


def decoder() -> Decoder:
    torch.manual_seed(0)
    made = Decoder(NetworkConfig(32, 3, linear=True, widths=(8,), latents=4)).eval()
    with torch.no_grad():
        made.last_weight.mul_(20)  # an untrained decoder's pictures are all nearly grey
    return made


def pictures(codes: Tensor) -> Tensor:
    with torch.inference_mode():
        return decoder()(codes)


def codes(count: int) -> Tensor:
    """Codes far from the draws of an untrained flow, which returns its noise unchanged."""
    return 0.3 * torch.randn(count, 4, generator=torch.Generator().manual_seed(1)) + 2


def images(count: int) -> Images:
    pixels = (pictures(codes(count)).permute(0, 2, 3, 1) * 255).round().to(torch.uint8)
    return Images(pixels.numpy(), range(count))


def training() -> Refinement:
    torch.manual_seed(3)
    made = Refinement(FLOW, RefinementRun(learning_rate=1e-2), decoder())
    made.look_at(images(120), images(8))
    return made


def fit(out: pathlib.Path, epochs: int, resume: bool = False, steps: int = 5) -> Refinement:
    made = training()
    loaders = (DataLoader(t.cast(t.Any, range(count))) for count in (steps, 1))
    checkpoint = out / "last.ckpt" if resume else None
    flow_training.trainer(out, epochs, decay=0.5).fit(made, *loaders, ckpt_path=checkpoint, weights_only=True)
    return made


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, Refinement]:
    """The folder of a finished run, and what it trained."""
    out = tmp_path_factory.mktemp("fitted")
    return out, fit(out, 1)


def test_the_flow_learns_to_draw_what_looks_like_the_photographs(tmp_path: pathlib.Path) -> None:
    noise = torch.randn(200, 4, generator=torch.Generator().manual_seed(2))
    real = pictures(codes(200)).mean(0)
    far, near = (
        (made.eval().pictures(noise).mean(0) - real).abs().mean() for made in (training(), fit(tmp_path, 1, steps=40))
    )
    assert near < 0.6 * far


def test_the_decoder_stays_as_it_is_and_out_of_checkpoints(fitted: tuple[pathlib.Path, Refinement]) -> None:
    checkpoint = fitted[0] / "last.ckpt"
    kept = torch.load(checkpoint, weights_only=True)["state_dict"]
    assert {name.partition(".")[0] for name in kept} == {"flow"}
    assert released.load_flow(checkpoint).noise_dim == 4


def test_a_resumed_refinement_is_the_one_that_never_stopped(tmp_path: pathlib.Path) -> None:
    fit(tmp_path / "whole", 2)
    fit(tmp_path / "parts", 1)
    fit(tmp_path / "parts", 2, resume=True)
    whole, parts = (
        torch.load(tmp_path / run / "last.ckpt", weights_only=True)["state_dict"] for run in ("whole", "parts")
    )
    assert all(torch.equal(value, parts[name]) for name, value in whole.items())


def test_validation_says_how_many_cars_are_recognised_and_how_varied_they_are(
    fitted: tuple[pathlib.Path, Refinement],
) -> None:
    logged = fitted[1].trainer.callback_metrics
    assert {"val_recognised", "val_kid", "val_recall"} <= set(logged)


def test_too_few_validation_photographs_are_not_judged(tmp_path: pathlib.Path) -> None:
    made = training()
    made.look_at(images(20), images(3))
    loaders = (DataLoader(t.cast(t.Any, range(1))) for _ in range(2))
    trainer = flow_training.trainer(tmp_path, 1)
    trainer.fit(made, *loaders)
    assert "val_kid" not in trainer.callback_metrics


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_in_their_range(channels: int) -> None:
    network = NetworkConfig(16, channels, linear=True, widths=(8,), latents=4)
    drawn = Refinement(FLOW, RefinementRun(), Decoder(network).eval()).pictures(torch.randn(5, 4))
    assert drawn.shape == (5, channels, 16, 16)
    assert 0 <= drawn.min() <= drawn.max() <= 1
