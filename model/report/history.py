"""What a run logged, over all its attempts."""

import csv
import pathlib
import typing as t

import numpy as np

Array = np.ndarray[t.Any, np.dtype[np.float64]]


class History:
    """Columns of the ``csv_*/metrics.csv`` files below a run's folder.

    A resumed attempt repeats the steps after the checkpoint it started from; where two attempts logged the same steps,
    the later one counts.

    Parameters
    ----------
    run : pathlib.Path
        The run's folder; without logs the history is empty.
    """

    def __init__(self, run: pathlib.Path) -> None:
        self.rows: list[dict[str, float]] = []
        for path in sorted(run.glob("csv_*/metrics.csv"), key=lambda path: int(path.parent.name.removeprefix("csv_"))):
            with path.open(newline="", encoding="utf-8") as file:
                # A line cut short by a kill has no value in its last columns.
                rows = [{k: float(v) for k, v in row.items() if k and v} for row in csv.DictReader(file)]
            first = min((row["step"] for row in rows if "step" in row), default=float("inf"))
            self.rows = [row for row in self.rows if row["step"] < first] + [row for row in rows if "step" in row]
        ends = [row for row in self.rows if "loss_epoch" in row and "epoch" in row]
        self._steps = (ends[-1]["step"] + 1) / (ends[-1]["epoch"] + 1) if ends else 1.0

    def series(self, *names: str) -> tuple[Array, Array]:
        """Epochs done (fractions within an epoch) and values of the column that has the most, the first of equals."""
        found = [[((row["step"] + 1) / self._steps, row[name]) for row in self.rows if name in row] for name in names]
        points = max(found, key=len, default=[])
        return np.array([epochs for epochs, _ in points]), np.array([value for _, value in points])

    def columns(self, prefix: str = "") -> list[str]:
        """Names of the logged columns that start with ``prefix``, sorted."""
        return sorted({name for row in self.rows for name in row if name.startswith(prefix)})


def smooth(values: Array, share: float = 0.03) -> Array:
    """Running mean under a Gaussian window whose deviation is this share of the curve; the ends are not pulled."""
    deviation = max(share * len(values), 1e-9)
    reach = min(int(3 * deviation), len(values) - 1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    weights = np.convolve(np.ones_like(values), kernel)[reach : reach + len(values)]
    return t.cast(Array, np.convolve(values, kernel)[reach : reach + len(values)] / weights)
