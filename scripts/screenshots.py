"""Take the README's pictures of the page, one of them animated, from a server that runs already.

    python scripts/screenshots.py http://127.0.0.1:8000

It needs Chromium or Chrome on the PATH. The cars of a seed change with the model, so take them again after a release.
"""

import argparse
import io
import pathlib
import shutil
import sys

from PIL import Image
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright

ROOT = pathlib.Path(__file__).resolve().parent.parent
STATIC = ROOT / "static"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SEED = 11
SOCIAL_SEED = 7
CARS = 12
PICKED = {"a": 1, "b": 6}  # cars that get the pencil marks, and are morphed
FRAMES = 16
FRAME_MS = 120
END_MS = 900


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8000", help="address of the page (%(default)s)")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs/images", help="folder (%(default)s)")
    parser.add_argument("--static", type=pathlib.Path, default=STATIC, help="folder of the page's images (%(default)s)")
    parser.add_argument("--only", nargs="*", metavar="NAME", help="take these alone, such as social.png")
    args = parser.parse_args()
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        return _fail(f"found none of {', '.join(BROWSERS)} on the PATH")
    try:
        for folder in (args.out, args.static):
            folder.mkdir(parents=True, exist_ok=True)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=["--headless", "--no-sandbox"])
            pictures = {
                args.out / "page.png": _sheet,
                args.out / "morph.webp": _morph,
                args.out / "social.png": _social,
                args.static / "social.jpg": _social_jpeg,
                args.static / "icon-512.png": _icon,
            }
            for path, take in pictures.items():
                if args.only and path.name not in args.only:
                    continue
                path.write_bytes(take(browser, args.url.rstrip("/")))
                print(path)
            browser.close()
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}")
    except Error as error:
        return _fail(f"{args.url}: {error.message.splitlines()[0]}")
    return 0


def _open(browser: Browser, address: str, width: int) -> Page:
    page = browser.new_page(
        viewport={"width": width, "height": 800}, color_scheme="light", reduced_motion="reduce", device_scale_factor=1
    )
    page.goto(address)
    return page


def _sheet(browser: Browser, url: str) -> bytes:
    """The page with a sheet of cars, two of them picked."""
    page = _open(browser, f"{url}/#random?seed={SEED}&count={CARS}", 1280)
    page.locator("#random-cars > [data-ref]").nth(CARS - 1).wait_for()
    for mark, index in PICKED.items():
        page.locator(f"#random-cars [data-do={mark}]").nth(index).click()
    page.get_by_role("button", name="Dismiss").click()
    page.mouse.move(0, 0)
    page.evaluate("scrollTo(0, 0)")  # the clicks may have scrolled down
    # The table's lower edge, whatever its height: no part of a car is cut off.
    box = page.locator("#view-random .table").bounding_box() or {"y": 0, "height": 780}
    page.set_viewport_size({"width": 1280, "height": round(box["y"] + box["height"]) + 28})
    return page.screenshot()


def _morph(browser: Browser, url: str) -> bytes:
    """The morph between the two, there and back."""
    a, b = (f"{SEED}.{index}" for index in PICKED.values())
    page = _open(browser, f"{url}/#morph?a={a}&b={b}&steps={FRAMES}", 960)
    frames = []
    for number in range(1, FRAMES + 1):
        expect(page.locator("#frame-number")).to_have_text(f"{number} of {FRAMES}")
        frames.append(Image.open(io.BytesIO(page.locator(".morph").screenshot())).convert("RGB"))
        page.locator("#step-forward").evaluate("button => button.click()")  # no focus, no pointer in the picture
    buffer = io.BytesIO()
    durations = [END_MS, *[FRAME_MS] * (FRAMES - 2), END_MS, *[FRAME_MS] * (FRAMES - 2)]
    frames += frames[-2:0:-1]
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:], duration=durations, loop=0, quality=80)
    return buffer.getvalue()


def _social(browser: Browser, url: str) -> bytes:
    """What a link to the page or the repository shows in chats: the first view in the shape of their previews."""
    page = _open(browser, f"{url}/#random?seed={SOCIAL_SEED}&count={CARS}", 1200)
    page.set_viewport_size({"width": 1200, "height": 630})
    page.locator("#random-cars > [data-ref]").nth(CARS - 1).wait_for()
    expect(page.locator("#hero-play")).to_be_visible()
    page.evaluate("document.getElementById('notes').remove()")  # a slow machine's notes don't belong in the picture
    return page.screenshot()


def _social_jpeg(browser: Browser, url: str) -> bytes:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(_social(browser, url))).convert("RGB").save(buffer, "JPEG", quality=85, optimize=True)
    return buffer.getvalue()


def _icon(browser: Browser, url: str) -> bytes:
    """The page's icon in pixels, for home screens that take no SVG."""
    page = browser.new_page(viewport={"width": 512, "height": 512})
    page.goto(f"{url}/icon.svg")
    return page.screenshot(omit_background=True)


def _fail(reason: str) -> int:
    print(f"screenshots: {reason}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
