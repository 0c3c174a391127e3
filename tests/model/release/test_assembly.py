import hashlib
import json
import pathlib

import pytest

from model.prior import priors
from model.release import assembly, released
from model.release.assembly import PriorChoice

from .test_export import tiny_release


@pytest.fixture
def weights(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "tiny.safetensors"
    release = tiny_release()
    release.facts |= {"data_card": {"images": 64}, "git_commit": None, "recipe": {}}
    released.save(release, path)
    return path


def silent(line: str) -> None:
    pass


def test_the_same_weights_always_make_the_same_version(weights: pathlib.Path) -> None:
    made = assembly.assemble(weights, PriorChoice(), silent)
    assert made.version == f"{made.release.facts['name']}-{hashlib.sha256(weights.read_bytes()).hexdigest()[:12]}"
    assert made.version == assembly.assemble(weights, PriorChoice(), silent).version


def test_scores_and_card_lie_beside_the_weights(weights: pathlib.Path) -> None:
    assert assembly.assemble(weights, PriorChoice(), silent).card.startswith("# ")
    weights.with_suffix(".md").write_text("A card.")
    weights.with_suffix(".metrics.json").write_text(json.dumps({"split": "test"}))
    made = assembly.assemble(weights, PriorChoice(), silent)
    assert made.card == "A card."
    assert made.release.facts["metrics"] == {"split": "test"}


def test_released_weights_don_t_take_over_the_scores_of_others(weights: pathlib.Path, tmp_path: pathlib.Path) -> None:
    weights.with_suffix(".metrics.json").write_text(json.dumps({"split": "test"}))
    made = assembly.assemble(weights, PriorChoice(kind="normal"), silent)
    released.save(made.release, tmp_path / "other.safetensors")
    assert released.load(tmp_path / "other.safetensors").facts["metrics"] == {}


def test_released_weights_keep_their_prior_unless_another_is_asked_for(weights: pathlib.Path) -> None:
    own = type(released.load(weights).prior)
    assert isinstance(assembly.assemble(weights, PriorChoice(), silent).release.prior, own)
    other = assembly.assemble(weights, PriorChoice(kind="normal"), silent).release.prior
    assert isinstance(other, priors.StandardNormal)


def test_released_weights_have_their_own_directions(weights: pathlib.Path) -> None:
    with pytest.raises(ValueError, match="--directions: for a training checkpoint only"):
        assembly.assemble(weights, PriorChoice(), silent, directions=["colour"])
