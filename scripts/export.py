"""Write a model bundle from a training checkpoint or from released weights.

    python scripts/export.py model/pretrained/carvae.safetensors build/bundle
    python scripts/export.py runs/carvae/checkpoints/last.ckpt build/bundle --release build/carvae.safetensors
    python scripts/export.py build/carvae.safetensors build/bundle --prior runs/prior/last.ckpt --axes 160 --texture 0.3

From a checkpoint, a mixture is fitted as the prior first, to the codes of the training images (--data, if they have
moved). A flow that scripts/train_prior.py has trained takes the place of either's prior.
"""

import argparse
import dataclasses
import datetime
import hashlib
import json
import pathlib
import subprocess
import sys
import typing as t

from model.data import prepared
from model.prior import priors
from model.release import export, released
from model.vae.networks import Decoder

ROOT = pathlib.Path(__file__).resolve().parent.parent


def main(arguments: t.Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("weights", type=pathlib.Path, metavar="CHECKPOINT", help=".ckpt or .safetensors file")
    parser.add_argument("out", type=pathlib.Path, metavar="OUT", help="bundle folder to write")
    parser.add_argument("--data", type=pathlib.Path, help="prepared data to fit the prior to")
    parser.add_argument(
        "--prior", metavar="KIND", help="mixture, normal, or a flow's checkpoint (what the weights have)"
    )
    parser.add_argument("--axes", type=int, help="principal axes of a mixture, wide ones of a flow (160 of either)")
    parser.add_argument("--components", type=int, help="Gaussians in the mixture (24, fewer for few codes)")
    parser.add_argument("--texture", type=float, help="noise on a flow's other axes (0.3)")
    parser.add_argument("--sharpen", type=float, help="unsharp mask inside the decoder (the recipe's network.sharpen)")
    parser.add_argument("--directions", nargs="+", metavar="NAME", help="names of the principal directions, in order")
    parser.add_argument("--release", type=pathlib.Path, help="write the released weights to this file, too")
    args = parser.parse_args(arguments)
    try:
        if args.weights.suffix == ".ckpt":
            model, codes = from_checkpoint(args)
            model.prior = prior(args, "mixture", model, codes)
        else:
            for name in ("data", "sharpen", "directions"):
                if getattr(args, name) is not None:
                    raise ValueError(f"--{name}: for a training checkpoint only; {args.weights} has its own")
            model = released.load(args.weights)
            model.prior = prior(args, "released", model, None)
        if args.release:
            released.save(model, args.release)
        metrics = args.weights.with_suffix(".metrics.json")
        if metrics.is_file():
            model.facts["metrics"] = json.loads(metrics.read_text(encoding="utf-8"))
        card = args.weights.with_suffix(".md")
        text = card.read_text(encoding="utf-8") if card.is_file() else plain_card(model.facts)
        digest = hashlib.sha256(args.weights.read_bytes()).hexdigest()
        manifest = export.write_bundle(model, f"{model.facts['name']}-{digest[:12]}", text, args.out)
    except (ValueError, OSError) as error:
        print(f"export: {error}", file=sys.stderr)
        return 1
    size = sum(file["bytes"] for file in manifest["files"].values()) / 1e6
    print(f"{args.out}: {manifest['version']}, {len(manifest['files'])} files, {size:.1f} MB")
    return 0


def from_checkpoint(args: argparse.Namespace) -> tuple[released.Release, priors.Array]:
    """Networks from the checkpoint, the facts that the manifest repeats, and codes of the training images."""
    network, encoder, decoder, training = released.load_checkpoint(args.weights)
    if args.sharpen is not None:
        network = dataclasses.replace(network, sharpen=args.sharpen)
        weights, decoder = decoder.state_dict(), Decoder(network).eval()
        decoder.load_state_dict(weights)
    folder = args.data or pathlib.Path(training["data"].get("folder", ""))
    print(f"encoding the training images of {folder}", file=sys.stderr)
    images = prepared.open_split(folder, "train")
    # Mirrored images too, where training mirrored them.
    codes = (released.encode_mirrored if training["data"].get("flip", True) else released.encode)(encoder, images)
    # Not for released weights: `make run` exports those on a machine that has nothing for training.
    from model.data import preparation

    card = {"source": "MNIST", "images": len(images)}
    if (folder / preparation.CARD).is_file():
        card = json.loads((folder / preparation.CARD).read_text(encoding="utf-8"))
    facts = {
        "name": args.weights.resolve().parent.parent.name,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "recipe": training["hyperparameters"] | {"data": training["data"], "epoch": training["epoch"]},
        "git_commit": git_commit(),
        "data_card": {key: value for key, value in card.items() if key != "left_out_files"},
        "metrics": {},
        "directions": priors.principal_directions(codes, names=args.directions or ()),
    }
    return released.Release(network, encoder, decoder, priors.StandardNormal(network.latent_dim), facts), codes


def prior(args: argparse.Namespace, default: str, model: released.Release, codes: priors.Array | None) -> priors.Prior:
    """The prior that the arguments name."""
    kind = args.prior or default
    options = {"mixture": ("axes", "components"), "normal": (), "released": ()}.get(kind, ("axes", "texture"))
    for name in ("axes", "components", "texture"):
        if getattr(args, name) is not None and name not in options:
            raise ValueError(f"--{name}: {getattr(args, name)} says nothing about the prior {kind!r}")
    if kind == "released":
        return model.prior
    if kind == "normal":
        return priors.StandardNormal(model.network.latent_dim)
    if kind == "mixture":
        if codes is None:
            raise ValueError("--prior mixture: fitted to a training checkpoint only; released weights have their prior")
        print(f"fitting the prior to {len(codes)} codes", file=sys.stderr)
        return priors.fit_gaussian_mixture(codes, args.axes, args.components)
    flow = released.load_flow(pathlib.Path(kind))
    if flow.noise_dim != model.network.latent_dim:
        raise ValueError(f"{kind}: a flow of {flow.noise_dim} latents; the model has {model.network.latent_dim}")
    if flow.is_calm:
        for name in ("axes", "texture"):
            if getattr(args, name) is not None:
                raise ValueError(f"--{name}: {getattr(args, name)} comes too late; {kind} was refined with its noise")
        return flow
    flow.calm(args.axes, args.texture)
    return flow


def git_commit() -> str | None:
    result = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return result.stdout.strip() or None


def plain_card(facts: dict[str, t.Any]) -> str:
    """A model card for weights that have none of their own: what is known without a person."""
    return (
        f"# {facts['name']}\n\nTrained on {facts['data_card']['images']} images, commit {facts['git_commit']}.\n\n"
        f"```json\n{json.dumps(facts['recipe'], indent=1)}\n```\n"
    )


if __name__ == "__main__":
    sys.exit(main())
