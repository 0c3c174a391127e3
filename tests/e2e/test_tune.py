"""One car moved along directions."""

import base64
import io
import re
import typing as t

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from tests.e2e import visitor

LINK = "#tune?car=7.1"


def pixels(page: Page, selector: str) -> t.Any:
    (url,) = visitor.pictures(page, selector)
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as picture:
        return np.asarray(picture, float) / 255


def wait_for_dials(page: Page) -> None:
    """Wait until the car and both ends of each dial are drawn."""
    expect(page.locator("#dials img[src]")).to_have_count(4)


@pytest.fixture
def page(open_page: t.Callable[..., Page]) -> Page:
    page = open_page(LINK)
    wait_for_dials(page)
    return page


def test_the_dials_start_at_the_cars_own_place(page: Page) -> None:
    lightness = page.get_by_role("slider", name="lightness")
    # The tiny model's latent is its picture: the mean of the one tells the mean of the other.
    place = (pixels(page, "#tune-image").mean() - 0.5) * 192**0.5 / 4
    assert float(lightness.input_value()) == pytest.approx(place, abs=0.1)
    expect(page.get_by_role("button", name="Reset")).to_be_disabled()
    expect(page.locator("#tune-name")).to_have_text("Car 1 of seed 7")


def test_the_ends_show_where_a_dial_leads(page: Page) -> None:
    darker, lighter = (pixels(page, f"#dials .dial:first-child .dial__end:nth-of-type({n}) img") for n in (1, 2))
    assert darker.mean() < pixels(page, "#tune-image").mean() < lighter.mean()
    page.get_by_role("button", name="lightness to 3").click()
    expect(page.locator("#tune-name")).to_have_text("Car 1 of seed 7, tuned")
    assert pixels(page, "#tune-image") == pytest.approx(lighter, abs=0.1)
    page.get_by_role("button", name="Reset").click()
    expect(page.locator("#tune-name")).to_have_text("Car 1 of seed 7")
    expect(page).not_to_have_url(re.compile("dials="))


def test_a_link_brings_the_dials_back(page: Page, open_page: t.Callable[..., Page]) -> None:
    page.get_by_role("slider", name="height").press("Home")
    expect(page.locator("#tune-name")).to_have_text("Car 1 of seed 7, tuned")
    other = open_page(page.evaluate("location.hash"))
    wait_for_dials(other)
    expect(other.get_by_role("slider", name="height")).to_have_value("-3")
    assert other.get_attribute("#tune-image", "src") == page.get_attribute("#tune-image", "src")


def test_only_the_newest_place_is_asked_for_while_one_request_is_under_way(page: Page) -> None:
    asked: list[Route] = []

    def hold_the_first(route: Route) -> None:
        asked.append(route)
        if len(asked) > 1:
            route.continue_()

    page.route("**/decode?*", hold_the_first)
    move = "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input', { bubbles: true })); }"
    lightness = page.get_by_role("slider", name="lightness")
    with page.expect_request("**/decode?*"):
        lightness.evaluate(move, "1")
    for value in ("-1", "2", "-2"):
        lightness.evaluate(move, value)
    assert len(asked) == 1
    with page.expect_request("**/decode?*") as second:
        asked[0].continue_()
    (latent,) = second.value.post_data_json["latents"]
    assert (np.mean(latent) - 0.5) * 192**0.5 / 4 == pytest.approx(-2, abs=0.1)
    expect(page.locator("#tune-name")).to_have_text("Car 1 of seed 7, tuned")
    assert len(asked) == 2


def test_any_car_can_be_mixed(page: Page, car_png: bytes) -> None:
    page.goto(page.url.partition("#")[0] + "#reconstruct")
    visitor.upload(page, car_png)
    page.locator("#result-actions").get_by_role("button", name="Tune").click()
    expect(page.locator("#tune-name")).to_have_text("Car from a link")
    page.get_by_role("button", name="Another car").click()
    expect(page.locator("#tune-name")).to_have_text(re.compile(r"Car 0 of seed \d+"))
    page.go_back()
    expect(page.locator("#tune-name")).to_have_text("Car from a link")


@pytest.mark.parametrize("method", ["lerp", "slerp"])
def test_a_frame_of_a_morph_can_be_mixed(open_page: t.Callable[..., Page], method: str) -> None:
    page = open_page(f"#morph?a=7.0&b=7.1&method={method}&steps=5&at=2")
    expect(page.locator("#frame-number")).to_have_text("3 of 5")
    frame = pixels(page, "#frame")
    page.get_by_role("button", name="Tune this frame").click()
    wait_for_dials(page)
    assert np.abs(pixels(page, "#tune-image") - frame).mean() < 0.01


def test_a_damaged_link_is_told_as_such(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#tune?car=zAAAA")
    expect(page.get_by_text("This link is damaged")).to_be_visible()


def test_undo_goes_back_one_step_at_a_time(open_page: t.Callable[..., Page]) -> None:
    page = open_page("#tune?car=7.1")
    expect(page.locator("#dials img[src]")).to_have_count(4)
    start = page.locator("#dials output").first.inner_text()
    page.get_by_role("button", name="lightness to 3").click()
    page.get_by_role("button", name="lightness to -3").click()
    expect(page.locator("#dials output").first).to_have_text("−3.0")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#dials output").first).to_have_text("3.0")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#dials output").first).to_have_text(start)
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()
