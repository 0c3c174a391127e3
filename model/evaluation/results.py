"""Scores as plain values, and the files that an evaluation leaves: JSON, and a page of pictures beside it."""

import dataclasses
import json
import pathlib
import typing as t

from PIL import Image

from ..data import files
from .protocol import SEED, Scores


def report(scores: Scores, bundle: str, split: str, features: str, size: int) -> dict[str, t.Any]:
    """All scores of a bundle's version, ready for JSON and `tables`.

    Parameters
    ----------
    split, features
        The photographs that it was scored on, and whose features were compared.
    size
        Side of the pictures in pixels at which they were compared.
    """
    return {
        "bundle": bundle,
        "split": split,
        "features": features,
        "size": size,
        "seed": SEED,
        "reconstructions": plain(scores.reconstructions),
        "sets": plain(scores.sets),
        "paths": plain(scores.paths),
    }


def plain(scores: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Dataclasses by name as dictionaries."""
    return {name: dataclasses.asdict(its) for name, its in scores.items()}


def write(values: dict[str, t.Any], scores: Scores, out: pathlib.Path) -> pathlib.Path:
    """Write a report to ``out``, and the pictures beside it; returns where these are."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with files.whole(out) as unfinished:
        unfinished.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    picture = out.with_suffix(".png")
    with files.whole(picture) as unfinished:
        Image.fromarray(scores.page).save(unfinished)
    return picture
