import torch

from model.vae.perception import CHANNELS, Perception, perceptual_distance


def test_maps_of_photographs_have_a_deviation_of_one() -> None:
    perception = Perception()
    photographs = torch.rand(8, 3, 64, 64)
    perception.calibrate(photographs)
    maps = perception(photographs)
    assert [found.shape[1] for found in maps] == list(CHANNELS)
    assert all(torch.isclose(found.std(), torch.tensor(1.0), atol=1e-3) for found in maps)


def test_a_blurred_picture_is_further_away_than_a_slightly_brighter_one() -> None:
    perception = Perception()
    pictures = torch.nn.functional.interpolate(torch.rand(4, 3, 32, 32), size=64) * 0.9
    perception.calibrate(pictures)
    blurred = torch.nn.functional.avg_pool2d(pictures, 5, 1, 2)
    seen, soft, bright = (perception(images) for images in (pictures, blurred, pictures + 0.02))
    assert perceptual_distance(seen, seen) == 0
    assert perceptual_distance(seen, soft) > 2 * perceptual_distance(seen, bright)


def test_it_never_learns() -> None:
    perception = Perception().train()
    assert not any(weight.requires_grad for weight in perception.parameters())
    assert not perception.network.training
