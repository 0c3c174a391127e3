"""A release put together: networks and facts of its weights, the prior that is asked for, version and model card."""

import dataclasses
import datetime
import hashlib
import json
import pathlib
import subprocess
import typing as t

from ..data import prepared
from ..prior import priors
from ..vae import codes as vae_codes
from . import hub, plausibility, released
from .released import Release

ROOT = pathlib.Path(__file__).resolve().parents[2]

Progress = t.Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class PriorChoice:
    """The prior that is asked for; what is None is left to the weights, or to the prior's own default.

    Parameters
    ----------
    kind
        ``mixture`` or ``normal``.
    flow
        Checkpoint of a flow, in place of a kind.
    mixture_axes, components
        Principal axes and Gaussians of the mixture.
    wide_axes, texture
        A flow's axes that keep all of their noise, and how much of it the others keep.
    """

    kind: str | None = None
    flow: pathlib.Path | None = None
    mixture_axes: int | None = None
    components: int | None = None
    wide_axes: int | None = None
    texture: float | None = None

    def refuse(self, names: t.Sequence[str], reason: str) -> None:
        """Raise ValueError if one of these options is given."""
        for name in names:
            if getattr(self, name) is not None:
                raise ValueError(f"--{name.replace('_', '-')}: {getattr(self, name)} {reason}")


@dataclasses.dataclass(frozen=True)
class Assembled:
    """A release with what `export.write_bundle` needs beside it; the photographs are validation ones, if any."""

    release: Release
    version: str
    card: str
    photographs: prepared.Images | None


def assemble(
    weights: pathlib.Path,
    choice: PriorChoice,
    progress: Progress,
    data: pathlib.Path | None = None,
    directions: t.Sequence[str] | None = None,
) -> Assembled:
    """A release of a training checkpoint (``.ckpt``) or of released weights (any other name), with the prior chosen.

    Files of the same name that end in ``.metrics.json`` and ``.md`` bring its scores and its model card; in a folder of
    the Hugging Face hub they have the names that `.hub` gives them. Its version is its name and the start of the
    SHA-256 of the weights.

    Parameters
    ----------
    weights
        The file, or the folder.
    progress
        Hears what takes a while.
    data
        The prepared data of a checkpoint, as of `from_checkpoint`; for released weights, photographs to measure anew
        what is plausible and what eight bits cost.
    directions
        As of `from_checkpoint`, for a checkpoint only.

    Raises
    ------
    ValueError
        The file holds no weights, its data isn't there, or an option contradicts it.
    """
    codes = photographs = None
    if weights.suffix == ".ckpt":
        model, codes, photographs = from_checkpoint(weights, progress, data, directions or ())
    else:
        if directions is not None:
            raise ValueError(f"--directions: for a training checkpoint only; {weights} has its own")
        model = released.load(weights)
        if data is not None:
            photographs = measure_plausibility(model, data, progress)
    model.prior = choose_prior(choice, model, codes, progress)
    if weights.is_dir():
        metrics, card = weights / hub.METRICS, weights / hub.CARD
    else:
        metrics, card = weights.with_suffix(".metrics.json"), weights.with_suffix(".md")
    if metrics.is_file():
        model.facts["metrics"] = json.loads(metrics.read_text(encoding="utf-8"))
    text = hub.read_card(card) if card.is_file() else plain_card(model.facts)
    digest = hashlib.sha256(released.weights_file(weights).read_bytes()).hexdigest()
    return Assembled(model, f"{model.facts['name']}-{digest[:12]}", text, photographs)


def from_checkpoint(
    path: pathlib.Path,
    progress: Progress,
    folder: pathlib.Path | None = None,
    directions: t.Sequence[str] = (),
) -> tuple[Release, priors.Array, prepared.Images]:
    """Networks of a training checkpoint with the facts that the manifest repeats, codes of its images, photographs.

    Parameters
    ----------
    path
        The checkpoint.
    progress
        Hears what takes a while.
    folder
        The prepared data, if it is no longer where training had it.
    directions
        Names of the principal directions, in order.

    Returns
    -------
    Release, Array, Images
        The release, its prior a standard normal; codes ``(N, D)`` of the training images; the validation images.

    Raises
    ------
    ValueError
        The file is no checkpoint, or its data isn't there.
    """
    network, encoder, decoder, training = released.load_checkpoint(path)
    folder = folder or pathlib.Path(training["data"].get("folder", ""))
    progress(f"encoding the training images of {folder}")
    images = prepared.open_split(folder, "train")
    if training["data"].get("binarise"):
        images = prepared.binarised(images, training["data"]["seed"])
    # Mirrored images too, where training mirrored them.
    mirrored = training["data"].get("flip", True)
    codes = vae_codes.encode_mirrored(encoder, images) if mirrored else vae_codes.encode(encoder, images)
    # Imported here: released weights don't come this far, and `make run` exports those without the training packages.
    from ..data import preparation

    card = {"source": "MNIST", "images": len(images)}
    if (folder / preparation.CARD).is_file():
        card = json.loads((folder / preparation.CARD).read_text(encoding="utf-8"))
    facts = {
        "name": path.resolve().parent.parent.name,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "recipe": training["hyperparameters"] | {name: training[name] for name in ("data", "run", "epoch")},
        "git_commit": _git_commit(),
        "data_card": {key: value for key, value in card.items() if key != "left_out_files"},
        "metrics": {},
        "directions": priors.principal_directions(codes, names=directions),
    }
    model = Release(network, encoder, decoder, priors.StandardNormal(network.latent_dim), facts)
    return model, codes, measure_plausibility(model, folder, progress)


def measure_plausibility(model: Release, folder: pathlib.Path, progress: Progress) -> prepared.Images:
    """Put into the facts what the photographs of a folder are like to the networks; returns the validation ones.

    Raises
    ------
    ValueError
        The folder holds no prepared data, or its images are not of the model's size.
    """
    train, val = (prepared.open_split(folder, split) for split in ("train", "val"))
    sides, channels = train.images.shape[1:3], train.images.shape[3]
    if (*sides, channels) != (model.network.image_size, model.network.image_size, model.network.channels):
        wanted = f"{model.network.image_size} px and {model.network.channels} channels"
        raise ValueError(f"{folder}: images of {sides[0]} px and {channels} channels; the model's have {wanted}")
    progress(f"measuring what is plausible, by the images of {folder}")
    model.facts["plausibility"] = plausibility.fit(model.encoder, model.decoder, train, val)
    return val


def choose_prior(choice: PriorChoice, model: Release, codes: priors.Array | None, progress: Progress) -> priors.Prior:
    """The prior that is asked for: by default a mixture for a training checkpoint, and released weights' own.

    Parameters
    ----------
    codes
        Codes ``(N, D)`` of the training images; None for released weights.
    progress
        Hears what takes a while.

    Raises
    ------
    ValueError
        The choice contradicts itself or the weights; the option is named.
    """
    if choice.flow is not None:
        choice.refuse(("kind", "mixture_axes", "components"), f"says nothing about the flow {choice.flow}")
        return _flow(choice, choice.flow, model.network.latent_dim)
    choice.refuse(("wide_axes", "texture"), "needs --flow")
    kind = choice.kind or ("own" if codes is None else "mixture")
    if kind == "mixture":
        if codes is None:
            raise ValueError("--prior mixture: fitted to a training checkpoint only; released weights have their prior")
        progress(f"fitting the prior to {len(codes)} codes")
        return priors.fit_gaussian_mixture(codes, choice.mixture_axes, choice.components)
    choice.refuse(("mixture_axes", "components"), "needs --prior mixture")
    return priors.StandardNormal(model.network.latent_dim) if kind == "normal" else model.prior


def _flow(choice: PriorChoice, path: pathlib.Path, latent_dim: int) -> priors.Prior:
    flow = released.load_flow(path)
    if flow.noise_dim != latent_dim:
        raise ValueError(f"{path}: a flow of {flow.noise_dim} latents; the model has {latent_dim}")
    flow.reduce_noise(choice.wide_axes, choice.texture)
    return flow


def plain_card(facts: dict[str, t.Any]) -> str:
    """A model card for weights that have none of their own: what is known without a person."""
    return (
        f"# {facts['name']}\n\nTrained on {facts['data_card']['images']} images, commit {facts['git_commit']}.\n\n"
        f"```json\n{json.dumps(facts['recipe'], indent=1)}\n```\n"
    )


def _git_commit() -> str | None:
    command = ["git", "rev-parse", "HEAD"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    return result.stdout.strip() or None
