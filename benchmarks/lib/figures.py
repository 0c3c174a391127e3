"""Figures: medians of repeats and ratios within one run, their table, their CSV, and which of them fell."""

import csv
import dataclasses
import io
import math
import pathlib
import statistics
import typing as t
from collections.abc import Sequence

from handler.files import whole

Better: t.TypeAlias = t.Literal["", "lower", "higher"]

#: A ratio that is worse than the committed one by more than this share has fallen.
TOLERANCE = 0.15


@dataclasses.dataclass(frozen=True)
class Figure:
    """One measured number.

    Parameters
    ----------
    name, unit : str
        ``ratio`` is the unit of figures that are compared between runs.
    value : float
        The median of the repeats.
    low, high : float
        Least and largest of the repeats.
    repeats : int
        How many.
    better : str
        The direction in which a ratio is better; empty for other units.
    target : float, optional
        Value that the figure should reach, in that direction.
    """

    name: str
    value: float
    unit: str
    low: float = math.nan
    high: float = math.nan
    repeats: int = 1
    better: Better = ""
    target: float | None = None

    @property
    def reached(self) -> bool | None:
        """Whether the target is reached; None without one."""
        if self.target is None:
            return None
        return self.value <= self.target if self.better == "lower" else self.value >= self.target


def median(name: str, values: Sequence[float], unit: str, better: Better = "", target: float | None = None) -> Figure:
    """The figure of some repeats."""
    return Figure(name, statistics.median(values), unit, min(values), max(values), len(values), better, target)


def ratio(
    name: str, above: Sequence[float], below: Sequence[float], better: Better, target: float | None = None
) -> Figure:
    """The ratio of two medians; its range is that of the ratios of repeats that were measured side by side."""
    pairs = [one / other for one, other in zip(above, below, strict=True)]
    value = statistics.median(above) / statistics.median(below)
    return Figure(name, value, "ratio", min(pairs), max(pairs), len(pairs), better, target)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of the values don't exceed, interpolated between neighbours."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def table(figures: Sequence[Figure]) -> str:
    """The figures as text, one a line."""
    width = max(len(figure.name) for figure in figures)
    lines = []
    for figure in figures:
        line = f"{figure.name:{width}} {figure.value:11.4g} {figure.unit:8}"
        if not math.isnan(figure.low):
            line += f" {figure.low:9.3g} to {figure.high:.3g} in {figure.repeats}"
        if figure.target is not None:
            sign = "<=" if figure.better == "lower" else ">="
            line += f"  target {sign} {figure.target:g}: {'reached' if figure.reached else 'NOT REACHED'}"
        lines.append(line.rstrip())
    return "\n".join(lines)


def write(figures: Sequence[Figure], path: pathlib.Path, command: str) -> None:
    """Write a CSV, whole or not at all; `command` is what makes it again."""
    with whole(path) as binary, io.TextIOWrapper(binary, encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, [*(field.name for field in dataclasses.fields(Figure)), "command"])
        table.writeheader()
        for figure in figures:
            row = {name: _cell(value) for name, value in dataclasses.asdict(figure).items()}
            table.writerow(row | {"command": command})


def _cell(value: object) -> object:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return "" if value is None else value


def read(path: pathlib.Path) -> list[Figure]:
    """Read what `write` wrote.

    Raises
    ------
    ValueError
        If the file is no such table.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [_figure(row) for row in csv.DictReader(file)]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a table of figures ({error})") from None


def _figure(row: dict[str, str]) -> Figure:
    if row["better"] not in ("", "lower", "higher"):
        raise ValueError(f"better is {row['better']!r}; expected lower, higher or nothing")
    return Figure(
        name=row["name"],
        value=float(row["value"]),
        unit=row["unit"],
        low=float(row["low"] or "nan"),
        high=float(row["high"] or "nan"),
        repeats=int(row["repeats"]),
        better=t.cast(Better, row["better"]),
        target=float(row["target"]) if row["target"] else None,
    )


def fallen(fresh: Sequence[Figure], committed: Sequence[Figure]) -> list[str]:
    """One line for each committed ratio that fell by more than `TOLERANCE` or is not measured any more."""
    now = {figure.name: figure for figure in fresh}
    lines = []
    for old in committed:
        if old.unit != "ratio":
            continue
        new = now.get(old.name)
        if new is None:
            lines.append(f"{old.name}: {old.value:.3g} is committed, nothing is measured now")
            continue
        worse = new.value / old.value if old.better == "lower" else old.value / new.value
        if worse > 1 + TOLERANCE:
            lines.append(f"{old.name}: {new.value:.3g}, worse by {worse - 1:.0%} than the committed {old.value:.3g}")
    return lines
