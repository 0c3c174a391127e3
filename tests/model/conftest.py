"""Prepared data, a tiny network and a run of it, made once."""

import pathlib

import pytest
import yaml

from model.data import preparation
from model.data.sources import find_sources
from model.vae.networks import NetworkConfig
from tests import drawings

TINY = NetworkConfig(image_size=32, widths=(8, 16), blocks=(0, 1), decoder_blocks=(1, 0), latents=2, aspect=True)


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder of 48 drawn cars in two shapes, with their splits.csv."""
    folder = tmp_path_factory.mktemp("photographs")
    rows = ["file,split"]
    for seed in range(48):
        group = "wide" if seed % 2 else "tall"
        (folder / group).mkdir(exist_ok=True)
        drawings.car(seed, 160, 90 if group == "wide" else 150).save(folder / group / f"{seed:02}.png")
        rows.append(f"{group}/{seed:02}.png,{('train', 'train', 'train', 'val', 'test', 'train')[seed // 8]}")
    (folder / "splits.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def prepared(photographs: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The same, prepared at 32 px."""
    out = tmp_path_factory.mktemp("prepared") / "cars"
    preparation.prepare(find_sources([photographs]), out, preparation.Settings(size=32))
    return out


@pytest.fixture(scope="session")
def recipe(prepared: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A recipe that trains the tiny network for two epochs, without a report, which takes longer than training."""
    path = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    network = {
        "image_size": 32,
        "widths": [8, 16],
        "blocks": [0, 1],
        "decoder_blocks": [1, 0],
        "latents": 2,
        "aspect": True,
    }
    values = {
        "name": "tiny",
        "report": False,
        "model": {"network": network, "loss": {"warmup_steps": 2}, "optimizer": {"learning_rate": 1e-3}},
        "data": {"folder": str(prepared), "batch_size": 8},
        "trainer": {
            "max_epochs": 2,
            "gradient_clip_val": 1.0,
            "accelerator": "cpu",
            "enable_progress_bar": False,
            "log_every_n_steps": 1,
        },
    }
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path
