import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from handler import engines
from handler.bundle import Bundle, BundleError
from handler.settings import ENGINES

from .. import bundles

LATENT = 3 * bundles.GRID**2


def load(folder: Path, name: str = "torchscript") -> engines.Engine:
    return engines.load(name, Bundle.open(str(folder), folder), 1)


@pytest.fixture(scope="module", params=ENGINES)
def engine(bundle: Path, request: pytest.FixtureRequest) -> engines.Engine:
    return load(bundle, request.param)


def test_shapes_and_types(engine: engines.Engine) -> None:
    mean, log_variance = engine.encode(np.zeros((3, 3, 32, 32), np.float32))
    images = engine.decode(np.zeros((3, LATENT), np.float32))
    latents = engine.prior(np.zeros((3, bundles.NOISE), np.float32))
    assert [array.shape for array in (mean, log_variance, images, latents)] == [
        (3, LATENT),
        (3, LATENT),
        (3, 3, 32, 32),
        (3, LATENT),
    ]
    assert {array.dtype for array in (mean, log_variance, images, latents)} == {np.dtype(np.float32)}


def test_a_row_does_not_depend_on_its_neighbours(engine: engines.Engine) -> None:
    noise = np.random.default_rng(0).standard_normal((5, bundles.NOISE)).astype(np.float32)
    together = engine.decode(engine.prior(noise))
    for index in range(5):
        np.testing.assert_array_equal(engine.decode(engine.prior(noise[index : index + 1]))[0], together[index])


def test_engines_agree(bundle: Path) -> None:
    noise = np.random.default_rng(0).standard_normal((3, bundles.NOISE)).astype(np.float32)
    images = np.random.default_rng(1).random((3, 3, 32, 32), np.float32)
    one, *others = (load(bundle, name) for name in ENGINES)
    for other in others:
        np.testing.assert_allclose(one.decode(one.prior(noise)), other.decode(other.prior(noise)), atol=1e-4)
        np.testing.assert_allclose(one.encode(images), other.encode(images), atol=1e-4)


def replace(folder: Path, name: str, data: bytes) -> None:
    """Replace a file and its checksum."""
    (folder / name).write_bytes(data)
    files = {
        path.name: bundles.checksum(path.read_bytes()) for path in folder.iterdir() if path.name != "manifest.json"
    }
    bundles.edit_manifest(folder, files=files)


@pytest.mark.parametrize(
    ("name", "engine_name"), [("prior.ts", "torchscript"), ("prior.onnx", "onnx"), ("decoder.int8.onnx", "onnx-int8")]
)
def test_a_file_that_is_no_model_is_named(own_bundle: Path, name: str, engine_name: str) -> None:
    replace(own_bundle, name, b"no model")
    with pytest.raises(BundleError, match=rf"{name}: not "):
        load(own_bundle, engine_name)


def test_a_file_missing_in_the_manifest_is_named(own_bundle: Path) -> None:
    bundles.edit_manifest(own_bundle, files={})
    with pytest.raises(BundleError, match=r"files has no 'prior.ts'"):
        load(own_bundle)


def test_eight_bits_read_their_twins_and_no_more(own_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    whole = Bundle.read
    monkeypatch.setattr(Bundle, "read", lambda bundle, name: read.append(name) or whole(bundle, name))
    load(own_bundle, "onnx-int8")
    assert sorted(read) == ["decoder.int8.onnx", "encoder.int8.onnx", "prior.onnx"]


def test_a_bundle_without_twins_says_so(own_bundle: Path) -> None:
    files = {name: bundles.checksum((own_bundle / name).read_bytes()) for name in ("prior.onnx", "decoder.onnx")}
    bundles.edit_manifest(own_bundle, files=files)
    with pytest.raises(BundleError, match=r"files has no 'decoder.int8.onnx', which this engine needs"):
        load(own_bundle, "onnx-int8")


def test_functions_in_each_others_place_are_refused(own_bundle: Path) -> None:
    replace(own_bundle, "decoder.ts", (own_bundle / "prior.ts").read_bytes())
    for name in ("decoder.onnx", "decoder.int8.onnx"):
        replace(own_bundle, name, (own_bundle / "prior.onnx").read_bytes())
    for name in ENGINES:
        with pytest.raises(BundleError, match="the model fails on arrays of the manifest's sizes"):
            load(own_bundle, name)


def test_another_shape_than_the_manifests_is_refused(own_bundle: Path) -> None:
    bundles.edit_manifest(own_bundle, image_size=64)
    with pytest.raises(BundleError, match=r"the decoder's image is float32 \(1, 3, 32, 32\); the manifest says"):
        load(own_bundle)


def test_only_the_chosen_engines_library_is_imported() -> None:
    # In a process of its own, as the tests themselves import torch.
    check = "import sys, handler.app; print({'torch', 'boto3', 'model', 'torchvision'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


def test_the_onnx_engine_needs_no_torch(bundle: Path) -> None:
    check = (
        "import sys, pathlib; from handler import bundle, engines; "
        f"opened = bundle.Bundle.open({str(bundle)!r}, pathlib.Path({str(bundle)!r})); "
        "engines.load('onnx', opened, 1); print('torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
