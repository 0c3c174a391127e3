import torch

from model.training import drifting
from model.vae.perception import Perception


def cloud(centre: float, count: int, seed: int) -> torch.Tensor:
    """Places on a plane, near one point."""
    return torch.tensor([centre, 0.0]) + 0.1 * torch.randn(count, 2, generator=torch.Generator().manual_seed(seed))


PHOTOGRAPHS = torch.cat((cloud(0, 200, 0), cloud(1, 200, 1)))


def test_cars_that_crowd_at_one_kind_of_photograph_move_towards_the_other() -> None:
    drawn = torch.cat((cloud(0, 360, 2), cloud(1, 40, 3)))
    between = torch.tensor([[0.5, 0.0]])
    move = drifting.drift(between, PHOTOGRAPHS, torch.cat((between, drawn)))
    assert move[0, 0] > 0.5


def test_cars_move_to_where_photographs_are() -> None:
    drawn = cloud(3, 400, 2)
    moves = drifting.drift(drawn[:20], PHOTOGRAPHS, drawn)
    assert (moves[:, 0] < 0).all()


def test_the_loss_moves_cars_as_the_drift_says() -> None:
    drawn = cloud(3, 400, 2)
    cars = drawn[:20].clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(drifting.drift_loss([cars], [PHOTOGRAPHS], [drawn]), cars)
    assert torch.allclose(-20 * gradient, drifting.drift(drawn[:20], PHOTOGRAPHS, drawn), atol=1e-6)


def test_features_go_from_texture_to_the_whole_picture_at_any_size() -> None:
    perception = Perception()
    for size, colours in ((16, 1), (128, 3), (256, 3)):
        found = drifting.features(perception, torch.rand(2, colours, size, size))
        assert [each.shape for each in found] == [(2, 128), (2, 1792), (2, 1280), (2, 320)]
