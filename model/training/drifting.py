"""Where drawn cars should move, in the features of a network trained on ImageNet, to be distributed like photographs.

Each car is pulled towards photographs near it and pushed away from drawn cars near it. So it moves to where there are
too few cars, and stays where cars are as dense as photographs (Deng et al. 2026, "Generative Modeling via Drifting").
This trains no discriminator, so there is none that the generator could fool with only a few different cars.
"""

import typing as t

import torch
from torch import Tensor
from torch.nn import functional as F

from ..vae.perception import Perception

#: Largest side in pixels at which pictures are looked at.
SIDE = 128

#: How near a neighbour must be to count, as a share of the mean distance between two photographs.
TEMPERATURES = (0.03, 0.06, 0.15)

#: Pictures that a crowd needs; fewer say nothing about density.
LEAST = 96


def features(perception: Perception, images: Tensor) -> list[Tensor]:
    """Four sets of features of images ``(N, C, S, S)`` in [0, 1], each ``(N, F)``: from texture to the whole car.

    Fine maps give the mean and deviation of each channel, coarse maps keep 4 x 4 and 2 x 2 places and one.
    """
    if images.shape[1] == 1:
        images = images.expand(-1, 3, -1, -1)
    if images.shape[-1] > SIDE:
        images = F.interpolate(images, size=SIDE, mode="area")
    first, second, third, last = (found.float() for found in perception(images))
    texture = [
        statistic for found in (first, second) for statistic in (found.mean((2, 3)), found.flatten(2).std(2, False))
    ]
    return [
        torch.cat(texture, 1),
        F.adaptive_avg_pool2d(third, 4).flatten(1),
        F.adaptive_avg_pool2d(last, 2).flatten(1),
        last.mean((2, 3)),
    ]


@torch.no_grad()
def in_units(perception: Perception, batches: t.Iterable[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """`features` of photographs, which come in batches ``(N, C, S, S)``, in units of `unit`; and those units."""
    sets = [torch.cat(parts) for parts in zip(*(features(perception, batch) for batch in batches), strict=True)]
    units = [unit(each) for each in sets]
    return [each / unit for each, unit in zip(sets, units, strict=True)], units


def unit(photographs: Tensor, pairs: int = 2000) -> Tensor:
    """Mean distance between two of the photographs ``(N, F)``, a scalar."""
    ends = torch.randint(len(photographs), (2, pairs), generator=torch.Generator().manual_seed(0))
    one, other = photographs[ends.to(photographs.device)]
    return t.cast(Tensor, (one - other).norm(dim=1).mean().clamp(min=1e-6))


def drift(cars: Tensor, photographs: Tensor, drawn: Tensor) -> Tensor:
    """Where each car should move, ``(N, F)``; steps of one length on average.

    Parameters
    ----------
    cars
        ``(N, F)``, in units of `unit`.
    photographs, drawn
        ``(M, F)`` each: some photographs, and the cars that were drawn last, ``cars`` first among them.
    """
    near, crowd = torch.cdist(cars, photographs), torch.cdist(cars, drawn)
    # A car does not push itself.
    crowd[torch.arange(len(cars)), torch.arange(len(cars))] = torch.inf
    moves = []
    for temperature in TEMPERATURES:
        move = softmean(near, photographs, temperature) - softmean(crowd, drawn, temperature)
        moves.append(move / move.norm(dim=1).mean().clamp(min=1e-6))
    return torch.stack(moves).mean(0)


def softmean(distances: Tensor, places: Tensor, temperature: float) -> Tensor:
    """Mean of places ``(M, F)``, weighted by how near they are by ``distances`` ``(N, M)``; ``(N, F)``."""
    return torch.softmax(-distances / temperature, 1) @ places


def drift_loss(cars: t.Sequence[Tensor], photographs: t.Sequence[Tensor], drawn: t.Sequence[Tensor]) -> Tensor:
    """A scalar whose gradient moves cars as `drift` says, over all sets of features."""
    moves = [drift(own.detach(), *others) for own, *others in zip(cars, photographs, drawn, strict=True)]
    return -torch.stack([(own * move).sum(1).mean() for own, move in zip(cars, moves, strict=True)]).sum()


class Crowd:
    """The latest pictures of one kind, together with all photographs.

    Parameters
    ----------
    size
        Pictures that are remembered, and photographs that they are compared with.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.photographs: list[Tensor] = []
        self.units: list[Tensor] = []
        #: Features of the pictures, the last ones first: one tensor per set, in units.
        self.made: list[Tensor] = []

    def look_at(self, photographs: t.Sequence[Tensor], units: t.Sequence[Tensor]) -> None:
        """Take what `in_units` returns; several crowds may share it."""
        self.photographs, self.units = list(photographs), list(units)
        self.made = self.made or [each[:0] for each in photographs]
        self.to(photographs[0].device)

    def to(self, device: torch.device) -> None:
        """Move all features to a device."""
        for name in ("photographs", "units", "made"):
            setattr(self, name, [each.to(device) for each in getattr(self, name)])

    def loss(self, pictures: t.Sequence[Tensor], generator: torch.Generator) -> Tensor:
        """`drift_loss` of new pictures by their `features`, which join the crowd; 0 until it has `LEAST`."""
        seen = [each / unit for each, unit in zip(pictures, self.units, strict=True)]
        joined = (torch.cat((new.detach(), old)) for new, old in zip(seen, self.made, strict=True))
        # All new pictures stay, however many: `drift` must find each of them here, so that none is pushed off itself.
        self.made = [each[: max(self.size, len(pictures[0]))] for each in joined]
        count = len(self.made[0])
        # Each picture is compared with as many photographs as other pictures: among more, the nearest would be nearer.
        some = torch.randperm(len(self.photographs[0]), generator=generator)[: count - 1].to(self.made[0].device)
        loss = drift_loss(seen, [each[some] for each in self.photographs], self.made)
        return loss if count >= LEAST else 0 * loss
