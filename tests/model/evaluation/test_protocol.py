import typing as t

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from model.evaluation import protocol
from model.evaluation.judge import Judge
from model.evaluation.photographs import Photographs
from tests import drawings


def drawn(first: int, count: int) -> Photographs:
    """Drawn cars in two folders."""
    names = [f"{'red' if seed % 3 == 0 else 'street'}/{seed}.png" for seed in range(first, first + count)]
    return Photographs(names, lambda index: np.asarray(drawings.car(first + index, 48, 48)))


def shrunk(images: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(images, 4).flatten(1)


#: Its codes are the pictures made smaller; its random cars are grey noise.
MODEL = protocol.Model(
    encode=shrunk,
    decode=lambda codes: F.interpolate(codes.unflatten(1, (3, 12, 12)), size=48, mode="bilinear"),
    random=lambda seed, count: torch.rand(count, 3 * 12 * 12, generator=torch.Generator().manual_seed(seed)),
    between={"lerp": lambda one, other, share: (1 - share) * one + share * other},
)


class Coarse(nn.Module):
    """Features that take no time: the picture at 4x4 pixels, and how much detail there is in each."""

    num_features = 96

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        detail = (images - F.avg_pool2d(images, 3, 1, 1)).abs()
        return 10 * F.adaptive_avg_pool2d(torch.cat((images, 4 * detail), 1), 4).flatten(1)


class Classes(nn.Module):
    """Stands in for Lite1: maps and classes computed directly from the pixels."""

    side = 48

    def maps(self, images: torch.Tensor, blocks: t.Sequence[int]) -> list[torch.Tensor]:
        return [F.avg_pool2d(images, 4) - 0.5 for _ in blocks]

    def pooled(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3))

    def logits(self, pooled: torch.Tensor) -> torch.Tensor:
        return F.pad(pooled, (0, 997))


@pytest.fixture(scope="module")
def judge() -> Judge:
    """A judge that costs nothing: these tests check only which pictures are compared with which."""
    judge = Judge(Coarse())
    judge.network = t.cast(t.Any, Classes())
    return judge


def silent(name: str) -> t.Callable[[t.Sequence[t.Any]], t.Iterable[t.Any]]:
    return iter


@pytest.fixture(scope="module")
def scores(judge: Judge) -> protocol.Scores:
    return protocol.evaluate(MODEL, drawn(0, 21), drawn(100, 30), judge, 0, silent)


def test_all_sets_are_equally_large_and_stand_beside_their_floor(scores: protocol.Scores) -> None:
    expected = ["photographs", "real against real", "reconstructions", "random cars", "midpoints, lerp"]
    assert list(scores.sets) == expected
    assert {its.images for its in scores.sets.values()} == {21}


def test_sets_are_in_the_order_in_which_one_would_put_them(scores: protocol.Scores) -> None:
    floor, rebuilt, noise = (scores.sets[name].kid for name in ("real against real", "reconstructions", "random cars"))
    assert floor is not None
    assert rebuilt is not None
    assert noise is not None
    assert floor.value < rebuilt.value < noise.value


def test_reconstructions_are_scored_by_folder_and_together(scores: protocol.Scores) -> None:
    assert {name: its.images for name, its in scores.reconstructions.items()} == {"red": 7, "street": 14, "all": 21}


def test_a_model_that_only_fades_is_found_out(scores: protocol.Scores) -> None:
    assert scores.paths["lerp"].from_cross_fade < 0.01


def test_too_few_photographs_for_sets_still_have_their_reconstructions_scored(judge: Judge) -> None:
    scores = protocol.evaluate(MODEL, drawn(0, 5), drawn(100, 30), judge, 0, silent)
    assert scores.reconstructions["all"].images == 5
    assert scores.sets == {}
    assert scores.page.shape == (2 * 48, 5 * 48, 3)


def test_a_limit_draws_and_says_how_many(judge: Judge) -> None:
    limited = protocol.evaluate(MODEL, drawn(0, 21), drawn(100, 30), judge, 6, silent)
    assert limited.reconstructions["all"].images == 6


def test_pictures_are_reduced_before_they_are_scored_and_the_model_sees_whole_photographs(
    judge: Judge,
) -> None:
    reduced = protocol.evaluate(MODEL, drawn(0, 21), drawn(100, 30), judge, 0, silent, size=12)
    # The model shrinks pictures to 12 px, so at that size its reconstructions are nearly the photographs.
    whole = protocol.evaluate(MODEL, drawn(0, 5), drawn(100, 30), judge, 0, silent)
    assert reduced.reconstructions["all"].psnr.value > whole.reconstructions["all"].psnr.value + 3
    assert reduced.page.shape[0] % 12 == 0
    assert reduced.page.shape[1] == 16 * 12


def test_controls_are_scored_beside_photographs(judge: Judge) -> None:
    sets, pairs = protocol.control(drawn(0, 21), drawn(100, 30), judge, 0, silent)
    assert list(sets)[2:] == list(pairs)
    kid = {name: its.kid.value for name, its in sets.items() if its.kid}
    assert all(kid[name] > kid["real against real"] for name in ("noise", "16 px, enlarged", "4x4 blocks shuffled"))


def test_controls_of_too_few_photographs_are_refused(judge: Judge) -> None:
    with pytest.raises(ValueError, match="at least 20"):
        protocol.control(drawn(0, 5), drawn(100, 30), judge, 0, silent)
