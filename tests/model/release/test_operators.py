"""The operators that serving allows are those that the exporter makes."""

import pathlib
import typing as t

import pytest
import torch
import yaml
from torch import nn

from handler import operators
from model.prior import priors
from model.prior.flow import Flow, FlowConfig
from model.release import export
from model.vae.networks import Decoder, Encoder, NetworkConfig

pytestmark = pytest.mark.slow

RECIPES = sorted((pathlib.Path(export.__file__).parents[1] / "recipes").glob("*.yaml"))


def narrow(values: dict[str, t.Any]) -> dict[str, t.Any]:
    """The same network with few channels, which makes the same operators in less time."""
    few = {name: [min(width, 8) for width in values[name]] for name in ("widths", "decoder_widths") if name in values}
    return values | ({} if values.get("last") == "subpixel" else few)


def traced_priors() -> t.Iterator[tuple[nn.Module, int]]:
    codes = torch.randn(64, 12, generator=torch.Generator().manual_seed(0)).numpy()
    yield priors.StandardNormal(12), 12
    mixture = priors.fit_gaussian_mixture(codes, axes=8, components=2)
    yield mixture, mixture.noise_dim
    for side in (0, 2):
        flow = Flow(FlowConfig(latent_dim=12, side=side))
        yield flow, flow.noise_dim


def made_of(name: str, module: nn.Module, shape: tuple[int, ...]) -> set[str]:
    """The operators of a traced function, as serving sees them."""
    with torch.inference_mode():
        traced = export.trace(name, module.eval(), shape)
    operators.check_graph(traced)
    return set(operators.kinds(traced.inlined_graph))


#: Operators of bundles up to the fifth release. These may still be published, so the current function must serve them.
EARLIER = {"aten::all", "aten::rsub"}

USED: set[str] = set()


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipes_functions_are_allowed(path: pathlib.Path) -> None:
    values = narrow(yaml.safe_load(path.read_text())["model"]["network"])
    network = NetworkConfig(**{name: tuple(each) if isinstance(each, list) else each for name, each in values.items()})
    side = network.image_size
    USED.update(made_of("encoder", Encoder(network), (network.channels, side, side)))
    USED.update(made_of("decoder", Decoder(network), (network.latent_dim,)))


def test_every_prior_is_allowed() -> None:
    for prior, noise_dim in traced_priors():
        USED.update(made_of("prior", prior, (noise_dim,)))


def test_nothing_is_allowed_that_no_bundle_needs(bundle: pathlib.Path) -> None:
    for path in bundle.glob("*.ts"):
        USED.update(operators.kinds(torch.jit.load(path).inlined_graph))
    assert operators.ALLOWED - USED == EARLIER
