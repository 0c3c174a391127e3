"""Plots of figures: bars and lines that can be read at a glance."""

import contextlib
import pathlib
import typing as t
from collections.abc import Iterator, Mapping, Sequence

if t.TYPE_CHECKING:
    from matplotlib.figure import Figure

OURS, OTHERS = "#0b6e99", "#b0a999"


@contextlib.contextmanager
def style() -> Iterator[None]:
    """One look for all plots."""
    import matplotlib as mpl

    mpl.use("agg")
    with mpl.rc_context({"axes.spines.top": False, "axes.spines.right": False, "font.size": 10}):
        yield


def bars(values: Mapping[str, float], ours: Sequence[str], title: str, unit: str, path: pathlib.Path) -> None:
    """Horizontal bars, those of `ours` in colour, each with its value."""
    import matplotlib.pyplot as plt

    names = list(values)
    figure, axes = plt.subplots(figsize=(7.5, 0.8 + 0.38 * len(names)), layout="constrained")
    drawn = axes.barh(names, list(values.values()), color=[OURS if name in ours else OTHERS for name in names])
    axes.bar_label(drawn, fmt="%.3g", padding=3)
    axes.invert_yaxis()
    axes.set(title=title, xlabel=unit)
    axes.margins(x=0.1)
    save(figure, path)


def lines(
    series: Mapping[str, Mapping[float, float]], title: str, axes_names: tuple[str, str], path: pathlib.Path
) -> None:
    """A line for each of `series`, from x to y, both from zero."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7.5, 4), layout="constrained")
    for index, (name, points) in enumerate(series.items()):
        axes.plot(list(points), list(points.values()), marker="o", label=name, linestyle=("-", "--", ":")[index % 3])
    axes.set(title=title, xlabel=axes_names[0], ylabel=axes_names[1])
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    axes.legend(frameon=False)
    save(figure, path)


def save(figure: "Figure", path: pathlib.Path) -> None:
    """Write a figure and forget it."""
    import matplotlib.pyplot as plt

    figure.savefig(path, dpi=110)
    plt.close(figure)
