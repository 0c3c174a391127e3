"""Write a model bundle, or a folder for the Hugging Face hub, from a training checkpoint or from released weights.

    python scripts/export.py model/pretrained/carvae.safetensors build/bundle
    python scripts/export.py runs/carvae/checkpoints/last.ckpt build/bundle --release build/carvae.safetensors
    python scripts/export.py build/carvae.safetensors build/bundle --flow runs/prior/last.ckpt
    python scripts/export.py build/carvae.safetensors build/bundle --data data/cars --release build/measured.safetensors
    python scripts/export.py model/pretrained/carvae.safetensors --hub build/hub

For a checkpoint, a mixture is fitted as the prior first, to the codes of the training images (--data gives their new
place if they have moved). Then the distance from photographs is measured above which an upload does not look like a
car. Eight-bit twins of the ONNX encoder and decoder are written if they cost the reconstructions of validation
photographs at most 0.1 dB and 1 point of recognised share. Released weights keep their earlier measurements, unless
--data is given, which measures them again. A flow that scripts/train_prior.py has trained replaces the prior of either.

--hub writes model.safetensors, config.json and the model card as README.md, which `hf upload` publishes; the folder can
be given in place of released weights.
"""

import argparse
import pathlib
import sys
import typing as t

from model.release import assembly, export, hub, released


def main(arguments: t.Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "weights", type=pathlib.Path, metavar="CHECKPOINT", help=".ckpt or .safetensors file, or hub folder"
    )
    parser.add_argument("out", type=pathlib.Path, nargs="?", metavar="OUT", help="bundle folder to write")
    parser.add_argument(
        "--data",
        type=pathlib.Path,
        help="prepared data, if it has moved; for released weights: to measure plausibility and the cost of eight bits",
    )
    parser.add_argument("--prior", choices=("mixture", "normal"), help="kind of prior to draw from")
    parser.add_argument("--mixture-axes", type=int, help="principal axes of the mixture (160, fewer for few codes)")
    parser.add_argument("--components", type=int, help="Gaussians in the mixture (24, fewer for few codes)")
    parser.add_argument("--flow", type=pathlib.Path, metavar="CHECKPOINT", help="draw from this flow instead")
    parser.add_argument("--wide-axes", type=int, help="axes on which the flow keeps all of its noise (256 or 160)")
    parser.add_argument("--texture", type=float, help="share of its noise that the others keep, 0 to 1 (0.6 or 0.3)")
    parser.add_argument("--directions", nargs="+", metavar="NAME", help="names of the first principal directions")
    parser.add_argument("--release", type=pathlib.Path, help="write the released weights to this file, too")
    parser.add_argument("--hub", type=pathlib.Path, metavar="DIR", help="write a folder for the Hugging Face hub")
    parser.add_argument("--license", default=hub.OTHER, help="licence of the weights, by the hub's name (%(default)s)")
    args = parser.parse_args(arguments)
    if args.out is None and args.hub is None:
        parser.error("nothing to write: give OUT, --hub DIR or both")
    try:
        if args.hub:
            hub.check(args.hub)
        choice = assembly.PriorChoice(
            args.prior, args.flow, args.mixture_axes, args.components, args.wide_axes, args.texture
        )
        made = assembly.assemble(args.weights, choice, say, args.data, args.directions)
        if args.out:
            # First, because it measures the twins' cost, which the released weights then record.
            manifest = export.write_bundle(made.release, made.version, made.card, args.out, made.photographs, say)
            size = sum(file["bytes"] for file in manifest["files"].values()) / 1e6
            print(f"{args.out}: {manifest['version']}, {len(manifest['files'])} files, {size:.1f} MB")
        if args.release:
            released.save(made.release, args.release)
        if args.hub:
            hub.write(made.release, made.version, made.card, args.hub, args.license)
            print(f"{args.hub}: {made.version}, for hf upload NAME {args.hub}")
    except ImportError as error:
        print(f"export: {error}; measuring needs what .[train] installs", file=sys.stderr)
        return 1
    except (ValueError, OSError) as error:
        print(f"export: {error}", file=sys.stderr)
        return 1
    return 0


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
