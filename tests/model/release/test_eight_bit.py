import dataclasses
import json
import pathlib
import shutil

import numpy as np
import onnx
import pytest
import torch

from model.data import prepared
from model.prior import priors
from model.release import eight_bit, export, released
from model.vae.networks import Decoder, Encoder, NetworkConfig

from .test_export import tiny_release

#: Of two halvings, wide enough for eight bits.
WIDE = NetworkConfig(image_size=32, widths=(32, 48), blocks=(0, 1), decoder_blocks=(1, 0), latents=2, aspect=True)

pytestmark = pytest.mark.slow  # each quantises and measures two networks

TWINS = {"encoder.int8.onnx", "decoder.int8.onnx"}


def wide_release(channels: int = 3) -> released.Release:
    torch.manual_seed(0)
    network = dataclasses.replace(WIDE, channels=channels)
    encoder, decoder = Encoder(network), Decoder(network)
    with torch.no_grad():  # batch norms learn what is usual
        for _ in range(20):
            decoder(encoder(torch.rand(8, channels, 32, 32))[0])
    facts = {"name": "wide", "created": "2026-01-01T00:00:00+00:00", "directions": [], "metrics": {}}
    prior = priors.StandardNormal(network.latent_dim)
    return released.Release(network, encoder.eval(), decoder.eval(), prior, facts)


def photographs(count: int, channels: int = 3) -> prepared.Images:
    pixels = np.random.default_rng(0).integers(0, 255, (count, 32, 32, channels), dtype=np.uint8)
    return prepared.Images(pixels, range(count))


def known(release: released.Release, psnr_lost: float = 0.05, recognised_lost: float = 0.0) -> released.Release:
    """The release with a cost that was measured before."""
    cost = eight_bit.Cost(eight_bit.fingerprint(release), 355, psnr_lost, recognised_lost)
    release.facts["eight_bit"] = dataclasses.asdict(cost)
    return release


def write(
    release: released.Release, folder: pathlib.Path, images: prepared.Images | None = None
) -> tuple[set[str], list[str]]:
    """Write a bundle; returns its files of eight bits, and what was said."""
    said: list[str] = []
    manifest = export.write_bundle(release, "wide-1", "", folder, images, said.append)
    assert manifest == json.loads((folder / "manifest.json").read_text())
    assert set(manifest["files"]) == {path.name for path in folder.iterdir()} - {"manifest.json"}
    return {name for name in manifest["files"] if "int8" in name}, said


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The bundle of `wide_release` without twins, not to be changed."""
    folder = tmp_path_factory.mktemp("eight_bit") / "bundle"
    write(wide_release(), folder)
    return folder


@pytest.fixture
def bundle(written: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of it that a test may add twins to."""
    return pathlib.Path(shutil.copytree(written, tmp_path / "bundle"))


def add_twins(
    release: released.Release, bundle: pathlib.Path, images: prepared.Images | None = None
) -> tuple[set[str], list[str]]:
    """Add twins to the bundle of a release; returns as `write` does."""
    said: list[str] = []
    eight_bit.add_twins(release, bundle, images, said.append)
    return {path.name for path in bundle.glob("*.int8.onnx")}, said


def test_weights_that_were_measured_get_twins_whose_cars_are_close(tmp_path: pathlib.Path) -> None:
    release = known(wide_release())
    assert write(release, tmp_path / "bundle")[0] == TWINS
    latents = eight_bit.draw_cars(tmp_path / "bundle")["decoder"]
    assert eight_bit.closeness(tmp_path / "bundle", latents) > eight_bit.CLOSEST
    assert json.loads((tmp_path / "bundle" / "manifest.json").read_text())["eight_bit"]["psnr_lost"] == 0.05


def test_what_was_measured_stays_with_the_released_weights(tmp_path: pathlib.Path) -> None:
    released.save(known(wide_release()), tmp_path / "wide.safetensors")
    assert write(released.load(tmp_path / "wide.safetensors"), tmp_path / "bundle")[0] == TWINS


def test_weights_that_nobody_measured_get_none(bundle: pathlib.Path) -> None:
    files, said = add_twins(wide_release(), bundle)
    assert (files, said) == (
        set(),
        ["no eight-bit twins: what they cost these weights was not measured; --data measures it"],
    )


def test_what_was_measured_of_other_weights_does_not_count(bundle: pathlib.Path) -> None:
    release = known(wide_release())
    with torch.no_grad():
        next(release.decoder.parameters()).mul_(1.1)
    assert add_twins(release, bundle)[0] == set()
    assert "eight_bit" not in release.facts


@pytest.mark.parametrize(
    ("cost", "reason"),
    [
        ({"psnr_lost": 0.2}, "they cost 0.200 dB, at most 0.1 are taken"),
        ({"recognised_lost": 1.5}, "they cost 1.5 points of recognised share, at most 1.0 are taken"),
    ],
)
def test_twins_that_cost_too_much_are_not_kept(cost: dict[str, float], reason: str, bundle: pathlib.Path) -> None:
    files, said = add_twins(known(wide_release(), **cost), bundle)
    assert (files, said[-1]) == (set(), f"no eight-bit twins: {reason}")


def test_twins_are_measured_on_photographs(bundle: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eight_bit, "FEWEST_PHOTOGRAPHS", 4)
    release = wide_release()
    assert add_twins(release, bundle, photographs(4))[0] == TWINS
    cost = release.facts["eight_bit"]
    assert (cost["photographs"], cost["recognised_lost"]) == (4, 0)
    assert -0.1 < cost["psnr_lost"] < 0.1


def test_a_share_of_greyscale_pictures_is_recognised_by_nobody(tmp_path: pathlib.Path) -> None:
    release = wide_release(channels=1)
    assert write(release, tmp_path / "bundle", photographs(eight_bit.FEWEST_PHOTOGRAPHS, 1))[0] == TWINS
    assert release.facts["eight_bit"]["recognised_lost"] is None


def test_few_photographs_measure_nothing(bundle: pathlib.Path) -> None:
    files, said = add_twins(known(wide_release()), bundle, photographs(8))
    assert (files, said) == (set(), ["no eight-bit twins: 8 validation photographs; 100 are needed"])


def test_a_narrow_network_has_none(tmp_path: pathlib.Path) -> None:
    files, said = write(known(tiny_release()), tmp_path / "bundle")
    assert (files, said[-1]) == (set(), "no eight-bit twins: no convolution of 24 channels")


def test_weights_keep_to_seven_bits_so_that_no_cpu_saturates(bundle: pathlib.Path) -> None:
    add_twins(known(wide_release()), bundle)
    for name in TWINS:
        graph = onnx.load(str(bundle / name)).graph
        weights = [onnx.numpy_helper.to_array(each) for each in graph.initializer if len(each.dims) == 4]
        small = [weight for weight in weights if weight.dtype == np.int8]
        assert small
        assert max(np.abs(weight.astype(int)).max() for weight in small) <= 64
