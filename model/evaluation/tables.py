"""Scores as the Markdown tables of README, model card and docs."""

import typing as t

from .controls import CONTROLS
from .intervals import Estimate
from .paths import Paths
from .protocol import SetScores
from .reconstruction import Reconstruction

#: Column of a set's score: its heading, decimals, factor, and whether more is better.
SETS: dict[str, tuple[str, int, float, bool]] = {
    "recognised": ("recognised, %", 1, 100, True),
    "kid": ("KID x 1e3", 1, 1, False),
    "frechet": ("Fréchet", 1, 1, False),
    "precision": ("precision", 2, 1, True),
    "recall": ("recall", 2, 1, True),
    "density": ("density", 2, 1, True),
    "coverage": ("coverage", 2, 1, True),
    "ms_ssim": ("MS-SSIM of pairs", 2, 1, False),
}

#: The same of a reconstruction's.
PAIRS: dict[str, tuple[str, int]] = {
    "psnr": ("PSNR, dB", 2),
    "psnr_inside": ("inside", 2),
    "ssim": ("SSIM", 3),
    "ssim_inside": ("inside", 3),
    "perceptual": ("perceptual", 3),
}


def reconstructions(head: str, rows: t.Mapping[str, Reconstruction]) -> str:
    """A row for each folder; ``head`` says what the first column holds."""
    body = [
        [name, f"{scores.images:,}", *(_text(getattr(scores, key), *form[1:]) for key, form in PAIRS.items())]
        for name, scores in rows.items()
    ]
    return table([head, "images", *(form[0] for form in PAIRS.values())], body)


def sets(head: str, rows: t.Mapping[str, SetScores]) -> str:
    """A row for each set."""
    body = [
        [name, f"{scores.images:,}", *(_text(getattr(scores, key), *form[1:3]) for key, form in SETS.items())]
        for name, scores in rows.items()
    ]
    return table([head, "images", *(form[0] for form in SETS.values())], body)


def paths(rows: t.Mapping[str, Paths]) -> str:
    """A row for each way from one code to another."""
    body = [
        [name, f"{its.paths}", f"{its.largest_jump:.1f}", f"{its.jumps:.0%}", f"{its.from_cross_fade:.3f}"]
        for name, its in rows.items()
    ]
    heads = ["path", "paths", "largest step / median", "paths with one above 3", "midpoints from a cross-fade"]
    return table(heads, body)


def blind(rows: t.Mapping[str, SetScores]) -> dict[str, list[str]]:
    """Scores that don't put a control below photographs (the row real against real), by control."""
    floor = rows["real against real"]
    found = {}
    for name in CONTROLS:
        worse = []
        for key, (heading, _, _, rising) in SETS.items():
            mine, its = getattr(rows[name], key), getattr(floor, key)
            if mine is not None and (mine.value >= its.value if rising else mine.value <= its.value):
                worse.append(heading.split(",")[0])
        if worse:
            found[name] = worse
    return found


def _text(score: Estimate | None, decimals: int, scale: float = 1) -> str:
    return "" if score is None else score.text(decimals, scale)


def table(heads: t.Sequence[str], rows: t.Sequence[t.Sequence[str]]) -> str:
    """As Markdown, columns aligned for reading in a terminal."""
    widths = [max(len(cell) for cell in column) for column in zip(heads, *rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"
        for cells in (heads, ["-" * width for width in widths], *rows)
    ]
    return "\n".join(lines)
