import torch

from model.vae.discriminator import (
    ProjectedDiscriminator,
    augmentation,
    discriminator_accuracy,
    discriminator_loss,
    generator_loss,
)


def maps(images: int, level: float) -> list[torch.Tensor]:
    """Feature maps of two scales about a level."""
    return [torch.randn(images, 6, 16, 16) + level, torch.randn(images, 10, 8, 8) + level]


def test_it_learns_to_tell_two_kinds_of_maps_apart() -> None:
    torch.manual_seed(0)
    network = ProjectedDiscriminator((6, 10))
    trained = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = torch.optim.Adam(trained, 2e-3, betas=(0.0, 0.99))
    losses = []
    for _ in range(40):
        loss = discriminator_loss(network(maps(8, 0.3)), network(maps(8, -0.3)))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert 1.2 < losses[0] < 2.8
    assert losses[-1] < 0.7
    real, made = network(maps(8, 0.3)), network(maps(8, -0.3))
    assert discriminator_accuracy(real, made) > 0.9
    assert generator_loss(made) > generator_loss(real)


def test_its_projections_stay_as_they_were_drawn() -> None:
    network = ProjectedDiscriminator((6, 10))
    assert not any(weight.requires_grad for weight in network.projections.parameters())


def test_an_augmentation_does_the_same_to_each_set_of_pictures() -> None:
    apply = augmentation(5, 32, torch.Generator().manual_seed(0))
    images = torch.rand(5, 3, 32, 32)
    assert torch.equal(apply(images), apply(images))
    assert torch.equal(apply(images)[:2], apply(images[:2]))
    assert not torch.equal(apply(images)[0], apply(images[:1].expand(5, -1, -1, -1))[1])


def test_an_augmentation_lets_the_gradient_through() -> None:
    images = torch.rand(2, 3, 32, 32, requires_grad=True)
    augmentation(2, 32, torch.Generator().manual_seed(0))(images).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
