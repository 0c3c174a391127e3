"""How a model is scored: on which sets, of which size, against which floor. docs/evaluation.md has the reasons."""

import dataclasses
import functools
import typing as t

import torch
from torch import Tensor
from torch.nn import functional as F

from ..data.sheets import Pixels, pixels, sheet
from . import distances, paths, similarity
from .controls import CONTROLS
from .intervals import Estimate, mean
from .judge import Judge, Progress, Seen
from .neighbours import neighbours
from .photographs import Photographs
from .reconstruction import Reconstruction, reconstruction

#: Draws photographs, pairs, noise and random cars.
SEED = 7

#: Fewer photographs than this say nothing about a set.
FEWEST = 20

#: Paths whose every step is decoded.
PATHS = 32

#: Latents decoded, and pictures encoded, between two ticks of the progress bar.
BATCH = 16

Label = t.Callable[[str], Progress]


@dataclasses.dataclass(frozen=True)
class Model:
    """What is scored, whatever runs it; all tensors are on the CPU.

    Parameters
    ----------
    encode
        Images ``(N, 3, S, S)`` in [0, 1] to the means of their codes ``(N, D)``.
    decode
        Codes ``(N, D)`` to images.
    random
        Codes ``(N, D)`` of the first N random cars of a seed.
    between
        Ways from one code to another, by name.
    """

    encode: t.Callable[[Tensor], Tensor]
    decode: t.Callable[[Tensor], Tensor]
    random: t.Callable[[int, int], Tensor]
    between: t.Mapping[str, paths.Interpolate]


@dataclasses.dataclass(frozen=True)
class SetScores:
    """Scores of one set of pictures; those against photographs are None for the photographs themselves.

    Parameters
    ----------
    recognised
        Share whose likeliest class is a kind of car.
    kid
        Kernel distance times 1,000.
    frechet, precision, recall, density, coverage
        Fréchet distance (`distances`), and scores from nearest neighbours (`neighbours`).
    ms_ssim
        Mean of random pairs, lower if they vary more; None for pictures too small for it.
    """

    images: int
    recognised: Estimate
    kid: Estimate | None = None
    frechet: Estimate | None = None
    precision: Estimate | None = None
    recall: Estimate | None = None
    density: Estimate | None = None
    coverage: Estimate | None = None
    ms_ssim: Estimate | None = None


@dataclasses.dataclass(frozen=True)
class Scores:
    """All that `evaluate` finds.

    Parameters
    ----------
    reconstructions
        By folder, and of all together.
    sets
        By name, the split's own photographs first; empty if there are too few photographs.
    paths
        By the way from one code to another.
    page
        A sheet of pictures, ``(H, W, 3)``.
    """

    reconstructions: dict[str, Reconstruction]
    sets: dict[str, SetScores]
    paths: dict[str, paths.Paths]
    page: Pixels


def evaluate(
    model: Model,
    photographs: Photographs,
    training: Photographs,
    judge: Judge,
    limit: int,
    label: Label,
    size: int | None = None,
) -> Scores:
    """Score a model on photographs that it was not trained on.

    Parameters
    ----------
    training
        Its training photographs, of which as many are drawn for the floor: real against real.
    limit
        Score at most so many photographs; 0 scores all.
    label
        Makes a progress bar of a name.
    size
        Side in pixels to which photographs and the model's pictures are reduced before they are scored, so that models
        of different sizes compare. The model is always given whole photographs.

    Raises
    ------
    ValueError
        There is no photograph.
    """
    originals, chosen = draw(photographs, limit, label)
    codes = torch.cat([model.encode(batch) for batch in label("encoding")(_batches(originals))])
    if size is not None:
        model = dataclasses.replace(model, decode=functools.partial(_decode_reduced, model.decode, size))
        originals = reduced(originals, size)
    decoded = _decoded(model, codes, label("reconstructions"))
    perceptual = judge.perceptual(decoded, originals, label("perceptual distance"))
    folders = [photographs.folder(index) for index in chosen]
    rebuilt = {}
    for folder in [*sorted(set(folders)), "all"] if len(set(folders)) > 1 else ["all"]:
        its = torch.tensor([folder in (other, "all") for other in folders])
        rebuilt[folder] = reconstruction(decoded[its], originals[its], perceptual[its])

    some = spread(len(originals), 16)
    rows = [pixels(originals[some]), pixels(decoded[some])]
    count = min(len(originals), len(training))
    if count < FEWEST:
        return Scores(rebuilt, {}, {}, sheet(rows))

    # All sets have the same size, because distances and neighbours depend on it.
    kept = torch.randperm(len(originals), generator=torch.Generator().manual_seed(SEED))[:count]
    sets = Sets(originals[kept], judge, label)
    floor = training.tensor(training.drawn(count, SEED), label("training photographs"))
    floor = reduced(floor, size) if size is not None else floor
    near = sets.add("real against real", floor)
    sets.add("reconstructions", decoded[kept])
    random = _decoded(model, model.random(SEED, count), label("random cars"))
    seen = sets.add("random cars", random)
    rows += [pixels(random[first : first + 16]) for first in range(0, min(64, count), 16)]
    nearest = torch.cdist(seen.features[:16], near.features).argmin(1)
    rows += [pixels(random[:16]), pixels(floor[nearest])]
    del random, floor, decoded

    # Each code is the start of one pair and the end of another.
    start, end = codes[kept], codes[kept].roll(1, 0)
    travelled: dict[str, paths.Paths] = {}
    for name, between in model.between.items():
        halfway = _decoded(model, paths.midpoints(start, end, between), label(f"midpoints, {name}"))
        sets.add(f"midpoints, {name}", halfway)
        if not travelled:
            rows += [
                pixels(originals[kept[:16]]),
                pixels(halfway[:16]),
                pixels(originals[kept].roll(1, 0)[:16]),
            ]
        some_paths = (start[:PATHS], end[:PATHS])
        travelled[name] = paths.paths(*some_paths, between, model.decode, label(f"paths, {name}"))
    return Scores(rebuilt, sets.scores, travelled, sheet(rows))


def control(
    photographs: Photographs, training: Photographs, judge: Judge, limit: int, label: Label
) -> tuple[dict[str, SetScores], dict[str, Reconstruction]]:
    """Score photographs spoilt on purpose as if a model had made them: as sets, and each against its photograph.

    The sets begin with the photographs and their floor. Parameters as of `evaluate`.

    Raises
    ------
    ValueError
        There are fewer than `FEWEST` photographs of either split.
    """
    originals, _ = draw(photographs, limit, label)
    count = min(len(originals), len(training))
    if count < FEWEST:
        raise ValueError(f"{count} photographs and as many of the training split are too few: at least {FEWEST}")
    originals = originals[torch.randperm(len(originals), generator=torch.Generator().manual_seed(SEED))[:count]]
    sets = Sets(originals, judge, label)
    sets.add("real against real", training.tensor(training.drawn(count, SEED), label("training photographs")))
    pairs = {}
    for name, spoil in CONTROLS.items():
        spoilt = spoil(originals, torch.Generator().manual_seed(SEED))
        sets.add(name, spoilt)
        pairs[name] = reconstruction(spoilt, originals, judge.perceptual(spoilt, originals, label(f"{name}, in pairs")))
    return sets.scores, pairs


class Sets:
    """Sets of pictures, each scored against the same photographs and as large as they are."""

    def __init__(self, photographs: Tensor, judge: Judge, label: Label) -> None:
        self.judge, self.label = judge, label
        self.real = judge.look(photographs, label("judging photographs"))
        alone = SetScores(len(photographs), mean(self.real.recognised), ms_ssim=similarity.of_pairs(photographs))
        self.scores = {"photographs": alone}

    def add(self, name: str, images: Tensor) -> Seen:
        """Score a set, and return what the judge saw in it."""
        seen = self.judge.look(images, self.label(f"judging {name}"))
        near = neighbours(self.real.features, seen.features)
        self.scores[name] = SetScores(
            images=len(images),
            recognised=mean(seen.recognised),
            kid=distances.kernel(self.real.features, seen.features),
            frechet=distances.frechet(self.real.features, seen.features),
            precision=near.precision,
            recall=near.recall,
            density=near.density,
            coverage=near.coverage,
            ms_ssim=similarity.of_pairs(images),
        )
        return seen


def draw(photographs: Photographs, limit: int, label: Label) -> tuple[Tensor, list[int]]:
    """The photographs to score on, ``(N, 3, S, S)``, and their places."""
    if not len(photographs):
        raise ValueError("no photograph of this split")
    chosen = photographs.drawn(min(limit or len(photographs), len(photographs)), SEED)
    return photographs.tensor(chosen, label("photographs")), chosen


def reduced(images: Tensor, size: int) -> Tensor:
    """Pictures ``(N, 3, S, S)`` at a side of ``size`` pixels, antialiased."""
    pictures = [
        F.interpolate(batch, (size, size), mode="bicubic", antialias=True).clamp(0, 1) for batch in _batches(images)
    ]
    return torch.cat(pictures)


def spread(available: int, wanted: int) -> list[int]:
    """Evenly spaced indices."""
    return [int(index) for index in torch.linspace(0, available - 1, min(wanted, available)).round()]


def _batches(rows: Tensor) -> list[Tensor]:
    return list(torch.split(rows, BATCH))


def _decode_reduced(decode: t.Callable[[Tensor], Tensor], size: int, codes: Tensor) -> Tensor:
    return reduced(decode(codes), size)


def _decoded(model: Model, codes: Tensor, progress: Progress) -> Tensor:
    return torch.cat([model.decode(batch) for batch in progress(_batches(codes))])
