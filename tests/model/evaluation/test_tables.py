"""The tables, those of the README and of the model card among them."""

import copy
import json
import pathlib
import typing as t

import pytest

from model.evaluation import tables
from model.evaluation.controls import CONTROLS

ROOT = pathlib.Path(__file__).resolve().parents[3]
CARD = ROOT / "model" / "pretrained" / "carvae.md"


@pytest.fixture
def released() -> dict[str, t.Any]:
    """What scripts/evaluate.py wrote of the released model."""
    return t.cast(dict[str, t.Any], json.loads(CARD.with_suffix(".metrics.json").read_text(encoding="utf-8")))


def test_the_model_cards_tables_are_those_of_the_released_models_scores(released: dict[str, t.Any]) -> None:
    for table in tables.report(released).split("\n\n"):
        assert table in CARD.read_text(encoding="utf-8")


def test_the_readmes_table_is_that_of_the_released_models_sets(released: dict[str, t.Any]) -> None:
    table = tables.sets("against the test split", released["sets"])
    assert table in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_released_models_scores_are_of_the_whole_test_split(released: dict[str, t.Any]) -> None:
    assert released["split"] == "test"
    assert {scores["images"] for scores in released["sets"].values()} == {547}


def test_a_table_has_a_row_for_each_and_equal_lines(released: dict[str, t.Any]) -> None:
    lines = tables.sets("sets", released["sets"]).splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == list(released["sets"])
    assert len({len(line) for line in lines}) == 1


def test_a_report_without_sets_is_one_table(released: dict[str, t.Any]) -> None:
    assert tables.report(released | {"sets": {}, "paths": {}}) == tables.pairs("test", released["reconstructions"])


def test_a_score_that_misses_a_fault_is_named(released: dict[str, t.Any]) -> None:
    floor = released["sets"]["real against real"]
    rows = {name: copy.deepcopy(floor) for name in ["real against real", *CONTROLS]}
    assert tables.blind(rows)["noise"] == [form[0].split(",")[0] for form in tables.SETS.values()]
    rows["noise"]["kid"]["value"] += 1
    rows["noise"]["recall"]["value"] -= 0.1
    missed = tables.blind(rows)["noise"]
    assert "KID x 1e3" not in missed
    assert "recall" not in missed
    assert "precision" in missed
