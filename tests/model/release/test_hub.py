import json
import pathlib

import pytest
import safetensors.torch
import torch
import yaml

from model.release import assembly, hub, released
from model.release.assembly import PriorChoice
from scripts import export

from .test_export import tiny_release


@pytest.fixture
def weights(tmp_path: pathlib.Path) -> pathlib.Path:
    """Released weights with their card and scores."""
    path = tmp_path / "tiny.safetensors"
    released.save(tiny_release(), path)
    path.with_suffix(".md").write_text("# tiny\n\nA card.\n")
    path.with_suffix(".metrics.json").write_text(json.dumps({"split": "test"}))
    return path


def test_a_hub_folder_read_back_holds_the_same_bytes_card_and_scores(
    weights: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    assert export.main([str(weights), "--hub", str(tmp_path / "hub")]) == 0
    there = safetensors.torch.load_file(tmp_path / "hub" / "model.safetensors")
    here = safetensors.torch.load_file(weights)
    assert there.keys() == here.keys()
    assert all(there[name].numpy().tobytes() == value.numpy().tobytes() for name, value in here.items())
    assert all(there[name].dtype == value.dtype for name, value in here.items())

    before, after = (assembly.assemble(path, PriorChoice(), lambda line: None) for path in (weights, tmp_path / "hub"))
    assert after.version == before.version
    assert after.card == before.card == "# tiny\n\nA card.\n"
    assert after.release.facts == before.release.facts
    noise = torch.randn(3, 10)
    assert torch.equal(after.release.prior(noise), before.release.prior(noise))


def test_the_hub_finds_what_it_lists_models_by(weights: pathlib.Path, tmp_path: pathlib.Path) -> None:
    assert export.main([str(weights), "--hub", str(tmp_path / "hub"), "--license", "cc-by-nc-4.0"]) == 0
    _, front, card = (tmp_path / "hub" / "README.md").read_text().split("---\n")
    values = yaml.safe_load(front)
    assert values["license"] == "cc-by-nc-4.0"
    assert values["library_name"] == "pytorch"
    assert values["pipeline_tag"] == "unconditional-image-generation"
    assert "vae" in values["tags"]
    assert card == "\n# tiny\n\nA card.\n"
    config = json.loads((tmp_path / "hub" / "config.json").read_text())
    assert (config["image_size"], config["prior"]["kind"]) == (32, "gaussian mixture")


def test_weights_of_no_named_licence_refer_to_their_card(weights: pathlib.Path, tmp_path: pathlib.Path) -> None:
    hub.write(released.load(weights), "tiny-1", "# Card\n", tmp_path / "hub")
    values = yaml.safe_load((tmp_path / "hub" / "README.md").read_text().split("---\n")[1])
    assert (values["license"], values["license_link"]) == ("other", "README.md")


def test_a_folder_that_is_there_is_refused_and_left_as_it_is(
    weights: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "notes").touch()
    assert export.main([str(weights), "--hub", str(tmp_path / "hub")]) == 1
    assert f"{tmp_path / 'hub'}: exists already" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "hub").iterdir()] == ["notes"]


def test_a_failure_leaves_no_half_written_folder(weights: pathlib.Path, tmp_path: pathlib.Path) -> None:
    release = released.load(weights)
    release.facts["metrics"] = {"split": object()}
    with pytest.raises(TypeError):
        hub.write(release, "tiny-1", "# Card\n", tmp_path / "new" / "hub")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_folder_without_weights_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match=f"{tmp_path}: no released weights"):
        released.load(tmp_path)


def test_nothing_to_write_is_said(weights: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        export.main([str(weights)])
    assert "give OUT, --hub DIR or both" in capsys.readouterr().err
