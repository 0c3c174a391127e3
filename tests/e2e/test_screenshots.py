"""Pictures of the page: of each view for looking at, in build/screenshots, and the README's."""

import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page

from tests.e2e import visitor

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "screenshots.py"

#: A link to each view, and what is there once it is full.
VIEWS = {
    "random": ("#random?seed=7&count=12", "#random-cars > [data-ref]:nth-child(12)"),
    "reconstruct": ("#reconstruct", "#result.is-full"),
    "morph": ("#morph?a=7.0&b=7.1&at=5", "#strip img"),
    "tune": ("#tune?car=7.1", "#dials img[src]"),
}


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("view", VIEWS)
def test_each_view_is_pictured_in_light_and_dark(
    open_page: t.Callable[..., Page], car_png: bytes, view: str, width: int
) -> None:
    link, full = VIEWS[view]
    page = open_page(link, viewport={"width": width, "height": 844}, color_scheme="light")
    if view == "reconstruct":
        visitor.upload(page, car_png)
    page.locator(full).first.wait_for()
    folder = ROOT / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    shots = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        shots.append(folder / f"{view}-{width}-{scheme}.png")
        page.screenshot(path=shots[-1], full_page=True)
    light, dark = (sum(Image.open(path).convert("L").resize((1, 1)).tobytes()) for path in shots)
    assert dark < light


@pytest.mark.usefixtures("browser")
def test_the_pictures_are_taken_and_written_where_they_are_wanted(url: str, tmp_path: Path) -> None:
    shipped = [ROOT / "static" / name for name in ("social.jpg", "icon-512.png")]
    before = [path.read_bytes() for path in shipped]
    folders = ["--out", str(tmp_path / "images"), "--static", str(tmp_path / "static")]
    subprocess.run([sys.executable, str(SCRIPT), url, *folders], check=True)
    with Image.open(tmp_path / "images" / "page.png") as page, Image.open(tmp_path / "images" / "morph.webp") as morph:
        assert page.width == 1280
        assert getattr(morph, "n_frames", 1) == 30
    assert all((tmp_path / "static" / path.name).is_file() for path in shipped)
    assert [path.read_bytes() for path in shipped] == before


@pytest.mark.usefixtures("browser")
def test_a_page_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, str(SCRIPT), "http://127.0.0.1:9", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "http://127.0.0.1:9" in result.stderr
