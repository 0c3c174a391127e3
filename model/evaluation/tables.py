"""Scores as Markdown: the tables of README, model card and docs, from what scripts/evaluate.py writes as JSON."""

import typing as t

from .controls import CONTROLS

#: A score as JSON has it: a number's value and interval, or none.
Score = t.Mapping[str, float] | None

#: Columns of a set's scores: heading, decimals, factor, and whether more is better.
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

#: Columns of a reconstruction's scores: heading and decimals.
PAIRS: dict[str, tuple[str, int]] = {
    "psnr": ("PSNR, dB", 2),
    "psnr_inside": ("PSNR inside", 2),
    "ssim": ("SSIM", 3),
    "ssim_inside": ("SSIM inside", 3),
    "perceptual": ("perceptual distance", 3),
}


def report(scores: t.Mapping[str, t.Any]) -> str:
    """All tables of a report; those of sets and paths only where it has any."""
    found = [pairs(scores["split"], scores["reconstructions"])]
    if scores["sets"]:
        found += [sets(f"against the {scores['split']} split", scores["sets"]), paths(scores["paths"])]
    return "\n\n".join(found)


def pairs(head: str, rows: t.Mapping[str, t.Any]) -> str:
    """A row for each folder of reconstructions, or each control; ``head`` names the first column."""
    body = [
        [name, f"{scores['images']:,}", *(_text(scores[key], *form[1:]) for key, form in PAIRS.items())]
        for name, scores in rows.items()
    ]
    return table([head, "images", *(form[0] for form in PAIRS.values())], body)


def sets(head: str, rows: t.Mapping[str, t.Any]) -> str:
    """A row for each set."""
    body = [
        [name, f"{scores['images']:,}", *(_text(scores[key], *form[1:3]) for key, form in SETS.items())]
        for name, scores in rows.items()
    ]
    return table([head, "images", *(form[0] for form in SETS.values())], body)


def paths(rows: t.Mapping[str, t.Any]) -> str:
    """A row for each way from one code to another."""
    body = [
        [
            name,
            f"{its['paths']}",
            f"{its['largest_jump']:.1f}",
            f"{its['jumps']:.0%}",
            f"{its['from_cross_fade']:.3f}",
        ]
        for name, its in rows.items()
    ]
    heads = ["path", "paths", "largest step / median", "paths with one above 3", "midpoints from a cross-fade"]
    return table(heads, body)


def controls(spoilt: t.Mapping[str, t.Any], in_pairs: t.Mapping[str, t.Any]) -> str:
    """Tables of the controls, and a sentence that says which scores miss which fault."""
    missed = "; ".join(f"{name} by {', '.join(scores)}" for name, scores in blind(spoilt).items())
    return "\n\n".join(
        (
            sets("photographs, spoilt", spoilt),
            pairs("in pairs", in_pairs),
            f"Not ranked below photographs: {missed or 'none'}.",
        )
    )


def blind(rows: t.Mapping[str, t.Any]) -> dict[str, list[str]]:
    """Scores that don't put a control below photographs (the row real against real), by control."""
    floor = rows["real against real"]
    found = {}
    for name in CONTROLS:
        missed = [
            heading.split(",")[0]
            for key, (heading, _, _, rising) in SETS.items()
            if rows[name][key] is not None
            and (rows[name][key]["value"] - floor[key]["value"]) * (1 if rising else -1) >= 0
        ]
        if missed:
            found[name] = missed
    return found


def _text(score: Score, decimals: int, scale: float = 1) -> str:
    return "" if score is None else f"{score['value'] * scale:.{decimals}f} ± {score['interval'] * scale:.{decimals}f}"


def table(heads: t.Sequence[str], rows: t.Sequence[t.Sequence[str]]) -> str:
    """As Markdown, columns aligned for reading in a terminal."""
    widths = [max(len(cell) for cell in column) for column in zip(heads, *rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"
        for cells in (heads, ["-" * width for width in widths], *rows)
    ]
    return "\n".join(lines)
