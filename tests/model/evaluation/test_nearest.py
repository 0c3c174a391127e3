import numpy as np

from model.evaluation import nearest
from model.evaluation.judge import Judge
from model.evaluation.photographs import Photographs
from tests import drawings


def drawn(seeds: range) -> Photographs:
    return Photographs([f"{seed}.png" for seed in seeds], lambda index: np.asarray(drawings.car(seeds[index], 48, 48)))


def test_a_copy_is_found_among_all_training_photographs() -> None:
    judge = Judge()
    training = nearest.look_at_all(drawn(range(12)), judge, lambda name: iter)
    pictures = judge.look(drawn(range(7, 11)).tensor([0, 1, 2, 3]))
    found = nearest.nearest(pictures, training)
    assert found.places.tolist() == [7, 8, 9, 10]
    assert found.distances.max() < 0.05


def test_what_is_no_copy_has_a_distance() -> None:
    judge = Judge()
    training = nearest.look_at_all(drawn(range(8)), judge, lambda name: iter)
    others = nearest.look_at_all(drawn(range(30, 34)), judge, lambda name: iter)
    assert nearest.nearest(others, training).distances.min() > 0.5
