"""Take the README's picture of the page, from a server that runs already.

    python scripts/screenshots.py http://127.0.0.1:8000

It needs Chromium or Chrome on the PATH. The cars of a seed change with the model, so take it again after a release.
"""

import argparse
import pathlib
import shutil
import sys

from playwright.sync_api import Error, Page, sync_playwright

ROOT = pathlib.Path(__file__).resolve().parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SEED = 7
CARS = 12
PICKED = {"a": 1, "b": 4}  # cars that get the pencil marks


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8000", help="address of the page (%(default)s)")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs/images/page.png", help="PNG (%(default)s)")
    args = parser.parse_args()
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        return _fail(f"found none of {', '.join(BROWSERS)} on the PATH")
    try:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        _take(browser, args.url.rstrip("/"), args.out)
    except OSError as error:
        return _fail(f"{args.out}: {error.strerror}")
    except Error as error:
        return _fail(f"{args.url}: {error.message.splitlines()[0]}")
    print(args.out)
    return 0


def _take(browser: str, url: str, out: pathlib.Path) -> None:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--headless", "--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light", reduced_motion="reduce")
        page.goto(f"{url}/#random?seed={SEED}&count={CARS}")
        _pick(page)
        # The table's lower edge, whatever its height: no part of a car is cut off.
        box = page.locator("#view-random .table").bounding_box() or {"y": 0, "height": 780}
        page.set_viewport_size({"width": 1280, "height": round(box["y"] + box["height"]) + 28})
        page.screenshot(path=out)
        chromium.close()


def _pick(page: Page) -> None:
    page.locator("#random-cars > [data-ref]").nth(CARS - 1).wait_for()
    for mark, index in PICKED.items():
        page.locator(f"#random-cars [data-do={mark}]").nth(index).click()
    page.get_by_role("button", name="Dismiss").click()
    page.mouse.move(0, 0)


def _fail(reason: str) -> int:
    print(f"screenshots: {reason}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
