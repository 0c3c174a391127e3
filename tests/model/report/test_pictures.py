import dataclasses
import typing as t

import numpy as np
import pytest
import torch

from model.data.batches import ImageData
from model.data.prepared import Images
from model.prior import priors
from model.report.report import Pictures
from model.vae.networks import Decoder, Encoder, NetworkConfig

NETWORK = NetworkConfig(16, 1, linear=True, widths=(8,), latents=1)


@dataclasses.dataclass
class Module:
    network: NetworkConfig
    encoder: Encoder
    decoder: Decoder
    prior: priors.Prior | None = None

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")


def pictures(latents: int, images: int) -> Pictures:
    network = dataclasses.replace(NETWORK, latents=latents)
    data = ImageData("nowhere")
    pixels = np.random.default_rng(0).integers(0, 256, (images, 16, 16, 1), np.uint8)
    data.train = data.val = Images(pixels, range(images))
    module = Module(network, Encoder(network).eval(), Decoder(network).eval())
    return Pictures(t.cast(t.Any, module), data)


@pytest.mark.parametrize(("latents", "images"), [(1, 20), (1, 1), (2, 1), (3, 1), (3, 2), (3, 20)])
def test_few_latents_and_few_images_have_a_report_too(latents: int, images: int) -> None:
    torch.manual_seed(0)
    drawn = pictures(latents, images).draw(1)
    assert {"reconstructions", "random", "latents"} <= set(drawn)
    assert ("interpolations" in drawn) == (images > 1)
    for figure in drawn.values():
        figure.canvas.draw()
