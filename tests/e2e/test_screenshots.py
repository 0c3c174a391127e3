"""The README's pictures come from the page as it runs."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

SCRIPT = Path(__file__).parents[2] / "scripts" / "screenshots.py"


@pytest.mark.usefixtures("browser")
def test_both_pictures_are_taken(url: str, tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(SCRIPT), url, "--out", str(tmp_path / "images")], check=True)
    with Image.open(tmp_path / "images" / "page.png") as page, Image.open(tmp_path / "images" / "morph.webp") as morph:
        assert page.width == 1280
        assert getattr(morph, "n_frames", 1) == 30


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
