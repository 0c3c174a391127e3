"""What lies below each view: a gallery of chosen cars, and how it works."""

import json
import re
import typing as t

import pytest
from playwright.sync_api import Page, expect

from tests.e2e import visitor
from tests.e2e.conftest import STATIC
from tests.e2e.test_accessibility import AXE, find

ROOT = STATIC.parent


def chosen_for(page: Page, version: str, *cars: str) -> None:
    """Let the gallery be of a model."""
    page.route("**/gallery.json", lambda route: route.fulfill(json={"model": version, "cars": cars}))


@pytest.fixture
def page(open_page: t.Callable[..., Page]) -> Page:
    """The page, yet to be opened."""
    return open_page("openapi.json")


def test_the_gallery_shows_the_cars_that_were_chosen(page: Page) -> None:
    chosen_for(page, "test-1", "7.4", "11.1@0.5")
    page.goto(page.url.replace("openapi.json", "#random?seed=7&count=1"))
    gallery = page.get_by_role("region", name="A dozen worth seeing")
    gallery.scroll_into_view_if_needed()
    expect(gallery.get_by_role("button", name="enlarge")).to_have_count(2)
    gallery.get_by_role("button", name="Car 1 of seed 11: enlarge").click()
    page.get_by_role("dialog").get_by_role("button", name="Tune").click()
    expect(page).to_have_url(re.compile("car=11.1%400.5"))
    expect(gallery).to_be_hidden()


def test_a_gallery_of_another_model_is_not_shown(page: Page) -> None:
    chosen_for(page, "older-1", "7.4")
    with page.expect_response("**/gallery.json"):
        page.goto(page.url.replace("openapi.json", "#random?seed=7&count=1"))
    visitor.wait_for_cars(page, 1)
    expect(page.get_by_role("region", name="A dozen worth seeing")).to_be_hidden()


def test_the_gallery_is_of_the_released_model() -> None:
    gallery = json.loads((STATIC / "gallery.json").read_text())
    metrics = json.loads((ROOT / "model" / "pretrained" / "carvae.metrics.json").read_text())
    assert gallery["model"] == metrics["bundle"]
    assert len(gallery["cars"]) == len(set(gallery["cars"])) == 12


def test_a_bar_is_pulled_by_pointer_and_put_back(page: Page) -> None:
    page.goto(page.url.replace("openapi.json", "#random?seed=7&count=1"))
    before = tried(page)
    box = page.locator("#how-bars").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 1, steps=3)
    page.mouse.up()
    page.wait_for_function("before => document.getElementById('how-after').src !== before", arg=before)
    expect(page.get_by_role("slider", name="Its value")).to_have_value(re.compile("^(3[.]9|4)$"))
    page.get_by_role("button", name="Put the bars back").click()
    expect(page.locator("#how-after")).to_have_attribute("src", before)


def test_a_bar_is_pulled_by_keyboard(page: Page) -> None:
    page.goto(page.url.replace("openapi.json", "#random?seed=7&count=1"))
    before = tried(page)
    page.get_by_role("slider", name="Number").press("End")
    expect(page.locator("#how-which-text")).to_have_text("192")
    page.get_by_role("slider", name="Its value").press("Home")
    expect(page.locator("#how-value-text")).to_have_text("−4.0")
    page.wait_for_function("before => document.getElementById('how-after').src !== before", arg=before)


def tried(page: Page) -> str:
    """Scroll to How it works; returns the picture that it begins with."""
    page.locator("#how-title").wait_for()
    expect(page.locator(".lamp")).to_have_text("Ready")
    page.locator("#how").scroll_into_view_if_needed()
    page.locator("#how-bars").scroll_into_view_if_needed()
    page.locator("#how-try:not([inert])").wait_for()
    return page.locator("#how-after").get_attribute("src") or ""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_the_gallery_the_code_and_how_it_works(
    open_page: t.Callable[..., Page], theme: str
) -> None:
    page = open_page("openapi.json", color_scheme=theme)
    chosen_for(page, "test-1", "7.4", "11.1")
    page.goto(page.url.replace("openapi.json", "#random?seed=7&count=1"))
    page.evaluate(AXE)
    page.locator("#gallery").scroll_into_view_if_needed()
    expect(page.locator("#gallery [data-ref]")).to_have_count(2)
    tried(page)
    page.get_by_text("Use via API").click()
    expect(page.locator("#api-code")).to_contain_text("curl")
    assert find(page) == []
