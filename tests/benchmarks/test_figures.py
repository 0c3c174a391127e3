"""The benchmarks' arithmetic: medians, ratios, percentiles, tables, and the comparison that finds what fell."""

import dataclasses
import math
import subprocess
import sys
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from benchmarks import check, run
from benchmarks.lib import figures
from benchmarks.lib.figures import Figure

ROOT = Path(__file__).parent.parent.parent
NUMBERS = st.lists(st.floats(0.01, 1e6), min_size=1, max_size=40)


@hypothesis.given(NUMBERS, st.floats(0, 1))
def test_percentiles_are_numpys(values: list[float], share: float) -> None:
    assert figures.percentile(values, share) == pytest.approx(float(np.quantile(values, share)))


def test_a_ratio_is_that_of_the_medians_and_its_range_that_of_the_pairs() -> None:
    figure = figures.ratio("a / b", [1.0, 2.0, 9.0], [2.0, 4.0, 3.0], "lower", 0.7)
    assert (figure.value, figure.low, figure.high) == (2 / 3, 0.5, 3.0)
    assert figure.reached


@pytest.mark.parametrize(("better", "value", "reached"), [("lower", 1.1, False), ("higher", 1.1, True)])
def test_a_target_has_a_direction(better: figures.Better, value: float, reached: bool) -> None:
    figure = Figure("x", value, "ratio", better=better, target=1.0)
    assert figure.reached is reached
    assert ("NOT REACHED" in figures.table([figure])) is not reached


@hypothesis.given(st.floats(0.001, 1e5), st.sampled_from(["", "lower", "higher"]), st.none() | st.floats(0.1, 9))
def test_a_table_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, value: float, better: figures.Better, target: float | None
) -> None:
    path = tmp_path_factory.mktemp("table") / "part.csv"
    figure = Figure("one, two", value, "ratio", value / 2, value * 2, 5, better, target)
    figures.write([figure, dataclasses.replace(figure, low=math.nan)], path, "python benchmarks/part.py")
    read = figures.read(path)
    assert read[0].value == pytest.approx(value, rel=1e-5)
    assert (read[0].name, read[0].repeats, read[0].better) == ("one, two", 5, better)
    assert math.isnan(read[1].low)
    assert path.read_text().splitlines()[1].endswith(",python benchmarks/part.py")


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "part.csv").write_text("name,value\nx,1\n")
    with pytest.raises(ValueError, match=r"part\.csv: not a table of figures"):
        figures.read(tmp_path / "part.csv")


@pytest.mark.parametrize(
    ("better", "now", "fell"),
    [
        ("lower", 1.14, False),
        ("lower", 1.16, True),
        ("lower", 0.5, False),
        ("higher", 0.88, False),
        ("higher", 0.8, True),
    ],
)
def test_a_ratio_falls_in_its_direction_by_more_than_15_percent(better: figures.Better, now: float, fell: bool) -> None:
    committed = Figure("x", 1.0, "ratio", better=better)
    lines = figures.fallen([dataclasses.replace(committed, value=now)], [committed])
    assert bool(lines) is fell


def test_a_ratio_that_is_no_longer_measured_is_told_and_seconds_are_not_compared() -> None:
    committed = [Figure("x", 1.0, "ratio", better="lower"), Figure("y", 1.0, "s")]
    assert figures.fallen([], committed) == ["x: 1 is committed, nothing is measured now"]


@pytest.mark.parametrize(("now", "status", "said"), [(1.4, 0, "no ratio fell"), (1.2, 1, "cold_start: ours / theirs")])
def test_the_check_ends_with_1_and_names_the_ratio_that_fell(
    tmp_path: Path, now: float, status: int, said: str
) -> None:
    for folder, value in (("fresh", now), ("committed", 1.5)):
        (tmp_path / folder).mkdir()
        for part in run.PARTS:
            changed = value if part == "cold_start" else 1.0
            rows = [Figure("ours / theirs", changed, "ratio", better="higher")]
            figures.write(rows, tmp_path / folder / f"{part}.csv", "")
    command = [sys.executable, ROOT / "benchmarks" / "check.py", tmp_path / "fresh", tmp_path / "committed"]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (result.returncode, result.stdout.startswith(said)) == (status, True), result.stdout + result.stderr


def test_missing_results_are_no_success(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"cold_start\.csv"):
        check.compare(tmp_path, tmp_path)
