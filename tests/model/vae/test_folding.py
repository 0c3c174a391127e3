"""Folded networks draw what the ones with all their layers draw."""

import dataclasses

import pytest
import torch
from torch import nn

from model.vae.folding import fold_batch_norm, shuffle_by_convolution
from model.vae.networks import Decoder, NetworkConfig

CONFIG = NetworkConfig(image_size=32, widths=(8, 12), latents=2)


def decoder(config: NetworkConfig) -> nn.Module:
    """One whose batch norms have seen something."""
    torch.manual_seed(0)
    made = Decoder(config)
    for _ in range(3):
        made(torch.randn(4, config.latent_dim))
    return made.eval()


def test_without_its_batch_norms_a_decoder_draws_the_same() -> None:
    whole = decoder(CONFIG)
    folded = fold_batch_norm(whole)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in folded.modules())
    codes = torch.randn(3, CONFIG.latent_dim)
    torch.testing.assert_close(folded(codes), whole(codes), rtol=0, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_shuffle_by_convolution_puts_every_pixel_in_its_place(channels: int) -> None:
    config = dataclasses.replace(CONFIG, channels=channels)
    folded = fold_batch_norm(decoder(config))
    codes = torch.randn(3, config.latent_dim)
    expected = folded(codes)
    shuffled = shuffle_by_convolution(folded)
    assert not any(isinstance(layer, nn.PixelShuffle) for layer in shuffled.modules())
    torch.testing.assert_close(shuffled(codes), expected, rtol=0, atol=1e-6)
