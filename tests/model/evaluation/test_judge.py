import numpy as np
import pytest
import torch
from torch import nn
from torchmetrics.image.kid import KernelInceptionDistance

from model.evaluation import distances
from model.evaluation.judge import Judge
from tests import drawings


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge()


def cars(count: int, first: int = 0, size: int = 48) -> torch.Tensor:
    pictures = [np.asarray(drawings.car(seed, size, size)) for seed in range(first, first + count)]
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255


def noise(count: int) -> torch.Tensor:
    return torch.rand(count, 3, 48, 48, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("likeliest", "recognised"), [(817, 1), (436, 1), (864, 1), (818, 0), (0, 0)])
def test_a_picture_is_recognised_if_its_likeliest_class_is_a_kind_of_car(likeliest: int, recognised: int) -> None:
    judge = Judge()
    judge.network.classifier.bias[likeliest] += 1000
    assert judge.look(noise(2)).recognised.tolist() == [recognised] * 2


def test_noise_is_no_car(judge: Judge) -> None:
    assert judge.look(noise(4)).recognised.sum() == 0


def test_what_is_seen_depends_on_no_neighbour_in_the_batch(judge: Judge) -> None:
    pictures = cars(18)
    together, alone = judge.look(pictures), judge.look(pictures[17:])
    assert len(together) == 18
    assert torch.allclose(together.features[17:], alone.features, atol=1e-4)


def test_pictures_of_any_size_are_seen(judge: Judge) -> None:
    for size in (31, 128, 256):
        assert judge.look(cars(1, size=size)).features.shape == (1, 1280)


def test_lite2_judges_by_itself(judge: Judge) -> None:
    pictures = cars(2)
    other = Judge(network="lite2")
    assert other.enlarged(pictures).shape == (2, 3, 260, 260)
    assert other.look(noise(2)).recognised.sum() == 0
    assert torch.allclose(other.perceptual(pictures, pictures), torch.zeros(2), atol=1e-5)
    assert not torch.allclose(other.look(pictures).features, judge.look(pictures).features, atol=0.1)


def test_torchmetrics_takes_the_judge_as_its_network(judge: Judge) -> None:
    one, other = cars(6), noise(6)
    with pytest.warns(UserWarning, match="will save all extracted features"):
        metric = KernelInceptionDistance(judge, subsets=1, subset_size=6)
    metric.update(one, real=True)
    metric.update(other, real=False)
    mine = distances.kernel_distance(judge.look(one).features, judge.look(other).features)
    assert mine == pytest.approx(float(metric.compute()[0]), rel=1e-3)


def test_the_quick_scores_of_a_training_loop(judge: Judge) -> None:
    photographs = judge.look(cars(6))
    near, far = judge.score(cars(6, first=6), photographs), judge.score(noise(6), photographs)
    assert near["kid"] < far["kid"]
    assert 0 <= near["recognised"] <= 1
    assert far["recognised"] == 0


def test_another_network_gives_features_and_lite1_still_recognises(judge: Judge) -> None:
    class Mean(nn.Module):
        num_features = 3

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.mean((2, 3))

    pictures = cars(3)
    seen = Judge(Mean()).look(pictures)
    assert torch.allclose(seen.features, pictures.mean((2, 3)))
    assert torch.equal(seen.recognised, judge.look(pictures).recognised)


def test_the_perceptual_distance_is_none_for_equals_and_grows_with_the_damage(judge: Judge) -> None:
    pictures = cars(3)
    small = nn.functional.avg_pool2d(pictures, 2)
    blurred = nn.functional.interpolate(small, size=48, mode="bilinear")
    same, near, far = (judge.perceptual(each, pictures) for each in (pictures, blurred, noise(3)))
    assert torch.allclose(same, torch.zeros(3), atol=1e-5)
    assert (near > 0.01).all()
    assert (far > near).all()
