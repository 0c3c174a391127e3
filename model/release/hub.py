"""A release as a folder in the layout of the Hugging Face hub: weights, configuration and model card.

``hf upload NAME FOLDER`` publishes it as it is. Every command that takes released weights takes such a folder, too.
"""

import dataclasses
import json
import pathlib
import typing as t

from ..data import files
from . import released
from .released import Release

CARD, CONFIG, METRICS = "README.md", "config.json", "metrics.json"

#: The hub's name for a licence that is not in its list.
OTHER = "other"

_FENCE = "---\n"


def check(out: pathlib.Path) -> None:
    """Find out before the work whether a folder can be written.

    Raises
    ------
    ValueError
        Something is there: a folder of the hub may hold what a person has added, so none is replaced.
    """
    if out.exists():
        raise ValueError(f"{out}: exists already, and a hub folder is never overwritten; choose another")


def write(release: Release, version: str, card: str, out: pathlib.Path, licence: str = OTHER) -> None:
    """Write the folder ``out``, whole or not at all.

    Parameters
    ----------
    version
        Name and start of the digest of the weights that the release was read from.
    card
        The model card in Markdown, without front matter.
    licence
        As the hub names it, such as ``mit``; ``other`` refers to the card.

    Raises
    ------
    ValueError
        ``out`` is there already.
    """
    check(out)
    with files.whole_folder(out) as work:
        released.save(release, work / released.FOLDER_WEIGHTS, largest=None)
        network = release.network
        config = {
            "model_type": "carvae",
            "version": version,
            "image_size": network.image_size,
            "channels": network.channels,
            "latent_dim": network.latent_dim,
            "noise_dim": release.prior.noise_dim,
            "network": dataclasses.asdict(network),
            "prior": released.describe(release.prior),
        }
        (work / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        if release.facts["metrics"]:
            (work / METRICS).write_text(json.dumps(release.facts["metrics"], indent=2) + "\n", encoding="utf-8")
        # Values as JSON, which is YAML, too: exporting needs no YAML library.
        lines = "".join(f"{key}: {json.dumps(value)}\n" for key, value in _front_matter(licence).items())
        (work / CARD).write_text(f"{_FENCE}{lines}{_FENCE}\n{card}", encoding="utf-8")


def _front_matter(licence: str) -> dict[str, t.Any]:
    """What the hub lists and filters models by."""
    terms = {"license": licence} | (
        {"license_name": "see-model-card", "license_link": CARD} if licence == OTHER else {}
    )
    return terms | {
        "library_name": "pytorch",
        "pipeline_tag": "unconditional-image-generation",
        "tags": ["variational-autoencoder", "vae", "image-generation", "cars", "carvae"],
    }


def read_card(path: pathlib.Path) -> str:
    """A model card without its front matter."""
    text = path.read_text(encoding="utf-8")
    if text.startswith(_FENCE):
        _, _, after = text.removeprefix(_FENCE).partition("\n" + _FENCE)
        return after.lstrip("\n")
    return text
