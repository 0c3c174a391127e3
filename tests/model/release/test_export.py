import hashlib
import json
import pathlib

import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from model.prior import priors
from model.release import export, released
from model.vae.networks import Decoder, Encoder, Head, NetworkConfig

from ..conftest import TINY


def tiny_release() -> released.Release:
    torch.manual_seed(0)
    encoder, decoder = Encoder(TINY), Decoder(TINY)
    with torch.no_grad():
        decoder(encoder(torch.rand(8, 3, 32, 32))[0])
    codes = torch.randn(64, TINY.latent_dim).numpy()
    prior = priors.fit_gaussian_mixture(codes, axes=8, components=2)
    facts = {"name": "tiny", "created": "2026-01-01T00:00:00+00:00", "directions": [], "metrics": {}}
    return released.Release(TINY, encoder.eval(), decoder.eval(), prior, facts)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The bundle of `tiny_release`, not to be changed."""
    folder = tmp_path_factory.mktemp("export") / "bundle"
    export.write_bundle(tiny_release(), "tiny-1", "# Card\n", folder)
    return folder


def test_a_bundle_holds_what_its_manifest_says(bundle: pathlib.Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert set(manifest["files"]) == {
        f"{name}.{kind}" for name in ("encoder", "decoder", "prior") for kind in ("ts", "onnx")
    } | {"MODEL_CARD.md"}
    for name, entry in manifest["files"].items():
        content = (bundle / name).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (entry["sha256"], entry["bytes"])
    assert (manifest["latent_dim"], manifest["noise_dim"], manifest["image_size"]) == (TINY.latent_dim, 10, 32)


def test_traced_functions_give_what_the_networks_give(bundle: pathlib.Path) -> None:
    images = torch.rand(5, 3, 32, 32)
    mean, log_variance = torch.jit.load(bundle / "encoder.ts")(images)
    with torch.no_grad():
        expected = tiny_release().encoder(images)
    assert torch.allclose(mean, expected[0], atol=1e-4)
    assert torch.allclose(log_variance, expected[1], atol=1e-4)


@pytest.mark.parametrize("batch", [1, 16])
def test_onnx_gives_what_torchscript_gives(batch: int, bundle: pathlib.Path) -> None:
    noise = torch.randn(batch, 10)
    for name, argument in (("prior", noise), ("decoder", torch.randn(batch, TINY.latent_dim))):
        session = onnxruntime.InferenceSession(bundle / f"{name}.onnx")
        (result,) = session.run(None, {session.get_inputs()[0].name: argument.numpy()})
        expected = torch.jit.load(bundle / f"{name}.ts")(argument)
        assert torch.allclose(torch.from_numpy(result), expected, atol=1e-4)


class BatchOfTwo(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return z.reshape(2, -1)


class Drifting(nn.Module):
    calls = 0

    def forward(self, z: Tensor) -> Tensor:
        self.calls += 1
        return z + self.calls * 1e-3


def test_a_function_that_needs_its_batch_size_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match="traced function fails at batch size 1"):
        export.trace("decoder", BatchOfTwo(), (3,))
    with pytest.raises(ValueError, match="ONNX function fails at batch size 1"):
        export.write_onnx("decoder", BatchOfTwo(), (3,), tmp_path / "decoder.onnx")


def test_a_function_that_differs_from_its_export_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match=r"decoder: traced and eager differ by 0\.001"):
        export.trace("decoder", Drifting(), (3,))
    with pytest.raises(ValueError, match="decoder: ONNX and eager differ"):
        export.write_onnx("decoder", Drifting(), (3,), tmp_path / "decoder.onnx")


def test_only_a_bundle_is_replaced(tmp_path: pathlib.Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="not a bundle"):
        export.write_bundle(tiny_release(), "tiny-1", "", tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_released_weights_return_in_half_precision(tmp_path: pathlib.Path) -> None:
    model = tiny_release()
    released.save(model, tmp_path / "tiny.safetensors")
    loaded = released.load(tmp_path / "tiny.safetensors")
    assert loaded.network == TINY
    assert loaded.facts == model.facts
    noise = torch.randn(2, model.prior.noise_dim)
    with torch.no_grad():
        difference = loaded.decoder(loaded.prior(noise)) - model.decoder(model.prior(noise))
    assert difference.abs().max() < 0.01


@pytest.mark.parametrize(("weights", "share"), [("half", 0.6), ("full", 1.0)])
def test_matrices_of_half_precision_take_half_the_room(weights: str, share: float, tmp_path: pathlib.Path) -> None:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64))
    if weights == "half":
        layers.half().float()
    path, noise = tmp_path / "prior.onnx", torch.randn(3, 64).numpy()
    export.write_onnx("prior", layers, (64,), path)
    before, drawn = path.stat().st_size, onnxruntime.InferenceSession(path).run(None, {"noise": noise})[0]
    export.halve(path)
    assert share - 0.1 < path.stat().st_size / before <= share
    assert (onnxruntime.InferenceSession(path).run(None, {"noise": noise})[0] == drawn).all()


@pytest.mark.parametrize("content", [b"", b"not weights", b"\xff" * 64], ids=["empty", "text", "binary"])
def test_damaged_weights_are_named(content: bytes, tmp_path: pathlib.Path) -> None:
    weights, checkpoint = tmp_path / "damaged.safetensors", tmp_path / "damaged.ckpt"
    weights.write_bytes(content)
    checkpoint.write_bytes(content)
    with pytest.raises(ValueError, match=r"damaged\.safetensors"):
        released.load(weights)
    with pytest.raises(ValueError, match=r"damaged\.ckpt"):
        released.load_checkpoint(checkpoint)


@pytest.mark.parametrize(("head", "latents"), [("grid", 2), ("flatten", 10), ("pool", 10)])
def test_a_network_that_carries_the_aspect_ratio_is_exported_with_every_head(
    head: Head, latents: int, tmp_path: pathlib.Path
) -> None:
    network = NetworkConfig(image_size=32, widths=(8, 16), head=head, latents=latents, aspect=True)
    decoder = Decoder(network).eval()
    export.write_onnx("decoder", decoder, (network.latent_dim,), tmp_path / "decoder.onnx")
    export.trace("decoder", decoder, (network.latent_dim,))
