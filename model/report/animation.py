"""How a fixed batch and fixed noise change over the epochs: frames on disk, GIF and MP4 of them."""

import pathlib
import typing as t

import imageio.v3 as imageio
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..data import files, sheets
from . import figures

#: Frames of an animation at most, frames per second, seconds that the last one stays.
MOST, RATE, REST = 120, 8, 2

#: Height in pixels of the line that names the epoch.
CAPTION = 26


def add_frame(folder: pathlib.Path, epoch: int, rows: t.Sequence[sheets.Pixels]) -> None:
    """Write rows of images ``(N, H, W, 3)`` as the frame after ``epoch`` epochs."""
    folder.mkdir(parents=True, exist_ok=True)
    times = figures.magnification(rows[0].shape[1])
    sheet = Image.fromarray(sheets.sheet([figures.magnify(row, times) for row in rows], gap=2))
    width, height = sheet.width, sheet.height + CAPTION
    # H.264 wants even sides.
    frame = Image.new("RGB", (width + width % 2, height + height % 2), "white")
    frame.paste(sheet, (0, CAPTION))
    font = ImageFont.load_default(14)
    ImageDraw.Draw(frame).text((6, CAPTION / 2), f"epoch {epoch}", fill=figures.INK, font=font, anchor="lm")
    with files.whole(folder / f"epoch_{epoch:06}.png") as unfinished:
        frame.save(unfinished)


def assemble(folder: pathlib.Path, out: pathlib.Path) -> None:
    """Write ``out.gif`` and ``out.mp4`` of the frames in a folder, evenly thinned to `MOST`; nothing without frames."""
    paths = sorted(folder.glob("epoch_*.png"))
    if not paths:
        return
    chosen = np.unique(np.linspace(0, len(paths) - 1, min(MOST, len(paths))).round().astype(int))
    frames = [np.asarray(Image.open(paths[index])) for index in chosen]
    durations = [1000 // RATE] * (len(frames) - 1) + [1000 * REST]
    with files.whole(out.with_suffix(".gif")) as unfinished:
        imageio.imwrite(unfinished, frames, duration=durations, loop=0)
    with files.whole(out.with_suffix(".mp4")) as unfinished:
        imageio.imwrite(unfinished, [*frames, *frames[-1:] * (RATE * REST)], fps=RATE, macro_block_size=2)
