"""axe-core finds nothing, in any state, in either theme."""

import importlib.resources
import typing as t

import pytest
from playwright.sync_api import Page, expect

from tests.e2e import visitor

AXE = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def find(page: Page) -> list[str]:
    """Let axe look at the page as it is; one line per finding."""
    # Run by the debugging protocol, as the page's policy admits no other script; first, the page's animations must end.
    page.evaluate("Promise.all(document.getAnimations().map((animation) => animation.finished))")
    found = page.evaluate(
        "tags => axe.run(document, { runOnly: { type: 'tag', values: tags }, resultTypes: ['violations'] })", TAGS
    )
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


@pytest.fixture(params=["light", "dark"])
def page(open_page: t.Callable[..., Page], request: pytest.FixtureRequest) -> Page:
    page = open_page("#random?seed=7&count=3", color_scheme=request.param)
    page.evaluate(AXE)
    visitor.wait_for_cars(page, 3)
    return page


def go(page: Page, hash_: str) -> None:
    page.evaluate("hash => { location.hash = hash; }", hash_)


def test_random_in_each_state(page: Page) -> None:
    assert find(page) == []
    page.get_by_role("button", name="Use Car 0 of seed 7 as A").click()
    page.get_by_role("button", name="Use Car 1 of seed 7 as B").click()
    page.get_by_role("button", name="Keep Car 1 of seed 7").click()
    expect(page.get_by_text("A and B are chosen.")).to_be_visible()
    assert find(page) == []
    page.get_by_role("button", name="Car 0 of seed 7: enlarge").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert find(page) == []
    page.get_by_role("button", name="More like this").click()
    expect(page.locator("#random-like")).to_be_visible()
    visitor.wait_for_cars(page, 12)
    assert find(page) == []


def test_waiting_and_failing(page: Page) -> None:
    page.route("**/random?*", lambda route: None)
    page.click("#random-new")
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    assert find(page) == []
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled.")).to_be_visible()
    assert find(page) == []
    page.unroute("**/random?*")
    go(page, "#random?seed=9999999999999999&count=2")
    expect(page.get_by_role("alert")).to_be_visible()
    assert find(page) == []


def test_reconstruct_in_each_state(page: Page, car_png: bytes) -> None:
    go(page, "#reconstruct")
    expect(page.locator("#examples img")).to_have_count(6)
    assert find(page) == []
    visitor.upload(page, car_png)
    expect(page.locator("#spec")).to_contain_text("dB PSNR")
    assert find(page) == []


def test_morph_and_mix(page: Page) -> None:
    go(page, "#morph?a=7.0")
    expect(page.locator("#frame-number")).to_have_text("No frames yet")
    expect(page.get_by_role("img", name="A: Car 0 of seed 7")).to_be_visible()
    assert find(page) == []
    go(page, "#morph?a=7.0&b=7.1&steps=5")
    expect(page.locator("#frame-number")).to_have_text("1 of 5")
    page.get_by_role("button", name="Play").click()
    assert find(page) == []
    go(page, "#tune?car=7.1")
    expect(page.locator("#dials img[src]")).to_have_count(4)
    assert find(page) == []


def test_map(page: Page) -> None:
    go(page, "#map?car=7.1")
    expect(page.locator("#map-cells img[src]")).to_have_count(64)
    assert find(page) == []
