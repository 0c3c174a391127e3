"""The code that the page hands out draws what is on the screen; these tests run all of it."""

import base64
import io
import os
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.e2e import visitor

#: Screens by what is on them: their address, what shows that they are drawn, their pictures, what curl writes.
SCREENS = {
    "a sheet": ("#random?seed=7&count=3&temperature=0.5", visitor.CARS, f"{visitor.CARS} img", "cars.webp"),
    "variations": ("#random?seed=7&count=3&like=7.1", visitor.CARS, f"{visitor.CARS} img", "cars.webp"),
    "a morph": ("#morph?a=7.0&b=7.1%400.5&method=slerp&steps=9", "#strip img", "#strip img", "morph.gif"),
    "a car": ("#tune?car=7.1%400.5", "#dials img[src]", "#tune-image", "cars.webp"),
    "a tuned car": ("#tune?car=7.1&dials=2.0", "#dials img[src]", "#tune-image", "cars.webp"),
    "a map": ("#map?car=7.1&x=0&y=1&at=-4,-4", "#map-cells button:last-child img[src]", "#map-cells img", "cars.webp"),
}
CURL = shutil.which("curl")

#: Largest mean difference, of 255, between pictures of one car: WebP loses something of each.
SAME = 6


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the code is run."""
    return tmp_path


def code(page: Page, language: str, folder: Path) -> str:
    """What the panel copies in a language; what it reads is put into the folder."""
    page.evaluate("document.getElementById('api').open = true")
    page.locator("#api").get_by_text(language, exact=True).click()
    page.get_by_role("button", name="Copy code").click()
    expect(page.get_by_text("Copied the code.")).to_be_visible()
    if page.locator("#api-latents").is_visible() and not (folder / "latents.json").exists():
        with page.expect_download() as download:
            page.click("#api-latents")
        assert download.value.suggested_filename == "latents.json"
        download.value.save_as(folder / "latents.json")
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


def run(command: list[str], folder: Path) -> None:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stderr


def run_python(text: str, folder: Path) -> list[np.ndarray]:
    """Run the code as its own program; returns the pictures that it writes."""
    (folder / "code.py").write_text(text, encoding="utf-8")
    run([sys.executable, "-W", "error", "code.py"], folder)
    return [
        pixels(path.read_bytes()) for path in sorted(folder.glob("car-*.webp"), key=lambda path: int(path.stem[4:]))
    ]


def run_javascript(page: Page, text: str, folder: Path) -> list[np.ndarray]:
    """Run the code in the page, the folder's files beside it; returns the pictures that it appends."""
    for name in ("latents.json", "car.png"):
        page.route(f"**/{name}", lambda route: route.fulfill(path=folder / route.request.url.rsplit("/", 1)[1]))
    page.evaluate(f"async () => {{ {text} }}")
    return [decoded(src) for src in visitor.pictures(page, "body > img")]


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.float32)


def decoded(url: str) -> np.ndarray:
    return pixels(base64.b64decode(url.split(",")[1]))


def assert_same(found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert np.abs(one - other).mean() < SAME


@pytest.mark.parametrize("screen", SCREENS)
def test_the_code_draws_what_is_on_the_screen(open_page: t.Callable[..., Page], folder: Path, screen: str) -> None:
    link, filled, shown, output = SCREENS[screen]
    page = open_page(link)
    page.locator(filled).first.wait_for(state="attached")
    expected = [decoded(src) for src in visitor.pictures(page, shown)]
    if len(expected) > 1:
        assert np.abs(expected[0] - expected[-1]).mean() > SAME
    assert_same(run_python(code(page, "Python", folder), folder), expected)
    assert_same(run_javascript(page, code(page, "JavaScript", folder), folder), expected)
    if need_curl():
        run(["bash", "-c", code(page, "curl", folder)], folder)
        with Image.open(folder / output) as picture:
            frames = getattr(picture, "n_frames", 1)
            first = np.asarray(picture.convert("RGB"), np.float32)[: len(expected[0]), : expected[0].shape[1]]
        if output == "morph.gif":
            assert frames == len(expected)
        else:
            assert np.abs(first - expected[0]).mean() < SAME


def test_the_code_of_an_upload_sends_the_visitors_own_file(
    open_page: t.Callable[..., Page], folder: Path, car_png: bytes
) -> None:
    page = open_page("#reconstruct")
    visitor.upload(page, car_png)
    (folder / "car.png").write_bytes(car_png)
    page.locator("#result.is-full").wait_for()
    expected = [decoded(page.locator(".compare__after").get_attribute("src") or "")]
    assert_same(run_python(code(page, "Python", folder), folder), expected)
    assert_same(run_javascript(page, code(page, "JavaScript", folder), folder), expected)
    if need_curl():
        run(["bash", "-c", code(page, "curl", folder)], folder)
        assert_same([pixels((folder / "reconstruction.webp").read_bytes())], expected)


def test_the_code_follows_what_is_drawn_next(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#random?seed=7&count=2")
    visitor.wait_for_cars(page, 2)
    page.get_by_text("Use via API").click()
    expect(page.locator("#api-code")).to_contain_text("seed=7&count=2")
    page.fill("#random-seed", "8")
    page.press("#random-seed", "Enter")
    expect(page.locator("#api-code")).to_contain_text("seed=8&count=2")
    page.get_by_role("link", name="Tune").click()
    expect(page.locator("#api-code")).to_contain_text("first=0&count=1")


def test_another_page_can_show_a_sheet_and_a_car_of_a_seed(
    open_page: t.Callable[..., Page], folder: Path, url: str
) -> None:
    page = open_page("#random?seed=7&count=2")
    visitor.wait_for_cars(page, 2)
    sheet = code(page, "Embed", folder)
    page.evaluate("location.hash = '#tune?car=7.1'")
    expect(page.locator("#api-code")).to_contain_text("/car/7.1/preview")
    car = code(page, "Embed", folder)
    other = page.context.new_page()
    other.route(
        "**/other.html", lambda route: route.fulfill(body=f"<!doctype html>{sheet}{car}", content_type="text/html")
    )
    other.goto(f"{url}/other.html")
    other.wait_for_load_state("load")
    widths = other.eval_on_selector_all("img", "images => images.map((image) => image.naturalWidth)")
    assert widths == [68, 1200]  # two cars with a gap, and a card
    links = other.eval_on_selector_all("a", "links => links.map((link) => link.href)")
    assert links[0].startswith(f"{url}/#random?seed=7&count=2")
    assert links[1] == f"{url}/car/7.1"


def test_what_no_seed_drew_is_said_to_have_no_address(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#tune?car=7.1&dials=2.0")
    page.locator("#dials img[src]").first.wait_for()
    page.get_by_text("Use via API").click()
    page.locator("#api").get_by_text("Embed", exact=True).click()
    expect(page.locator("#api-code")).to_contain_text("Only unchanged cars of a seed have an address")
    expect(page.get_by_role("button", name="Copy code")).to_be_disabled()


def need_curl() -> bool:
    if not CURL and os.environ.get("CI"):
        pytest.fail("no curl on the PATH")
    return CURL is not None
