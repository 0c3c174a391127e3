"""The page over a report: one HTML file with its pictures and films inside."""

import base64
import html
import json
import pathlib
import typing as t

#: Sections in the order of the page: files, title and what to look for.
SECTIONS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("curves.png", "learning_rate.png"),
        "Curves",
        "Thin lines are what was logged, thick ones a running mean. Nats are summed over the pixels and latents of an "
        "image and averaged over images. Training is measured with a sampled code, validation with its mean: the "
        "reconstruction of validation images can therefore be the better one early on. A validation curve that turns "
        "away from the training curve is over-fitting.",
    ),
    (
        ("reconstructions.png",),
        "Reconstructions",
        "Images that were not trained on, and what the decoder makes of their codes. Higher PSNR is closer.",
    ),
    (
        ("random_fitted.png", "random.png"),
        "Random images",
        "Codes drawn from a density fitted to the codes of the training images, once training has ended, and codes "
        "drawn from N(0, I). The less the codes fill N(0, I), the more the second decodes to texture.",
    ),
    (
        ("interpolations.png",),
        "Interpolations",
        "A straight line between the codes of two images, decoded. A smooth latent space passes through images of its "
        "own kind; a cross-fade shows both ends at once.",
    ),
    (
        ("latents.png", "latent_grid.png"),
        "Latents",
        "Where validation images lie, and, with two latent numbers, what each place decodes to.",
    ),
    (
        ("reconstructions.mp4",),
        "A fixed batch over the epochs",
        "Originals above their reconstructions, from the untrained network on.",
    ),
    (("random.mp4",), "Fixed noise over the epochs", "The same draws from N(0, I) each time."),
)

STYLE = """
:root { color-scheme: light; --ink: #20242a; --muted: #6b7280; --lines: #e5e7eb; --accent: #2563a8 }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 1140px; padding: 40px 20px 80px; background: #fff; color: var(--ink);
  font: 15px/1.55 system-ui, sans-serif }
h1 { margin: 0; font-size: 28px; letter-spacing: -.01em }
h2 { margin: 48px 0 4px; font-size: 19px }
p { margin: 0 0 14px; max-width: 72ch; color: var(--muted) }
img, video { display: block; max-width: 100%; height: auto; margin: 0 0 14px }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(220px, 1fr)); gap: 18px 0; margin: 24px 0 0 }
dl div { padding: 0 14px; border-left: 2px solid var(--lines) }
dt { color: var(--muted); font-size: 12.5px }
dd { margin: 0; font-size: 19px; font-variant-numeric: tabular-nums }
dd small { color: var(--muted); font-size: 12.5px }
summary { cursor: pointer; color: var(--accent) }
pre { overflow-x: auto; padding: 14px; border: 1px solid var(--lines); font-size: 12.5px; line-height: 1.45 }
"""

TYPES = {".png": "image/png", ".mp4": "video/mp4"}


def render(folder: pathlib.Path, summary: dict[str, t.Any]) -> str:
    """The page of a report's folder; pictures that are not there are left out.

    Parameters
    ----------
    folder : pathlib.Path
        Holds the pictures; the folder above it names the run.
    summary : dict
        What metrics.json holds.
    """
    name = html.escape(folder.resolve().parent.name)
    recipe = html.escape(json.dumps(summary["recipe"], indent=1))
    sections = "".join(_section(folder, *section) for section in SECTIONS)
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{name}: report</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{STYLE}</style>\n'
        f"<h1>{name}</h1>\n<dl>{_numbers(summary)}</dl>\n{sections}\n"
        f"<h2>Recipe</h2>\n<details><summary>every value of this run</summary><pre>{recipe}</pre></details>\n</html>\n"
    )


def _section(folder: pathlib.Path, files: tuple[str, ...], title: str, text: str) -> str:
    paths = [folder / file for file in files if (folder / file).is_file()]
    if not paths:
        return ""
    return f"<section><h2>{title}</h2><p>{text}</p>{''.join(_element(path, title) for path in paths)}</section>\n"


def _element(path: pathlib.Path, title: str) -> str:
    source = f"data:{TYPES[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"
    if path.suffix == ".mp4":
        return f'<video src="{source}" controls autoplay loop muted playsinline aria-label="{title}"></video>'
    return f'<img src="{source}" alt="{title}: {path.stem.replace("_", " ")}">'


def _numbers(summary: dict[str, t.Any]) -> str:
    last, scores = summary["last"], summary.get("reconstruction", {})
    entries: list[tuple[str, t.Any, str]] = [
        ("epochs", summary["epochs"], f"best: {summary['best_epoch']}"),
        ("training images", summary["training_images"], f"{summary['validation_images']} to validate"),
        ("parameters", summary["parameters"], ""),
        ("training loss", last.get("loss"), "nats per image"),
        ("validation loss", last.get("val_loss"), "nats per image"),
        ("validation KL", last.get("val_kl"), "nats per image"),
        ("validation PSNR", last.get("val_psnr"), "dB"),
    ]
    if scores:
        entries.append(("validation SSIM", scores["ssim"]["value"], f"{scores['images']} images"))
    return "".join(
        f"<div><dt>{name}</dt><dd>{_number(value)} <small>{unit}</small></dd></div>"
        for name, value, unit in entries
        if value is not None
    )


def _number(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.3f}" if abs(value) < 1000 else f"{value:,.0f}"
