"""Every car recipe at one equal budget on the same photographs, scored by scripts/evaluate.py.

    python benchmarks/recipes.py --data data/cars --photographs PHOTOGRAPHS --epochs 12
    python benchmarks/recipes.py --data data/red --photographs PHOTOGRAPHS --epochs 20 --equal --seeds 0 1 2

Each recipe keeps its network, objective and optimizer; batch size and precision are the same for all, so that each
takes the same steps. The originals draw random cars from N(0, I) as they did, ours from its fitted mixture. With
--equal each has 100 latent numbers and a fitted mixture, so that networks and objectives alone differ. Prints a table
and writes benchmarks/recipes.csv; recipes-epochs.csv has the training log of each checkpoint there, by the start of
its SHA-256. Stopped, it goes on from the last finished epoch.
"""

import argparse
import csv
import hashlib
import json
import pathlib
import subprocess
import sys
import typing as t

import torch

from model.data import files
from model.report.history import History

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = pathlib.Path(__file__).with_suffix(".csv")
LOGS = RESULTS.with_name("recipes-epochs.csv")
LOGGED = ("loss_epoch", "reconstruction_epoch", "kl_epoch", "psnr_epoch", "val_loss", "val_psnr")
OURS = "carvae"
RECIPES = (OURS, "tsai2", "eva4p2", "svgs", "bce700")
BATCH = 32

#: Latent numbers of each recipe with --equal.
EQUAL_LATENTS = 100


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--data", type=pathlib.Path, required=True, help="prepared photographs to train on")
    parser.add_argument("--photographs", type=pathlib.Path, required=True, help="the photographs to score on")
    parser.add_argument("--epochs", type=int, default=12, help="(%(default)s)")
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=RECIPES, help="(all)")
    parser.add_argument("--equal", action="store_true", help=f"{EQUAL_LATENTS} latent numbers and a mixture for each")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="each recipe is trained once per seed (0)")
    parser.add_argument("--split", choices=("val", "test"), default="val", help="(%(default)s)")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build" / "recipes", help="runs (%(default)s)")
    args = parser.parse_args()
    if min(args.seeds) < 0:
        parser.error(f"--seeds: {min(args.seeds)} is negative; expected 0 or more")
    try:
        measured = [measure(name, seed, args) for seed in args.seeds for name in args.recipes]
    except subprocess.CalledProcessError as error:
        print(f"recipes: {error}", file=sys.stderr)
        return 1
    write([row for row, _ in measured], [line for _, log in measured for line in log])
    return 0


def measure(name: str, seed: int, args: argparse.Namespace) -> tuple[dict[str, t.Any], list[dict[str, t.Any]]]:
    """Train, export and score one recipe, each unless it is done already. Gives its row and its log."""
    run = args.out / args.data.name / f"{name}-{args.epochs}{'-equal' if args.equal else ''}-{seed}"
    prior = "mixture" if args.equal or name == OURS else "normal"
    checkpoint, bundle, scores = run / "checkpoints" / "last.ckpt", run / "bundle", run / f"{args.split}.json"
    if finished_epochs(checkpoint) < args.epochs:
        command(
            "scripts/train.py",
            f"--recipe={ROOT / 'model' / 'recipes' / name}.yaml",
            f"--out={run}",
            f"--data.folder={args.data}",
            f"--data.batch_size={BATCH}",
            "--data.plainest=0",
            f"--trainer.max_epochs={args.epochs}",
            f"--report_every={args.epochs}",
            f"--seed_everything={seed}",
            "--trainer.precision=auto",
            *(changes(name) if args.equal else ()),
            *(["--resume"] if checkpoint.exists() else []),
        )
    if not bundle.exists():
        command("scripts/export.py", str(checkpoint), str(bundle), f"--prior={prior}", f"--data={args.data}")
    if not scores.exists():
        command(
            "scripts/evaluate.py",
            f"--bundle={bundle}",
            f"--data={args.photographs}",
            f"--split={args.split}",
            f"--out={scores}",
        )
    report = json.loads(scores.read_text(encoding="utf-8"))
    row: dict[str, t.Any] = {"recipe": name, "data": args.data.name, "epochs": args.epochs, "batch": BATCH}
    row |= {"split": args.split, "prior": prior, "seed": seed}
    row["checkpoint"] = hashlib.sha256(checkpoint.read_bytes()).hexdigest()[:8]
    row["latents"] = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))["latent_dim"]
    rebuilt, sets = report["reconstructions"]["all"], report["sets"]
    row |= {key: round(rebuilt[key]["value"], 3) for key in ("psnr", "psnr_inside", "ssim_inside", "perceptual")}
    for prefix, kind in (
        ("reconstructions", "reconstructions"),
        ("random", "random cars"),
        ("floor", "real against real"),
    ):
        row |= {f"{prefix}_{key}": round(sets[kind][key]["value"], 4) for key in ("recognised", "kid")}
    return row, [{"checkpoint": row["checkpoint"], **line} for line in epochs(run)]


def epochs(run: pathlib.Path) -> list[dict[str, t.Any]]:
    """What a run logged, one row per epoch."""
    logged: dict[int, dict[str, float]] = {}
    for row in History(run).rows:
        if "epoch" in row:
            logged.setdefault(int(row["epoch"]) + 1, {}).update(row)
    return [
        {"epoch": epoch} | {name.removesuffix("_epoch"): f"{row[name]:.6g}" for name in LOGGED if name in row}
        for epoch, row in sorted(logged.items())
    ]


def changes(name: str) -> tuple[str, ...]:
    """Options that give a recipe `EQUAL_LATENTS` latent numbers."""
    latents = f"--model.network.latents={EQUAL_LATENTS}"
    # The grid of ours has a multiple of 64 numbers.
    return (latents, "--model.network.head=flatten") if name == OURS else (latents,)


def finished_epochs(checkpoint: pathlib.Path) -> int:
    """How many epochs a run has behind it."""
    if not checkpoint.exists():
        return 0
    return int(torch.load(checkpoint, map_location="cpu", weights_only=True)["epoch"]) + 1


def command(*arguments: str) -> None:
    print("python", *arguments, file=sys.stderr, flush=True)
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True)


def write(rows: list[dict[str, t.Any]], logs: list[dict[str, t.Any]]) -> None:
    """Print the rows as a table; in the file they replace the rows of the same recipe, data, budget, prior and seed."""
    key = ("recipe", "data", "epochs", "split", "latents", "prior", "seed")
    fresh = {tuple(str(row[name]) for name in key) for row in rows}
    rows = [row for row in read(RESULTS) if tuple(row[name] for name in key) not in fresh] + rows
    columns = save(RESULTS, rows)
    current = {row.get("checkpoint") for row in rows}
    new = {line["checkpoint"] for line in logs}
    save(LOGS, [line for line in read(LOGS) if line["checkpoint"] in current - new] + logs)
    print(f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}", sep="\n")
    for row in rows:
        print(f"| {' | '.join(str(row.get(name, '')) for name in columns)} |")


def read(path: pathlib.Path) -> list[dict[str, t.Any]]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def save(path: pathlib.Path, rows: list[dict[str, t.Any]]) -> list[str]:
    """Write the rows, and give the names of their columns."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with files.whole(path) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return columns


if __name__ == "__main__":
    sys.exit(main())
