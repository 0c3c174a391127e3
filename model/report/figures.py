"""The pictures of a report: curves, rows of images, latents. Arrays in, matplotlib figures out.

Figures are made without pyplot, which keeps every figure it ever made and one style for the whole process.
"""

import dataclasses
import typing as t

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

from ..data.sheets import Pixels, sheet
from .history import History, smooth

Array = np.ndarray[t.Any, np.dtype[np.float32]]

INK, MUTED, LINES = "#20242a", "#6b7280", "#e5e7eb"
TRAINING, VALIDATION = "#2563a8", "#d9622b"
CLASSES = (
    "#2563a8", "#d9622b", "#2f9e6e", "#b83247", "#7d55b5", "#8a6d3b", "#d46fa8", "#6b7280", "#a3a21f", "#22a6b8",
)  # fmt: skip
DPI = 100


def figure(width: float, height: float) -> Figure:
    """An empty figure on the Agg backend; sides in pixels."""
    empty = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
    FigureCanvasAgg(empty)
    return empty


def plain(axes: Axes, title: str = "", x: str = "", y: str = "") -> Axes:
    """The one style: title on the left, two spines, a light grid behind."""
    axes.set_title(title, loc="left", fontsize=11, color=INK, fontweight="bold", pad=8)
    axes.set_xlabel(x, fontsize=9, color=MUTED)
    axes.set_ylabel(y, fontsize=9, color=MUTED)
    axes.tick_params(labelsize=8.5, colors=MUTED, length=0)
    axes.grid(color=LINES, linewidth=0.8)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(LINES)
    return axes


def curves(history: History) -> Figure:
    """Loss, reconstruction, KL divergence and PSNR of training and validation: raw thin, smoothed over them."""
    drawn = figure(1100, 680)
    panels = (
        ("Loss: reconstruction + beta · KL", "nats per image", "loss"),
        ("Reconstruction", "nats per image", "reconstruction"),
        ("KL divergence from N(0, I)", "nats per image", "kl"),
        ("Peak signal-to-noise ratio", "PSNR, dB", "psnr"),
    )
    for axes, (title, unit, name) in zip(drawn.subplots(2, 2).flat, panels, strict=True):
        plain(axes, title, "epochs", unit)
        settled = []
        for label, colour, columns in (
            ("training", TRAINING, (f"{name}_step", f"{name}_epoch")),
            ("validation", VALIDATION, (f"val_{name}",)),
        ):
            epochs, values = history.series(*columns)
            if not len(values):
                continue
            dots = "." if len(values) < 30 else ""
            axes.plot(epochs, values, color=colour, alpha=0.28, linewidth=0.8, marker=dots, markersize=4)
            axes.plot(epochs, smooth(values), color=colour, linewidth=1.8, label=label)
            settled.append(values[epochs >= 0.04 * epochs[-1]])
        _limit(axes, settled)
        axes.legend(fontsize=8.5, frameon=False, labelcolor="linecolor", handlelength=1.2)
    drawn.tight_layout(pad=1.2, h_pad=2.2)
    return drawn


def _limit(axes: Axes, series: list[Array]) -> None:
    """Scale to what comes after the first steps, whose losses dwarf the rest."""
    values = np.concatenate([*series, np.zeros(0)])
    values = values[np.isfinite(values)]
    if len(values):
        low, high = np.percentile(values, (0.2, 99.8))
        margin = 0.06 * (high - low) or 1.0
        axes.set_ylim(low - margin, high + margin)


def learning_rate(history: History) -> Figure:
    """Learning rate over epochs."""
    drawn = figure(1100, 260)
    axes = plain(drawn.subplots(), "Learning rate", "epochs", "per step")
    epochs, values = history.series(*history.columns("lr-"))
    axes.plot(epochs, values, color=TRAINING, linewidth=1.8, marker="." if len(values) < 30 else "")
    axes.set_ylim(0, max(values, default=1) * 1.08)
    drawn.tight_layout(pad=1.2)
    return drawn


@dataclasses.dataclass(frozen=True)
class Labels:
    """Words around a mosaic: one per row, one above each column, and one below any tile (``{(row, column): text}``)."""

    rows: t.Sequence[str] = ()
    columns: t.Sequence[str] = ()
    below: t.Mapping[tuple[int, int], str] = dataclasses.field(default_factory=dict)


def mosaic(title: str, rows: t.Sequence[Pixels], labels: Labels = Labels()) -> Figure:
    """Rows of images ``(N, S, S, 3)``, pixel by pixel, with their labels."""
    times = magnification(rows[0].shape[1])
    side = rows[0].shape[1] * times
    gap, left = 4, 84 if labels.rows else 12
    below = [18 if any(row == place[0] for place in labels.below) else 0 for row in range(len(rows))]
    top = 42 + (18 if labels.columns else 0)
    columns = max(len(row) for row in rows)
    # A bold letter of the title is less than 10 pixels wide.
    width = max(left + columns * (side + gap) + 12, 10 * len(title) + 24)
    height = top + len(rows) * (side + gap) + sum(below) + 10
    drawn = figure(width, height)
    canvas = np.full((height, width, 3), 255, np.uint8)

    def write(x: float, y: float, text: str, **style: t.Any) -> None:
        drawn.text(x / width, 1 - y / height, text, **{"fontsize": 8.5, "color": MUTED, "va": "center", **style})

    write(12, 20, title, fontsize=11, color=INK, fontweight="bold")
    y = top
    for row, images in enumerate(rows):
        if labels.rows:
            write(left - 8, y + side / 2, labels.rows[row], ha="right")
        row_sheet = sheet([magnify(images, times)], gap)
        canvas[y - gap : y + side + gap, left - gap : left - gap + row_sheet.shape[1]] = row_sheet
        for column in range(len(images)):
            x = left + column * (side + gap)
            if row == 0 and labels.columns:
                write(x + side / 2, top - 10, labels.columns[column], ha="center")
            if (row, column) in labels.below:
                write(x + side / 2, y + side + 9, labels.below[row, column], ha="center")
        y += side + gap + below[row]
    drawn.figimage(canvas, zorder=-1)
    return drawn


def magnification(side: int) -> int:
    """Whole factor that makes a small image large enough to see."""
    return max(1, round(80 / side))


def magnify(images: Pixels, times: int) -> Pixels:
    """Repeat each pixel of images ``(N, H, W, 3)``."""
    return images.repeat(times, 1).repeat(times, 2)


def latents(codes: Array, classes: Array | None, pictures: Pixels, axis_names: tuple[str, str], title: str) -> Figure:
    """Scatter of codes ``(N, 2)``: by class where there are ``classes`` ``(N,)``, else with some of ``pictures``."""
    drawn = figure(860, 800)
    axes = plain(drawn.subplots(), title, *axis_names)
    low, high = np.percentile(codes, (0.3, 99.7), axis=0)
    margin = 0.08 * (high - low) + 1e-6
    axes.set_xlim(low[0] - margin[0], high[0] + margin[0])
    axes.set_ylim(low[1] - margin[1], high[1] + margin[1])
    if classes is None:
        axes.scatter(codes[:, 0], codes[:, 1], s=9, color=TRAINING, alpha=0.45, linewidths=0)
        scale = 46 / pictures.shape[1]
        for index in _apart((codes - low) / np.maximum(high - low, 1e-6), 0.085):
            picture = OffsetImage(pictures[index], zoom=scale)
            frame = {"edgecolor": "white", "linewidth": 0.5}
            axes.add_artist(AnnotationBbox(picture, tuple(codes[index]), pad=0.03, bboxprops=frame))
    else:
        for label in np.unique(classes).astype(int):
            chosen = codes[classes == label]
            colour = CLASSES[label % len(CLASSES)]
            axes.scatter(chosen[:, 0], chosen[:, 1], s=7, color=colour, alpha=0.5, linewidths=0)
            middle = {"boxstyle": "circle,pad=0.25", "facecolor": "white", "edgecolor": colour, "linewidth": 1.5}
            x, y = np.median(chosen, 0)
            axes.text(x, y, str(label), color=colour, fontweight="bold", fontsize=10, bbox=middle)
    drawn.tight_layout(pad=1.2)
    return drawn


def _apart(places: Array, distance: float, most: int = 90) -> list[int]:
    """Indices of places within the unit square that keep this distance from each other, first come, first served."""
    chosen: list[int] = []
    for index, place in enumerate(places):
        near = len(chosen) > 0 and np.abs(places[chosen] - place).max(1).min() < distance
        if not near and place.min() >= 0 and place.max() <= 1 and len(chosen) < most:
            chosen.append(index)
    return chosen


def latent_grid(tiles: Pixels, low: Array, high: Array) -> Figure:
    """Decoded grid of a 2-D latent: ``(G, G, H, W, 3)``, first index downwards from ``high[1]`` to ``low[1]``."""
    rows = len(tiles)
    drawn = figure(860, 860)
    axes = plain(drawn.subplots(), "What each latent decodes to", "latent 1", "latent 2")
    # Half a tile beyond the outermost latents, so that each tile's middle is at its own latent.
    half = (high - low) / (2 * (rows - 1))
    extent = (low[0] - half[0], high[0] + half[0], low[1] - half[1], high[1] + half[1])
    axes.imshow(sheet(list(tiles)), extent=extent, aspect="auto", interpolation="antialiased")
    axes.grid(visible=False)
    drawn.tight_layout(pad=1.2)
    return drawn
