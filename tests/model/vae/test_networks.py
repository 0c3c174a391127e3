import dataclasses

import pytest
import torch

from model.evaluation import reconstruction
from model.vae import networks
from model.vae.networks import Decoder, Encoder, NetworkConfig

from ..conftest import TINY


def test_encoder_and_decoder_keep_the_bundles_shapes() -> None:
    mean, log_variance = Encoder(TINY).eval()(torch.rand(3, 3, 32, 32))
    assert mean.shape == log_variance.shape == (3, TINY.latent_dim)
    images = Decoder(TINY).eval()(mean)
    assert images.shape == (3, 3, 32, 32)
    assert images.min() >= 0
    assert images.max() <= 1


def test_the_last_latent_is_the_aspect_ratio() -> None:
    images = torch.rand(1, 3, 32, 32) * 0.9
    images[:, :, :8] = 1
    images[:, :, -8:] = 1
    mean, _ = Encoder(TINY).eval()(images)
    assert mean[0, -1].item() * networks.ASPECT_SCALE == pytest.approx(torch.tensor(2.0).log().item(), abs=1e-5)


def test_the_released_network_fits_its_budget() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    config = NetworkConfig(blocks=(0, 1, 1, 2), decoder_blocks=(2, 2, 1, 1), aspect=True)
    encoder, decoder = Encoder(config).eval(), Decoder(config).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        decoder(encoder(torch.rand(1, 3, 128, 128))[0])
    assert counter.get_total_flops() <= 1.5e9
    assert config.latent_dim <= 512


@pytest.mark.parametrize(("values", "named"), [({"blocks": (1, 2)}, r"blocks: \(1, 2\)"), ({"image_size": 100}, "100")])
def test_an_impossible_network_is_named(values: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        NetworkConfig(**values)  # type: ignore[arg-type]


def test_sharpening_adds_contrast_at_edges_and_leaves_flat_parts_alone() -> None:
    torch.manual_seed(0)
    config = dataclasses.replace(TINY, aspect=False)
    plain = Decoder(config).eval()
    sharp = Decoder(dataclasses.replace(config, sharpen=0.5)).eval()
    sharp.load_state_dict(plain.state_dict())
    codes = torch.randn(4, config.latent_dim)
    assert reconstruction.gradient_energy(sharp(codes)).mean() > reconstruction.gradient_energy(plain(codes)).mean()
    assert sharp(codes).min() >= 0
    assert sharp(codes).max() <= 1
    assert torch.allclose(sharp.blur.sum(1), torch.ones(32))  # a flat picture stays as it is
