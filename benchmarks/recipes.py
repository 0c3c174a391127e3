"""Every car recipe at one equal budget on the same photographs, scored by scripts/evaluate.py.

    python benchmarks/recipes.py --data data/red --photographs PHOTOGRAPHS --only red --epochs 12

Each recipe keeps its network, objective and optimizer; batch size and precision are the same for all, so that each
takes the same steps. The originals draw random cars from N(0, I) as they did, ours from its fitted mixture. Prints a
table and writes benchmarks/recipes.csv. Stopped, it goes on where it was.
"""

import argparse
import csv
import json
import pathlib
import subprocess
import sys
import typing as t

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = pathlib.Path(__file__).with_suffix(".csv")
OURS = "carvae"
RECIPES = (OURS, "tsai2", "eva4p2", "svgs", "bce700")
BATCH = 32


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--data", type=pathlib.Path, required=True, help="prepared photographs to train on")
    parser.add_argument("--photographs", type=pathlib.Path, required=True, help="the photographs to score on")
    parser.add_argument("--only", help="score this folder of them alone")
    parser.add_argument("--epochs", type=int, default=12, help="(%(default)s)")
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=RECIPES, help="(all)")
    parser.add_argument("--samples", type=int, default=2048, help="random cars to score (%(default)s)")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build" / "recipes", help="runs (%(default)s)")
    args = parser.parse_args()
    try:
        rows = [measure(name, args) for name in args.recipes]
    except subprocess.CalledProcessError as error:
        print(f"recipes: {error}", file=sys.stderr)
        return 1
    write(rows)
    return 0


def measure(name: str, args: argparse.Namespace) -> dict[str, t.Any]:
    """Train, export and score one recipe, each unless it is done already."""
    run = args.out / args.data.name / f"{name}-{args.epochs}"
    bundle, scores = run / "bundle", run / "evaluation.json"
    if not (run / "report" / "metrics.json").exists() or not finished(run, args.epochs):
        resume = ["--resume"] if (run / "checkpoints" / "last.ckpt").exists() else []
        command(
            "scripts/train.py",
            f"--recipe={ROOT / 'model' / 'recipes' / name}.yaml",
            f"--out={run}",
            f"--data.folder={args.data}",
            f"--data.batch_size={BATCH}",
            f"--trainer.max_epochs={args.epochs}",
            f"--report_every={args.epochs}",
            "--trainer.precision=bf16-mixed",
            *resume,
        )
    if not bundle.exists():
        prior = "mixture" if name == OURS else "normal"
        command("scripts/export.py", str(run / "checkpoints" / "last.ckpt"), str(bundle), f"--prior={prior}")
    if not scores.exists():
        only = [f"--only={args.only}"] if args.only else []
        command(
            "scripts/evaluate.py",
            f"--bundle={bundle}",
            f"--data={args.photographs}",
            f"--samples={args.samples}",
            f"--out={scores}",
            *only,
        )
    report = json.loads(scores.read_text(encoding="utf-8"))
    row: dict[str, t.Any] = {"recipe": name, "data": args.data.name, "epochs": args.epochs, "batch": BATCH}
    for folder, values in report["reconstruction"].items():
        row[f"psnr_{folder}"], row[f"sharpness_{folder}"] = round(values["psnr"], 2), round(values["sharpness"], 2)
    for key in ("sliced_wasserstein", "density", "coverage"):
        row[key] = round(report["random"][key]["value"], 2)
        row[f"floor_{key}"] = round(report["real against real"][key]["value"], 2)
    return row


def finished(run: pathlib.Path, epochs: int) -> bool:
    """Whether the run's last report covers all of its epochs."""
    report = json.loads((run / "report" / "metrics.json").read_text(encoding="utf-8"))
    return bool(report["epochs"] >= epochs)


def command(*arguments: str) -> None:
    print("python", *arguments, file=sys.stderr, flush=True)
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True)


def write(rows: list[dict[str, t.Any]]) -> None:
    """Print the rows as a table; in the file they replace the rows of the same recipe, data and budget."""
    key = ("recipe", "data", "epochs")
    kept: list[dict[str, t.Any]] = []
    if RESULTS.exists():
        with RESULTS.open(newline="", encoding="utf-8") as file:
            kept = list(csv.DictReader(file))
    fresh = {tuple(str(row[name]) for name in key) for row in rows}
    rows = [row for row in kept if tuple(row[name] for name in key) not in fresh] + rows
    columns = list(dict.fromkeys(name for row in rows for name in row))
    unfinished = RESULTS.with_suffix(".unfinished")
    with unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    unfinished.replace(RESULTS)
    print(f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}", sep="\n")
    for row in rows:
        print(f"| {' | '.join(str(row.get(name, '')) for name in columns)} |")


if __name__ == "__main__":
    sys.exit(main())
